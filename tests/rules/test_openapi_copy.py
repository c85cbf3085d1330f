"""Is the committed description of the admin API what a server says of itself?"""

from __future__ import annotations

from tests.support.openapi import COPY, described


def test_the_committed_copy_is_what_the_server_says():
    same = COPY.read_text(encoding="utf-8") == described()
    assert same, "docs/openapi.json is not up to date: python -m tests.support.openapi renews it"

"""`GET /oauth/networks/<sha256>`: long lists of addresses, unchanging under their digest."""

from __future__ import annotations

import hashlib

import pytest

from tests.support.workshop import many_ranges


def get(door, digest):
    return door.send(method="GET", path=f"/oauth/networks/{digest}", kind=None)


def test_a_long_list_is_served_under_its_digest_and_may_be_kept_for_ever(door):
    terms = many_ranges(65)
    door.credential(allowed_ips=terms)
    answer = get(door, terms.digest())
    assert answer.status == 200
    assert answer.json == {"allowed_ips": list(terms.normal_form())}
    assert answer.header("Cache-Control") == "public, max-age=31536000, immutable"
    assert hashlib.sha256("\n".join(answer.json["allowed_ips"]).encode()).hexdigest() == terms.digest()


def test_a_short_list_is_in_the_token_and_not_here(door):
    terms = many_ranges(64)
    door.credential(allowed_ips=terms)
    assert get(door, terms.digest()).status == 404


@pytest.mark.parametrize(
    "digest", ["0" * 64, "0" * 63, "A" * 64, "x", "%2e%2e", "0" * 64 + "/", "\0" * 64, "0" * 10_000, "é" * 64, "'"]
)
def test_any_other_name_is_not_found_and_not_kept(door, digest):
    answer = get(door, digest)
    assert (answer.status, answer.json["error"]) == (404, "not_found")
    assert answer.header("Cache-Control") == "no-store"

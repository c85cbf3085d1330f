"""How is something posted to the issuer?"""

from __future__ import annotations

import ssl

import pytest

from tests.support.world import free_port
from tokenserver.resource.posting import HttpPost


def test_what_is_trusted_is_read_from_disk_once_and_not_for_each_report(monkeypatch):
    post = HttpPost()
    monkeypatch.setattr(ssl, "create_default_context", None)
    for transport in (post, HttpPost()):
        with pytest.raises(ConnectionRefusedError):
            transport(f"https://127.0.0.1:{free_port()}/v1/usage-reports", {}, b"{}", 5)

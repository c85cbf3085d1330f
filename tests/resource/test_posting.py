"""How is something posted to the issuer?"""

from __future__ import annotations

import ssl

import pytest

from tests.support.world import free_port
from tokenserver.resource.posting import HttpPost


def test_what_is_trusted_is_read_from_disk_once_and_not_for_each_report(monkeypatch):
    made, make = [], ssl.create_default_context

    def counted():
        made.append(make())
        return made[-1]

    monkeypatch.setattr(ssl, "create_default_context", counted)
    post = HttpPost()
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            post(f"https://127.0.0.1:{free_port()}/v1/usage-reports", {}, b"{}", 5)
    assert len(made) == 1

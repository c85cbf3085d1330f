"""Which names of the wheel may other people's programs rely on? Taking one away is a decision, and shows here."""

from __future__ import annotations

import importlib

import pytest

PUBLIC = {
    "tokenserver.resource": {"Guard", "Principal", "Require", "Verifier"},
    "tokenserver.resource.wsgi": {"TokenMiddleware"},
    "tokenserver.resource.asgi": {"TokenMiddleware"},
    "tokenserver.resource.testing": {"FakeIssuer"},
    "tokenserver.client": {
        *("TokenSource", "HttpTransport", "write_secret"),
        *("NoToken", "TokenRefused", "TokenUnavailable", "SecretUnreadable"),
    },
    "tokenserver.client.requests": {"TokenAuth"},
    "tokenserver.client.httpx": {"TokenAuth"},
    "tokenserver.client.httpx2": {"TokenAuth"},
    "tokenserver.client.aiohttp": {"TokenMiddleware"},
    "tokenserver.client.urllib": {"TokenHandler"},
    "tokenserver.domain.allowed_ips": {"AllowedIPs", "InvalidAllowedIPs", "FaultyItem", "FaultKind"},
    "tokenserver.domain.client_ip": {"TrustedProxies", "UndeterminedAddress", "client_address"},
    "tokenserver.errors": {"Refused", "TokenServerError", "Unavailable"},
}


@pytest.mark.parametrize("module", PUBLIC)
def test_these_names_are_there(module):
    assert {name for name in PUBLIC[module] if not hasattr(importlib.import_module(module), name)} == set()


@pytest.mark.parametrize("face", ["tokenserver.resource", "tokenserver.client"])
def test_the_face_of_the_sdk_is_exactly_this(face):
    """One name more is a promise more."""
    assert set(importlib.import_module(face).__all__) == PUBLIC[face]

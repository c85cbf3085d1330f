"""Which names of the wheel may other people's programs rely on? Taking one away is a decision, and shows here."""

from __future__ import annotations

import importlib

import pytest

from tests.support import django_site  # noqa: F401  two of the modules want a configured Django

PUBLIC = {
    "tokenserver.resource": {
        *("Guard", "Policy", "Principal", "Require", "UsageReports", "Verifier", "all_of", "any_of"),
    },
    "tokenserver.resource.wsgi": {"TokenMiddleware"},
    "tokenserver.resource.asgi": {"TokenMiddleware"},
    "tokenserver.resource.flask": {"TokenGuard", "current_principal", "require"},
    "tokenserver.resource.fastapi": {"Caller", "TokenBackend", "TokenGuard", "refused"},
    "tokenserver.resource.starlette": {"Caller", "TokenBackend", "refused"},
    "tokenserver.resource.django": {"TokenMiddleware", "metadata", "principal_of", "require"},
    "tokenserver.resource.rest_framework": {"Caller", "TokenAuthentication", "requires"},
    "tokenserver.resource.grpc": {"AioTokenInterceptor", "TokenInterceptor", "current_principal"},
    "tokenserver.resource.testing": {"FakeIssuer"},
    "tokenserver.testing": {"CLIENT_ID", "ORGANIZATION", "FakeClock", "FakeIssuer"},
    "tokenserver.pytest_plugin": {"token_clock", "token_issuer", "token_verifier"},
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


EXACTLY = [
    "tokenserver.client",
    "tokenserver.resource",
    *(
        f"tokenserver.resource.{framework}"
        for framework in ("flask", "fastapi", "starlette", "django", "rest_framework", "grpc")
    ),
]


@pytest.mark.parametrize("module", PUBLIC)
def test_these_names_are_there(module):
    assert {name for name in PUBLIC[module] if not hasattr(importlib.import_module(module), name)} == set()


@pytest.mark.parametrize("module", EXACTLY)
def test_the_face_of_the_sdk_is_exactly_this(module):
    """One name more is a promise more."""
    assert set(importlib.import_module(module).__all__) == PUBLIC[module]

"""How do limits become HTTP? Looked at before any door of Flask's is asked, and told on every answer.

`RateLimit-Policy` and `RateLimit` as draft-ietf-httpapi-ratelimit-headers says: which limit, what is left of it (`r`)
and in how many seconds it is whole again (`t`). Doors in front of Flask ask by themselves (`allowance_headers`); what
one of them has counted and then leaves to Flask is not counted again.

Where the client's address cannot be determined, the peer's counts: a header that cannot be read must not be a way
around.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Response, request

from app.http import Headers, client_address, limit_headers
from app.services.limits import Allowance, Limits
from app.settings import Settings
from tokenserver.domain.client_ip import TrustedProxies

_LIMITED = ("/oauth/", "/v1/", "/console/sign-in", "/console/prove", "/console/set-up/")
_FEED = ("/oauth/generations", "/oauth/networks/", "/oauth/statuslists/", "/oauth/introspect")
_ALLOWANCE = "tokenserver.allowance"


class Limiting:
    """Before the doors that it limits."""

    def __init__(self, limits: Limits, settings: Settings) -> None:
        self._limits = limits
        self._proxies = TrustedProxies.parse(settings.trusted_proxies)

    def mount(self, app: Flask) -> None:
        app.before_request(self._admit)
        app.after_request(_told)

    def _admit(self) -> None:
        if _ALLOWANCE not in request.environ:
            self.admit(request.environ, request.path)

    def admit(self, environ: dict[str, Any], path: str) -> None:
        """Count a request where its path is limited; raises RateLimited."""
        admit: Callable[[str], Allowance | None] = self._limits.admit
        if path.startswith(_FEED):
            admit = self._limits.admit_to_feed
        elif not path.startswith(_LIMITED):
            return
        environ[_ALLOWANCE] = admit(counted_address(environ, client_address(environ, self._proxies)))


def counted_address(environ: Mapping[str, Any], address: str) -> str:
    """Whose request this is, for counting only."""
    return address or environ.get("REMOTE_ADDR") or ""


def allowance_headers(allowance: Allowance | None) -> Headers:
    if allowance is None:
        return []
    quota, left, reset = allowance
    return limit_headers(quota.name, quota.amount, quota.seconds, left, reset)


def told_to(environ: Mapping[str, Any]) -> Headers:
    """What is said of the limit that a request was counted against."""
    return allowance_headers(environ.get(_ALLOWANCE))


def _told(response: Response) -> Response:
    for name, value in told_to(request.environ):
        response.headers.setdefault(name, value)
    return response

"""WSGI: put `TokenMiddleware` around any WSGI app, and only callers that meet the requirement come through.

    app = TokenMiddleware(app, verifier, Require(roles={"cloud_admin"}, scopes={"reports:read"}))

The app finds the caller in `environ["tokenserver.principal"]`. Every request is checked, whatever its method (OPTIONS
and HEAD included) and path; what is open to all is put beside the middleware, or said by a `Policy`. Apache's mod_wsgi
passes the header on only with `WSGIPassAuthorization On`, and uWSGI runs the thread that listens for news only with
`enable-threads`.

A WSGI server joins repeated headers with commas: for `Authorization` that is refused as malformed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication

from tokenserver.resource.answers import Answer
from tokenserver.resource.guard import OVERRIDING, Guard, Presented
from tokenserver.resource.principal import Principal
from tokenserver.resource.require import Require, RequireOf
from tokenserver.resource.verifier import Verifier

PRINCIPAL = "tokenserver.principal"
_OVERRIDING = frozenset(f"HTTP_{name.upper().replace('-', '_')}" for name in OVERRIDING)
_PHRASES = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 503: "Service Unavailable"}


class TokenMiddleware:
    """The ASGI middleware of the same name takes the same arguments and gives the same verdicts."""

    def __init__(
        self,
        app: WSGIApplication,
        verifier: Verifier,
        require: Require | RequireOf,
        *,
        metadata: bool | Mapping[str, object] = False,
        explain: bool = False,
    ) -> None:
        self.app = app
        self.guard = Guard(verifier, require, metadata=metadata, explain=explain)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        environ.pop(PRINCIPAL, None)
        outcome = self.guard.outcome(presented_in(environ, routed=self.guard.routed))
        if isinstance(outcome, Principal):
            environ[PRINCIPAL] = outcome
        elif outcome is not None:
            return _answer(outcome, environ, start_response)
        return self.app(environ, start_response)


def presented_in(environ: Mapping[str, Any], *, routed: bool) -> Presented:
    header, peer = environ.get("HTTP_AUTHORIZATION"), environ.get("REMOTE_ADDR")
    authorization = () if header is None else (header,)
    forwarded = _forwarded(environ) if "HTTP_X_FORWARDED_FOR" in environ or "HTTP_FORWARDED" in environ else ()
    if not routed:
        return Presented(authorization, peer, forwarded)
    method = environ.get("REQUEST_METHOD", "") if environ.keys().isdisjoint(_OVERRIDING) else ""
    path, mount = environ.get("PATH_INFO", ""), environ.get("SCRIPT_NAME", "")
    if not path.isascii() or not mount.isascii():
        path, mount = _decoded(path), _decoded(mount)
    return Presented(authorization, peer, forwarded, method, path, mount)


def _decoded(path: str) -> str:
    return path if path.isascii() else path.encode("latin-1", "replace").decode("utf-8", "replace")  # PEP 3333


def _forwarded(environ: Mapping[str, Any]) -> list[tuple[str, str]]:
    named = {"forwarded": environ.get("HTTP_FORWARDED"), "x-forwarded-for": environ.get("HTTP_X_FORWARDED_FOR")}
    return [(name, value) for name, value in named.items() if value is not None]


def _answer(answer: Answer, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    start_response(f"{answer.status} {_PHRASES.get(answer.status, 'Refused')}", list(answer.headers))
    return [b"" if environ.get("REQUEST_METHOD") == "HEAD" else answer.body]  # no empty list: hypercorn makes 500 of it

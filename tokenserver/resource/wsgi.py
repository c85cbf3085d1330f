"""WSGI: put `TokenMiddleware` around any WSGI app, and only callers that meet the requirement come through.

    app = TokenMiddleware(app, verifier, Require(roles={"cloud_admin"}, scopes={"reports:read"}))

The app finds the caller in `environ["tokenserver.principal"]`. Every request is checked, whatever its method (OPTIONS
and HEAD included) and path; what is open to all is put beside the middleware and not inside it. Per route: see
`require`. Apache's mod_wsgi passes the header on only with `WSGIPassAuthorization On`, and uWSGI runs the thread that
listens for news only with `enable-threads`.

A WSGI server joins repeated headers with commas: for `Authorization` that is refused as malformed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication

from tokenserver.resource.answers import Refusal
from tokenserver.resource.guard import Guard, Presented
from tokenserver.resource.require import Require, RequireOf
from tokenserver.resource.verifier import Verifier

PRINCIPAL = "tokenserver.principal"
_PHRASES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 503: "Service Unavailable"}


class TokenMiddleware:
    """The ASGI middleware of the same name takes the same arguments and gives the same verdicts."""

    def __init__(self, app: WSGIApplication, verifier: Verifier, require: Require | RequireOf) -> None:
        self.app = app
        self.guard = Guard(verifier, require)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        environ.pop(PRINCIPAL, None)
        presented = _presented(environ)
        outcome = self.guard.check(presented)
        if isinstance(outcome, Refusal) and outcome.pending is not None and self._has_waited_for(outcome):
            outcome = self.guard.check(presented)
        if isinstance(outcome, Refusal):
            return _refuse(outcome, environ, start_response)
        environ[PRINCIPAL] = outcome
        return self.app(environ, start_response)

    def _has_waited_for(self, refusal: Refusal) -> bool:
        return refusal.pending is not None and self.guard.verifier.patience.wait(refusal.pending)


def _presented(environ: dict[str, Any]) -> Presented:
    authorization = environ.get("HTTP_AUTHORIZATION")
    path = environ.get("PATH_INFO", "")
    return Presented(
        () if authorization is None else (authorization,),
        environ.get("REMOTE_ADDR"),
        _forwarded(environ) if "HTTP_X_FORWARDED_FOR" in environ or "HTTP_FORWARDED" in environ else (),
        environ.get("REQUEST_METHOD", ""),
        path if path.isascii() else path.encode("latin-1", "replace").decode("utf-8", "replace"),  # PEP 3333
    )


def _forwarded(environ: dict[str, Any]) -> list[tuple[str, str]]:
    named = {"forwarded": environ.get("HTTP_FORWARDED"), "x-forwarded-for": environ.get("HTTP_X_FORWARDED_FOR")}
    return [(name, value) for name, value in named.items() if value is not None]


def _refuse(refusal: Refusal, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    start_response(f"{refusal.status} {_PHRASES.get(refusal.status, 'Refused')}", list(refusal.headers))
    return [] if environ.get("REQUEST_METHOD") == "HEAD" else [refusal.body]

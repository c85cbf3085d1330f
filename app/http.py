"""How do values become HTTP? The one place where failures get a status, and every answer its headers.

Used by the doors in front of Flask and by those of Flask alike, so that they cannot disagree. Nothing a caller sent is
ever in an answer; what we know about an unexpected failure stays in the log, under the request's ID.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import lru_cache, partial
from html import escape
from typing import Any

from flask import Flask, Request, Response, request
from werkzeug.exceptions import HTTPException

from app.routing import Route
from tokenserver.domain.client_ip import TrustedProxies
from tokenserver.errors import (
    InvalidInput,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    RateLimited,
    Refused,
    TokenServerError,
    TooLarge,
    Unavailable,
    UnsupportedMediaType,
)

log = logging.getLogger("tokenserver.http")

Headers = list[tuple[str, str]]
Environ = dict[str, Any]
Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
Reply = tuple[int, Headers, bytes]
"""Status, headers and body of an answer."""
PlainDoor = Callable[[Environ], Awaitable[Reply | None]]
"""A door in front of Flask, on the event loop; what it has no answer to is left to Flask."""
Answers = dict[str, Callable[[Exception], Response]]
"""What failed becomes an answer, by the path below which it did."""
REALM = "tokenserver"
LARGEST_BODY = 1024 * 1024
"""Bytes, at any door; a long list of allowed addresses fits."""

ALWAYS: Headers = [
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
]
"""On every answer that does not say otherwise."""


def new_request_id() -> str:
    """96 random bits; in the answer's `X-Request-Id`, the log and the audit line."""
    return secrets.token_urlsafe(12)


def named(fault: Exception, request_id: str) -> TokenServerError:
    """`fault` as one of the family; what is not is logged here, once, and becomes a plain 500."""
    if isinstance(fault, TokenServerError):
        if isinstance(fault, Unavailable):
            log.warning("unavailable: %s", fault.detail, extra={"request_id": request_id})
        return fault
    log.error("unexpected", exc_info=fault, extra={"request_id": request_id})
    return TokenServerError()


def failure_headers(fault: TokenServerError) -> Headers:
    """`Retry-After` for what may succeed later, `WWW-Authenticate` for what lacks proof (RFC 9110 §11.6.1)."""
    if isinstance(fault, RateLimited):
        told = limit_headers(*fault.quota, 0, fault.retry_after) if fault.quota is not None else []
        return [("Retry-After", str(fault.retry_after)), *told]
    if isinstance(fault, Unavailable):
        return [("Retry-After", str(fault.retry_after))]
    if fault.status == 401:
        if fault.code == "invalid_client":
            return [("WWW-Authenticate", f'Basic realm="{REALM}", charset="UTF-8"')]
        error = f', error="{fault.code}"' if fault.code else ""
        return [("WWW-Authenticate", f'Bearer realm="{REALM}"{error}')]
    if fault.code == "insufficient_scope":
        return [("WWW-Authenticate", f'Bearer realm="{REALM}", error="insufficient_scope"')]
    return []


def limit_headers(name: str, amount: int, seconds: int, left: int, reset: int) -> Headers:
    """draft-ietf-httpapi-ratelimit-headers §3 and §4."""
    return [("RateLimit-Policy", _policy(name, amount, seconds)), ("RateLimit", f'"{name}";r={left};t={reset}')]


@lru_cache(maxsize=64)
def _policy(name: str, amount: int, seconds: int) -> str:
    return f'"{name}";q={amount};w={seconds}'


def oauth_failure(fault: TokenServerError) -> dict[str, str]:
    """RFC 6749 §5.2."""
    return {"error": fault.code, "error_description": fault.public}


def problem(fault: TokenServerError, request_id: str) -> dict[str, Any]:
    """RFC 9457, with a pointer to each faulty field."""
    document: dict[str, Any] = {
        "type": f"urn:tokenserver:problem:{fault.code or 'unauthorized'}",
        "title": fault.public,
        "status": fault.status,
        "code": fault.code or "unauthorized",
        "request_id": request_id,
    }
    if isinstance(fault, InvalidInput):
        document["errors"] = [{"pointer": f.pointer, "detail": f.hint} for f in fault.faults]
    for name in ("count", "client_ids"):
        if hasattr(fault, name):
            document[name] = getattr(fault, name)
    return document


def respond(
    body: Mapping[str, Any] | None,
    status: int = 200,
    headers: Iterable[tuple[str, str]] = (),
    *,
    kind: str = "application/json",
) -> Response:
    """A Flask response with JSON, or without a body."""
    response = Response(b"" if body is None else as_json(body), status, content_type=kind)
    if body is None:
        del response.headers["Content-Type"]
    for name, value in headers:
        response.headers[name] = value
    return response


def whole(status: int, headers: Headers, payload: bytes, request_id: str) -> Reply:
    """An answer in front of Flask, with what Flask's have beside headers of their own."""
    said = {name for name, _ in headers}
    beside = [header for header in (("Content-Length", str(len(payload))), *ALWAYS) if header[0] not in said]
    return status, [*headers, *beside, ("X-Request-Id", request_id)], payload


def as_json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


_OF_STATUS: dict[int, type[Refused]] = {
    404: NotFound,
    405: MethodNotAllowed,
    413: TooLarge,
    415: UnsupportedMediaType,
}
_SPEAK_OAUTH = ("/oauth/", "/.well-known/")
_PEOPLE = "/console"
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>That did not work</title>
<h1>That did not work</h1>
<p>{public}</p>
<p>Go back and try again. Request <code>{request_id}</code></p>
</html>
"""
"""For who is answered before the console is asked."""
_PAGE_POLICY = ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
_REQUEST_ID = "tokenserver.request_id"
_ANSWERS = "tokenserver.answers"


def request_id_of(environ: dict[str, Any]) -> str:
    """The ID of this request: made at the first call, the same at every later one."""
    return str(environ.setdefault(_REQUEST_ID, new_request_id()))


def install(app: Flask) -> None:
    """What holds for every answer of Flask's, whichever door gives it; before the doors are mounted.

    No page of Flask's or Werkzeug's own is ever shown: they are HTML and repeat the request. Hence no redirects to a
    tidier path either, and no automatic OPTIONS.
    """
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    app.url_rule_class = Route
    answers: Answers = app.extensions.setdefault(_ANSWERS, {})
    app.register_error_handler(Exception, partial(_failed, answers))
    app.after_request(_finished)


def answer_failures(app: Flask, below: str, answer: Callable[[Exception], Response]) -> None:
    """How a door answers, at `below` and under it, what fails before its own code is asked: a limit, a method, a body
    that is too large.
    """
    app.extensions[_ANSWERS][below] = answer


def failed(fault: Exception, path: str, request_id: str) -> Reply:
    """OAuth's errors where OAuth's clients knock (RFC 6749 §5.2), a page where people do, problem documents everywhere
    else (RFC 9457).
    """
    failure = named(fault, request_id)
    headers = [*ALWAYS, ("X-Request-Id", request_id), *failure_headers(failure)]
    if path == _PEOPLE or path.startswith(f"{_PEOPLE}/"):
        page = _PAGE.format(public=escape(failure.public), request_id=request_id)
        return failure.status, [*headers, ("Content-Type", "text/html; charset=utf-8"), _PAGE_POLICY], page.encode()
    kind, body = "application/problem+json", problem(failure, request_id)
    if path.startswith(_SPEAK_OAUTH):
        kind, body = "application/json", dict(oauth_failure(failure))
    return failure.status, [*headers, ("Content-Type", kind)], as_json(body)


def _failed(answers: Answers, fault: Exception) -> Response:
    below = (one for one in answers if request.path == one or request.path.startswith(f"{one}/"))
    response = answers.get(next(below, ""), _as_document)(_of_the_family(fault))
    methods = getattr(fault, "valid_methods", None)
    if methods:
        response.headers["Allow"] = ", ".join(sorted(methods))
    return response


def _as_document(fault: Exception) -> Response:
    status, headers, payload = failed(fault, request.path, request_id_of(request.environ))
    return Response(payload, status, headers)


def _of_the_family(fault: Exception) -> Exception:
    """Werkzeug's exceptions by our names; what it says about the request stays unsaid."""
    if isinstance(fault, HTTPException) and fault.code is not None and 400 <= fault.code < 500:
        return _OF_STATUS.get(fault.code, InvalidRequest)()
    return fault


def _finished(response: Response) -> Response:
    for name, value in ALWAYS:
        response.headers.setdefault(name, value)
    response.headers["X-Request-Id"] = request_id_of(request.environ)
    return response


def address_of(request: Request, proxies: TrustedProxies) -> str:
    """The client's address, or the empty text when it cannot be determined."""
    return client_address(request.environ, proxies)


def client_address(environ: Mapping[str, Any], proxies: TrustedProxies) -> str:
    """As `address_of`, from a WSGI environment."""
    forwarding = [
        (name, environ[key])
        for name, key in (("Forwarded", "HTTP_FORWARDED"), ("X-Forwarded-For", "HTTP_X_FORWARDED_FOR"))
        if key in environ
    ]
    try:
        return proxies.client_address(environ.get("REMOTE_ADDR"), forwarding)
    except Refused:
        return ""

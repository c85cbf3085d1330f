"""How do values become HTTP? The one place where failures get a status, and every answer its headers.

Used by the token door (plain WSGI) and by Flask alike, so that they cannot disagree. Nothing a caller sent is ever in
an answer; what we know about an unexpected failure stays in the log, under the request's ID.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask import Flask, Request, Response, request
from werkzeug.exceptions import HTTPException

from tokenserver.domain.client_ip import TrustedProxies
from tokenserver.errors import (
    InvalidInput,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    Refused,
    TokenServerError,
    TooLarge,
    Unavailable,
    UnsupportedMediaType,
)

log = logging.getLogger("tokenserver.http")

Headers = list[tuple[str, str]]
REALM = "tokenserver"
LARGEST_BODY = 64 * 1024

ALWAYS: Headers = [
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
]
"""On every answer that does not say otherwise."""


class Busy(Unavailable):
    public = "Too many requests are being received at the moment. Try again shortly."


class Bodies:
    """WSGI middleware: bounds how many requests may wait for their bodies at a time.

    A body that never comes holds a thread, and nothing can hurry it. Callers who send slowly can so delay each other,
    but not the feed and the probes, for which threads are left. A proxy in front that receives bodies whole before it
    passes them on (nginx does) keeps such callers away altogether.
    """

    def __init__(self, beyond: Callable[..., Iterable[bytes]], places: int) -> None:
        self._beyond = beyond
        self._places = threading.BoundedSemaphore(places)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in {"POST", "PATCH", "PUT"}:
            environ["wsgi.input"] = _Body(environ["wsgi.input"], self._places)
        return self._beyond(environ, start_response)


class _Body:
    """The stream of one request; each read takes a place, and raises Busy when there is none for half a second."""

    __slots__ = ("_places", "_stream")

    def __init__(self, stream: Any, places: threading.BoundedSemaphore) -> None:
        self._stream = stream
        self._places = places

    def read(self, size: int = -1) -> bytes:
        if not self._places.acquire(timeout=0.5):
            raise Busy(detail="too many bodies are being received")
        try:
            found: bytes = self._stream.read(size)
            return found
        finally:
            self._places.release()


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
    text = "" if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    response = Response(text, status, content_type=kind)
    if body is None:
        del response.headers["Content-Type"]
    for name, value in headers:
        response.headers[name] = value
    return response


_OF_STATUS: dict[int, type[Refused]] = {
    404: NotFound,
    405: MethodNotAllowed,
    413: TooLarge,
    415: UnsupportedMediaType,
}
_SPEAK_OAUTH = ("/oauth/", "/.well-known/")
_REQUEST_ID = "tokenserver.request_id"


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
    app.register_error_handler(Exception, _failed)
    app.after_request(_finished)


def _failed(fault: Exception) -> Response:
    """OAuth's errors where OAuth's clients knock (RFC 6749 §5.2), problem documents everywhere else (RFC 9457)."""
    request_id = request_id_of(request.environ)
    failure = named(_of_the_family(fault), request_id)
    headers = failure_headers(failure)
    methods = getattr(fault, "valid_methods", None)
    if methods:
        headers.append(("Allow", ", ".join(sorted(methods))))
    if request.path.startswith(_SPEAK_OAUTH):
        return respond(oauth_failure(failure), failure.status, headers)
    return respond(problem(failure, request_id), failure.status, headers, kind="application/problem+json")


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

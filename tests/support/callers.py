"""The same request by WSGI and by ASGI, each as its server would hand it over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tokenserver.resource import Principal, Require, Verifier, asgi, wsgi

PEER = "192.0.2.1"


@dataclass(frozen=True)
class Request:
    authorization: Sequence[str] = ()
    peer: str | None = PEER
    forwarded: Sequence[tuple[str, str]] = ()
    method: str = "GET"
    path: str = "/"


@dataclass
class Answer:
    """What came back, and the principal that the app saw (None: the app was not called)."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    principal: Principal | None = None

    @property
    def verdict(self) -> tuple[object, ...]:
        return self.status, sorted(self.headers.items()), self.body, self.principal

    @property
    def error(self) -> str | None:
        return json.loads(self.body).get("error") if self.principal is None and self.body else None


Call = Callable[..., Answer]


def seen(handed_over: MutableMapping[str, Any]) -> Principal | None:
    """The principal of an app; an app that is open to all has none."""
    assert wsgi.PRINCIPAL == asgi.PRINCIPAL
    return handed_over.get(wsgi.PRINCIPAL)


def by_wsgi(verifier: Verifier, require: Any, request: Request, **more: Any) -> Answer:
    answer = Answer()

    def app(environ, start_response):
        answer.principal = seen(environ)
        start_response("200 OK", [])
        return [b"the app"]

    def start_response(status, headers, exc_info=None):
        answer.status = int(status.split(" ")[0])
        answer.headers = {name.lower(): value for name, value in headers}

    environ = {"REQUEST_METHOD": request.method, "PATH_INFO": request.path.encode().decode("latin-1")}
    if request.peer is not None:
        environ["REMOTE_ADDR"] = request.peer
    for name, value in [*(("Authorization", value) for value in request.authorization), *request.forwarded]:
        key = f"HTTP_{name.upper().replace('-', '_')}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    answer.body = b"".join(wsgi.TokenMiddleware(app, verifier, require, **more)(environ, start_response))
    return answer


def by_asgi(verifier: Verifier, require: Any, request: Request, **more: Any) -> Answer:
    return asyncio.run(in_loop(verifier, require, request, **more))


async def in_loop(verifier: Verifier, require: Any, request: Request, **more: Any) -> Answer:
    answer = Answer()

    async def app(scope, receive, send):
        answer.principal = seen(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"the app"})

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
        else:
            answer.body += message["body"]

    sent = [*(("Authorization", value) for value in request.authorization), *request.forwarded]
    scope = {
        "type": "http",
        "method": request.method,
        "path": request.path,
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in sent],
        "client": None if request.peer is None else (request.peer, 50_000),
    }
    await asgi.TokenMiddleware(app, verifier, require, **more)(scope, receive, send)
    return answer


CALLS: dict[str, Call] = {"WSGI": by_wsgi, "ASGI": by_asgi}

ANYBODY = Require(any_caller=True)


def bearer(token: str) -> Request:
    return Request((f"Bearer {token}",))

"""ASGI: put `TokenMiddleware` around any ASGI app, and only callers that meet the requirement come through.

    app = TokenMiddleware(app, verifier, Require(roles={"cloud_admin"}, scopes={"reports:read"}))

The app finds the caller in `scope["tokenserver.principal"]`. HTTP requests are checked whatever their method (OPTIONS
and HEAD included) and path, and WebSockets when they open: a refused one is answered over HTTP where the server can do
that (`websocket.http.response`), and otherwise closed with code 1008 before it is accepted. An open WebSocket is not
checked again. `lifespan` passes, and starts the background thread; a scope of any other type is an error.

Waiting for news (`verifier.patience`) lets the event loop go on; it needs asyncio.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from tokenserver.resource.answers import Refusal
from tokenserver.resource.guard import Guard, Presented
from tokenserver.resource.principal import Principal
from tokenserver.resource.require import Require, RequireOf
from tokenserver.resource.verifier import Verifier

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

PRINCIPAL = "tokenserver.principal"
POLICY_VIOLATION = 1008
_FORWARDING = {b"forwarded": "forwarded", b"x-forwarded-for": "x-forwarded-for"}


class TokenMiddleware:
    """The WSGI middleware of the same name takes the same arguments and gives the same verdicts."""

    def __init__(self, app: ASGIApp, verifier: Verifier, require: Require | RequireOf) -> None:
        self.app = app
        self.guard = Guard(verifier, require)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.pop(PRINCIPAL, None)
        kind = scope["type"]
        if kind == "lifespan":
            self.guard.verifier.start()
            return await self.app(scope, receive, send)
        if kind not in {"http", "websocket"}:
            raise ValueError("TokenMiddleware guards http and websocket scopes only")
        outcome = await self._outcome(_presented(scope))
        if isinstance(outcome, Refusal):
            return await (_refuse if kind == "http" else _refuse_websocket)(outcome, scope, receive, send)
        scope[PRINCIPAL] = outcome
        return await self.app(scope, receive, send)

    async def _outcome(self, presented: Presented) -> Principal | Refusal:
        outcome = self.guard.check(presented)
        if isinstance(outcome, Refusal) and outcome.pending is not None:
            patience = self.guard.verifier.patience
            if await patience.wait_in_loop(outcome.pending):
                return self.guard.check(presented)
        return outcome


def _presented(scope: Scope) -> Presented:
    authorization, forwarded = [], []
    for raw_name, value in scope.get("headers", ()):
        name = raw_name.lower()  # they should be in lower case already; not every server knows
        if name == b"authorization":
            authorization.append(value.decode("latin-1"))
        elif name in _FORWARDING:
            forwarded.append((_FORWARDING[name], value.decode("latin-1")))
    client = scope.get("client")
    return Presented(
        authorization, client[0] if client else None, forwarded, scope.get("method", "GET"), _path_inside(scope)
    )


def _path_inside(scope: Scope) -> str:
    path: str = scope.get("path", "")
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and (path == root or path.startswith(f"{root}/")) else path


async def _refuse(refusal: Refusal, scope: Scope, _: Receive, send: Send) -> None:
    await _answer(refusal, send, "http.response", b"" if scope.get("method") == "HEAD" else refusal.body)


async def _refuse_websocket(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    if (await receive())["type"] != "websocket.connect":  # gone already
        return
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await _answer(refusal, send, "websocket.http.response", refusal.body)
    else:
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": "refused"})


async def _answer(refusal: Refusal, send: Send, kind: str, body: bytes) -> None:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in refusal.headers]
    await send({"type": f"{kind}.start", "status": refusal.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": body})

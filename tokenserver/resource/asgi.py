"""ASGI: put `TokenMiddleware` around any ASGI app, and only callers that meet the requirement come through.

    app = TokenMiddleware(app, verifier, Require(roles={"cloud_admin"}, scopes={"reports:read"}))

The app finds the caller in `scope["tokenserver.principal"]`. HTTP requests are checked whatever their method (OPTIONS
and HEAD included) and path, and WebSockets when they open (for a `Policy`: by GET). A refused one is answered over HTTP
where the server can do that (`websocket.http.response`), and otherwise closed with code 1008 before it is accepted.
`lifespan` passes, and starts the background thread; at its end the last report of usage is sent, where there are any. A
scope of any other type is an error.

An open WebSocket lives no longer than its token: it is looked at again with every message, in either direction, and
when the token has expired or was ended, the socket is closed with code 1008 (1013 where that cannot be known), and the
message goes nowhere. An answer over HTTP that has begun is not stopped.

Waiting for news (`verifier.patience`) lets the event loop go on; it needs asyncio.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from tokenserver.resource.answers import Answer, Refusal
from tokenserver.resource.guard import OVERRIDING, Guard, Presented
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
TRY_AGAIN_LATER = 1013
_DEEPEST = 20
_NOWHERE = "*"
"""Instead of a path that holds the root path, but not in front: some routers take off what is before it as well
(Litestar), others nothing. To a policy it names nothing.
"""
_FORWARDING = {b"forwarded": "forwarded", b"x-forwarded-for": "x-forwarded-for"}
_READ = frozenset((b"authorization", *_FORWARDING, *(name.encode() for name in OVERRIDING)))


class TokenMiddleware:
    """The WSGI middleware of the same name takes the same arguments and gives the same verdicts."""

    def __init__(
        self,
        app: ASGIApp,
        verifier: Verifier,
        require: Require | RequireOf,
        *,
        metadata: bool | Mapping[str, object] = False,
        explain: bool = False,
    ) -> None:
        self.app = app
        self.guard = Guard(verifier, require, metadata=metadata, explain=explain)
        self._counts = verifier.usage is not None
        self._root_path = _root_path_of(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.pop(PRINCIPAL, None)
        kind = scope["type"]
        if kind == "lifespan":
            self.guard.verifier.start()
            return await self.app(scope, self._leaving(receive), send)
        if kind not in {"http", "websocket"}:
            raise ValueError("TokenMiddleware guards http and websocket scopes only")
        presented = presented_in(scope, self._root_path, routed=self.guard.routed)
        outcome = self.guard.check(presented)
        if isinstance(outcome, Refusal) and outcome.pending is not None:
            outcome = await self.guard.outcome_in_loop(presented)
        elif self._counts:
            self.guard.count(presented, outcome)
        if isinstance(outcome, Answer):
            return await (_refuse if kind == "http" else _refuse_websocket)(outcome, scope, receive, send)
        if outcome is None:
            return await self.app(scope, receive, send)
        scope[PRINCIPAL] = outcome
        if kind == "websocket":
            socket = _Socket(self.guard, presented, receive, send)
            return await self.app(scope, socket.receive, socket.send)
        return await self.app(scope, receive, send)

    def _leaving(self, receive: Receive) -> Receive:
        """Many a server ends its processes after `lifespan.shutdown` without letting the interpreter do it."""
        usage = self.guard.verifier.usage
        if usage is None:
            return receive

        async def received() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await _beside_the_loop(usage.leave)
            return message

        return received


class _Socket:
    """An open WebSocket, for as long as its token is live."""

    def __init__(self, guard: Guard, presented: Presented, receive: Receive, send: Send) -> None:
        self._guard, self._presented = guard, presented
        self._receive, self._send = receive, send
        self._closed: int | None = None

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] != "websocket.receive" or await self._is_live():
            return message
        return {"type": "websocket.disconnect", "code": self._closed, "reason": "refused"}

    async def send(self, message: Message) -> None:
        if message["type"] == "websocket.send" and not await self._is_live():
            raise ConnectionAbortedError("the token of this WebSocket has ended")
        if self._closed is None:
            await self._send(message)

    async def _is_live(self) -> bool:
        if self._closed is not None:
            return False
        outcome = await self._guard.outcome_in_loop(self._presented, counts=False)
        if isinstance(outcome, Principal) or self._closed is not None:
            return self._closed is None
        unknown = isinstance(outcome, Answer) and outcome.status == 503
        self._closed = TRY_AGAIN_LATER if unknown else POLICY_VIOLATION
        await self._send({"type": "websocket.close", "code": self._closed, "reason": "refused"})
        return False


def presented_in(scope: Scope, root_path: str = "", *, routed: bool) -> Presented:
    authorization, forwarded, method = [], [], scope.get("method", "GET")
    for raw_name, value in scope.get("headers", ()):
        name = raw_name.lower()  # they should be in lower case already; not every server knows
        if name not in _READ:
            continue
        if name == b"authorization":
            authorization.append(value.decode("latin-1"))
        elif name in _FORWARDING:
            forwarded.append((_FORWARDING[name], value.decode("latin-1")))
        else:
            method = ""
    client = scope.get("client")
    peer = client[0] if client else None
    if not routed:
        return Presented(authorization, peer, forwarded)
    root, path = root_path or scope.get("root_path", ""), scope.get("path", "")
    if root and (path == root or path.startswith(f"{root}/")):
        path = path[len(root) :]
    elif root and root != "/" and not root_path and root in path:
        path = _NOWHERE
    return Presented(authorization, peer, forwarded, method, path, root)


def _root_path_of(app: object) -> str:
    """FastAPI puts its own `root_path` into the scope, and finds its routes by what follows it, only further in; and
    Django takes `FORCE_SCRIPT_NAME` off the path, whatever the scope says.
    """
    django = sys.modules.get("django.core.handlers.asgi")
    for _ in range(_DEEPEST):
        root = getattr(app, "root_path", None)
        if django is not None and isinstance(app, django.ASGIHandler):
            root = django.settings.FORCE_SCRIPT_NAME
        if isinstance(root, str) and root:
            return root
        app = getattr(app, "app", None)
    return ""


async def _beside_the_loop(work: Callable[[], None]) -> None:
    import asyncio  # noqa: PLC0415  20 ms at import, and where it is used it is there already

    try:
        asyncio.get_running_loop()
    except RuntimeError:  # trio, say
        work()
    else:
        await asyncio.to_thread(work)


async def _refuse(answer: Answer, scope: Scope, _: Receive, send: Send) -> None:
    await _answer(answer, send, "http.response", b"" if scope.get("method") == "HEAD" else answer.body)


async def _refuse_websocket(answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
    if (await receive())["type"] != "websocket.connect":  # gone already
        return
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await _answer(answer, send, "websocket.http.response", answer.body)
    else:
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": "refused"})


async def _answer(answer: Answer, send: Send, kind: str, body: bytes) -> None:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers]
    await send({"type": f"{kind}.start", "status": answer.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": body})

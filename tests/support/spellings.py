"""Paths that somebody could take for `/admin`, before they are decoded, and a policy that closes it above all else;
and how a server hands them over."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import unquote

from tests.support.callers import ANYBODY, PEER
from tokenserver.resource import Policy, Require

CLOSED_BELOW = Policy([("*", "/admin/**", Require(roles={"cloud_admin"})), ("*", "/**", ANYBODY)])

METHODS = ["GET", "HEAD", "OPTIONS", "POST", "get", "PROPFIND"]

SPELLINGS = [
    *("/admin", "/admin/", "/admin/x", "//admin", "/admin//x", "/./admin", "/x/../admin", "/%61dmin", "/%2561dmin"),
    *("/ADMIN", "/admin;x=1", "/;x/admin", "/admin%20", "/admin%00", "/admin%2fx", "/x%2f..%2fadmin", "/%5cadmin"),
    *("/up/admin", "/up//admin", "/up/up/admin", "/up/%61dmin", "/admin%3fx", "/%EF%BD%81dmin", "/admin."),
]


def spelled(app: Any, method: str, target: str, authorization: str, root_path: str = "") -> None:
    """A request, as a server hands it to an ASGI app that changes nothing; clients like to tidy up."""

    to_come = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not to_come:
            await asyncio.Event().wait()  # the caller stays
        return to_come.pop()

    async def send(_: Any) -> None:
        pass

    scope = {
        "type": "http",
        "method": method,
        "path": unquote(target),
        "raw_path": target.encode(),
        "root_path": root_path,
        "query_string": b"",
        "headers": [(b"host", b"api"), (b"authorization", authorization.encode())],
        "client": (PEER, 50_000),
        "server": ("api", 80),
        "scheme": "http",
        "http_version": "1.1",
    }
    asyncio.run(app(scope, receive, send))

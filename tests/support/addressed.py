"""An API with tokens that are held to an address, `HELD_TO`; both forms, `wsgi_app` and `asgi_app`, for real servers.

`/token` gives one. `/alone` believes nobody about addresses, `/behind` a proxy on this machine; each tells 200 or 403,
and `X-Peer` is the address that the server has told. What `/alone` reports of its use goes to the file that
`REPORTED_TO` names, a line for each report.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.transports import RealTime
from tokenserver.clock import HOUR
from tokenserver.resource import Policy, Require, UsageReports, Verifier, asgi, wsgi
from tokenserver.resource.testing import FakeIssuer

HELD_TO = "198.51.100.7"
POLICY = Policy([("GET", "/token", Policy.OPEN), ("GET", "/{which}", Require(any_caller=True))])
ISSUER = FakeIssuer(clock=RealTime())


def taken(url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> tuple[int, bytes]:
    if url.endswith("/oauth/token"):
        return 200, b'{"access_token": "x", "expires_in": 900}'
    with Path(os.environ["REPORTED_TO"]).open("ab") as file:
        file.write(body + b"\n")
    return 200, b"{}"


REPORTS = UsageReports(client_id="tsc_x", secret="x", instance="x", interval=HOUR, post=taken)
ALONE: Verifier = ISSUER.verifier(background=True, reports=REPORTS if "REPORTED_TO" in os.environ else None)
BEHIND: Verifier = ISSUER.verifier(background=True, trusted_proxies=["127.0.0.0/8"])


def page() -> bytes:
    return ISSUER.token(allowed_ips=f"{HELD_TO}/32").encode()


def by_wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Peer", environ.get("REMOTE_ADDR") or "none")])
    return [page()]


async def by_asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        for stage in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{stage}.complete"})
        return
    peer = (scope.get("client") or ["none"])[0].encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-peer", peer)]})
    await send({"type": "http.response.body", "body": page()})


_WSGI = [wsgi.TokenMiddleware(by_wsgi, verifier, POLICY) for verifier in (ALONE, BEHIND)]
_ASGI = [asgi.TokenMiddleware(by_asgi, verifier, POLICY) for verifier in (ALONE, BEHIND)]


def wsgi_app(environ: dict[str, Any], start_response: Any) -> Any:
    return _WSGI[environ["PATH_INFO"] == "/behind"](environ, start_response)


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    await _ASGI[scope.get("path") == "/behind"](scope, receive, send)

"""A protected API as a process: `python -m tests.support.protected wsgi|asgi PORT OPTIONS`.

`/any` takes every caller with a live token, `/reader` the role `reader`, `/admin` the role `cloud_admin`, `/write` the
scope `reports:write`, `/billing` the project `billing`, `/production` that environment. OPTIONS is JSON with the
arguments of the Verifier; `reports` has those of UsageReports, and `credential` two texts.
"""

from __future__ import annotations

import json
import sys
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIServer, make_server

import uvicorn

from tokenserver.resource import Require, UsageReports, Verifier, asgi, wsgi

ROUTES = {
    "/any": Require(any_caller=True),
    "/reader": Require(roles={"reader"}),
    "/admin": Require(roles={"cloud_admin"}),
    "/write": Require(scopes={"reports:write"}),
    "/billing": Require(project="billing"),
    "/production": Require(environment="production"),
}


def required(_method: str, path: str) -> Require | None:
    return ROUTES.get(path)


def wsgi_api(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["tokenserver.principal"].client_id.encode()]


async def asgi_api(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": scope["tokenserver.principal"].client_id.encode()})


class Threading(ThreadingMixIn, WSGIServer):
    daemon_threads = True


def main(kind: str, port: int, options: dict[str, Any]) -> None:
    reports = options.pop("reports", None)
    if reports is not None:
        options["reports"] = UsageReports(**reports)
    if "credential" in options:
        options["credential"] = tuple(options["credential"])
    verifier = Verifier(trusted_proxies=["127.0.0.0/8"], **options)
    if kind == "asgi":
        app: Any = asgi.TokenMiddleware(asgi_api, verifier, required)
        uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", lifespan="off")
        return
    with make_server("127.0.0.1", port, wsgi.TokenMiddleware(wsgi_api, verifier, required), Threading) as server:
        server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]))

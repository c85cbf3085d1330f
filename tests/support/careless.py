"""An API behind a policy whose router is as careless as can be: it takes a path for whatever any program could.

`/token` gives a token without any role. Whoever gets `the admin page` with it has slipped past the policy. Both forms,
`wsgi_app` and `asgi_app`, are run by real servers.
"""

from __future__ import annotations

import posixpath
import unicodedata
from typing import Any
from urllib.parse import unquote

from tests.support.transports import RealTime
from tokenserver.resource import Policy, Require, asgi, wsgi
from tokenserver.resource.testing import FakeIssuer

POLICY = Policy(
    [
        ("GET", "/token", Policy.OPEN),
        ("GET POST", "/admin/**", Require(roles={"cloud_admin"})),
        ("*", "/admin/**", Require(roles={"nobody_has_this"})),
        ("*", "/**", Require(any_caller=True)),
    ]
)
ISSUER = FakeIssuer(clock=RealTime())
VERIFIER = ISSUER.verifier(background=True)


def readings(path: str) -> set[str]:
    """What careless programs take a path for, alone and one behind the other."""
    found = {path}
    for read in (
        unquote,
        unquote,
        lambda text: unicodedata.normalize("NFKC", text),
        str.lower,
        posixpath.normpath,
        lambda text: text.replace("\\", "/"),
        lambda text: text.replace("//", "/"),
        lambda text: "/".join(segment.partition(";")[0] for segment in text.split("/")),
        lambda text: "/" + text.strip("/ "),
        posixpath.normpath,
        lambda text: text.partition("?")[0],
        lambda text: text.partition("#")[0],
        lambda text: text.partition(";")[0],
        lambda text: "/".join(segment.rstrip(". ") for segment in text.split("/")),
        lambda text: text.partition("://")[2].partition("/")[2] if "://" in text else text,
    ):
        found |= {read(text) for text in found}
    return found


def page(path: str, *, open_to_all: bool) -> bytes:
    taken_for = {"/" + reading.strip("/") for reading in readings(path)}
    if any(reading == "/admin" or reading.startswith("/admin/") for reading in taken_for):
        return b"the admin page"
    return ISSUER.token().encode() if open_to_all else b"a page"


def routed_by_wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    body = page(path, open_to_all=wsgi.PRINCIPAL not in environ)
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Page", body.decode())])
    return [body]


async def routed_by_asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body = page(scope["path"], open_to_all=asgi.PRINCIPAL not in scope)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-page", body)]})
    await send({"type": "http.response.body", "body": body})


wsgi_app = wsgi.TokenMiddleware(routed_by_wsgi, VERIFIER, POLICY)
asgi_app = asgi.TokenMiddleware(routed_by_asgi, VERIFIER, POLICY)

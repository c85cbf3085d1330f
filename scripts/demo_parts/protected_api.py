"""What does an API look like that checks our tokens? This one: a WSGI app of two routes, with the middleware in front.

python scripts/demo_parts/protected_api.py ISSUER AUDIENCE PORT
"""

from __future__ import annotations

import sys
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from tokenserver.resource import Require, Verifier
from tokenserver.resource.wsgi import TokenMiddleware

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse


def reports(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """The API itself: it knows its caller and nothing of tokens."""
    caller = environ["tokenserver.principal"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"reports for {caller.client_id}, generation {caller.generation}\n".encode()]


def required(_method: str, path: str) -> Require | None:
    """What each route requires; everything else is closed."""
    return {
        "/reports": Require(roles={"report_reader"}, scopes={"reports:read"}),
        "/admin": Require(roles={"cloud_admin"}),
    }.get(path)


class ThreadingServer(ThreadingMixIn, WSGIServer):
    """The standard library's server, with a thread for each request."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """Keeps the story readable."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name it has there
        """Nothing."""


def main(issuer: str, audience: str, port: int) -> None:
    verifier = Verifier(issuer=issuer, audience=audience, poll_interval=1.0)
    verifier.start()
    app = TokenMiddleware(reports, verifier, required)
    with make_server("127.0.0.1", port, app, server_class=ThreadingServer, handler_class=Quiet) as server:
        server.serve_forever()


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    except KeyboardInterrupt:
        sys.exit(0)

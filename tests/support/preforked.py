"""A WSGI server that loads its app and asks it before it forks: `python -m tests.support.preforked MODULE:APP PORT`.

As gunicorn does with `--preload`, and uWSGI unless told otherwise. The thread of the verifier runs before the fork, and
each of two processes must hear of what ended by itself. `X-Worker` says which one has answered.
"""

from __future__ import annotations

import importlib
import os
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIApplication

PROCESSES = 2


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def named(app: WSGIApplication) -> WSGIApplication:
    def answer(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, [*headers, ("X-Worker", str(os.getpid()))], *more)

        return app(environ, start)

    return answer


def warm(app: WSGIApplication) -> None:
    """A request before the fork, so that whatever is made at the first one is made here."""
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/reports",
        "SERVER_NAME": "warm",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_AUTHORIZATION": "Bearer warm.warm.warm",
        "wsgi.url_scheme": "http",
        "wsgi.input": sys.stdin.buffer,
        "wsgi.errors": sys.stderr,
    }
    for _ in app(environ, lambda *_: lambda _: None):
        pass


def main(name: str, port: int) -> None:
    sys.path.insert(0, str(Path.cwd()))
    module, _, attribute = name.partition(":")
    app = getattr(importlib.import_module(module), attribute)
    warm(app)
    listening = socket.create_server(("127.0.0.1", port), backlog=64)
    for _ in range(PROCESSES - 1):
        if os.fork() == 0:
            break
    server = WSGIServer(("127.0.0.1", port), Quiet, bind_and_activate=False)
    server.socket.close()
    server.socket, server.server_name, server.server_port = listening, "127.0.0.1", port
    server.setup_environ()
    server.set_app(named(app))
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

"""In front of a real token server: lets requests through, but for those whose paths a test has shut."""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding"}


class Weir:
    """`shut` is a set of beginnings of paths; who asks for one finds the connection closed, without an answer."""

    def __init__(self, port_behind: int) -> None:
        self.shut: frozenset[str] = frozenset()
        weir = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                self.close_connection = True
                if not any(self.path.startswith(shut) for shut in weir.shut):
                    self._pass_on()

            def _pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                behind = http.client.HTTPConnection("127.0.0.1", port_behind, timeout=30)
                try:
                    behind.request(self.command, self.path, body or None, dict(self.headers))
                    answer = behind.getresponse()
                    read = answer.read()
                finally:
                    behind.close()
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in _HOP_BY_HOP:
                        self.send_header(name, value)
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(read)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

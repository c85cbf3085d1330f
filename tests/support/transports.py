"""Between a verifier and an issuer in memory: a witness, a gate, the real time, and real HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from tokenserver.resource.fetching import Response
from tokenserver.resource.testing import FakeClock, FakeIssuer


class Asked(NamedTuple):
    url: str
    headers: Mapping[str, str]
    timeout: float


class Witness:
    """Writes down what is asked, and hands it on."""

    def __init__(self, issuer: FakeIssuer) -> None:
        self._issuer = issuer
        self.asked: list[Asked] = []

    def __call__(self, url: str, headers: Mapping[str, str], timeout: float) -> Response:
        self.asked.append(Asked(url, headers, timeout))
        return self._issuer.fetch(url, headers, timeout)


class Gate:
    """Answers only while it is open."""

    def __init__(self, issuer: FakeIssuer) -> None:
        self._issuer = issuer
        self.opened = threading.Event()
        self.entered = threading.Event()

    def __call__(self, url: str, headers: Mapping[str, str], timeout: float) -> Response:
        self.entered.set()
        if not self.opened.wait(20):
            raise TimeoutError
        return self._issuer.fetch(url, headers, timeout)


class RealTime(FakeClock):
    """For tests with threads."""

    def __call__(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


@contextmanager
def over_http() -> Iterator[FakeIssuer]:
    """An issuer in memory that can be asked over HTTP, in real time."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = issuer.fetch(f"{issuer.name}{self.path}", {}, 5)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        issuer = FakeIssuer(f"http://127.0.0.1:{server.server_port}", clock=RealTime())
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield issuer
        server.shutdown()

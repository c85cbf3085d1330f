"""How is a guarded app called without a server around it? As WSGI and ASGI servers do, in this thread.

The verifier is a real one with its background thread; only its issuer is in memory. Tokens carry roles, scopes and
three ranges of addresses. What is measured is processor time of the calling thread, so that neighbours on the machine
count as little as possible.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tokenserver.clock import monotonic, utc_now
from tokenserver.resource import Require, Verifier, asgi, wsgi
from tokenserver.resource.testing import FakeClock, FakeIssuer

REQUIRE = Require(roles={"cloud_admin"}, scopes={"reports:read"})
ALLOWED = ["192.0.2.1 - 192.0.3.254", "198.51.100.0/24", "2001:db8::/32"]
HERE, THERE = "192.0.2.77", "198.51.100.8"
_BODY = b"ok"

Call = Callable[[str, str], object]
"""A request with a token, from an address; returns the body."""
Wrapped = tuple[Call, Call]
"""The app alone, and behind the middleware."""


class RealClock(FakeClock):
    """The fake issuer's clock, showing the real time."""

    def __call__(self) -> float:
        return utc_now()

    def monotonic(self) -> float:
        return monotonic()


def by_wsgi(verifier: Verifier) -> Wrapped:
    def app(_: dict[str, Any], start: Any) -> Iterable[bytes]:
        start("200 OK", [("Content-Length", "2")])
        return [_BODY]

    return wsgi_call(app), wsgi_call(wsgi.TokenMiddleware(app, verifier, REQUIRE))


def wsgi_call(called: Any) -> Call:
    """GET /reports of a WSGI app; raises ValueError for an answer that is not 200."""
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/reports", "SERVER_NAME": "api", "wsgi.url_scheme": "https"}
    environ |= {"SERVER_PORT": "443", "QUERY_STRING": "", "SCRIPT_NAME": ""}

    def start_response(status: str, headers: object, _: object = None, /) -> Any:
        if not status.startswith("200"):
            raise ValueError(f"{status} {headers}")

    def call(token: str, address: str) -> object:
        return called({**environ, "HTTP_AUTHORIZATION": token, "REMOTE_ADDR": address}, start_response)

    return call


def by_asgi(verifier: Verifier) -> Wrapped:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message.get("status", 200) != 200:
            raise ValueError(str(message["status"]))

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": _BODY})

    def calling(called: Any) -> Call:
        scope = {"type": "http", "method": "GET", "path": "/reports", "scheme": "https", "root_path": ""}

        def call(token: str, address: str) -> object:
            headers = [(b"host", b"api"), (b"authorization", token.encode("ascii"))]
            try:  # nothing here ever waits, so that no event loop is needed, nor measured
                called({**scope, "headers": headers, "client": (address, 4711)}, receive, send).send(None)
            except StopIteration:
                return [_BODY]
            raise ValueError("it waits")

        return call

    return calling(app), calling(asgi.TokenMiddleware(app, verifier, REQUIRE))


def headers_of(issuer: FakeIssuer, count: int, credentials: int | None = None) -> Iterator[str]:
    """Headers with tokens, of as many credentials unless told otherwise."""
    for number in range(count):
        token = issuer.token(
            client_id=f"tsc_{number % (credentials or count):022d}",
            roles={"cloud_admin", "auditor"},
            scopes={"reports:read", "reports:write"},
            allowed_ips=ALLOWED,
        )
        yield f"Bearer {token}"


@contextmanager
def verifying(issuer: FakeIssuer, **settings: Any) -> Iterator[Verifier]:
    """With a thread of its own that polls every second, as in production; it knows of 100 credentials that ended."""
    for number in range(100):
        issuer.regenerate(f"tsc_ended{number:017d}")
    verifier = issuer.verifier(background=True, clock=utc_now, monotonic=monotonic, **settings)
    with verifier:
        if not verifier.ready(timeout=10):
            raise TimeoutError("the verifier never got its first news")
        yield verifier


def each_of(call: Call, asked: Iterable[tuple[str, str]]) -> None:
    for header, address in asked:
        call(header, address)


def seconds_of(work: Callable[[], None]) -> float:
    begun = time.thread_time()
    work()
    return time.thread_time() - begun


def in_turn(rounds: int, works: Mapping[str, Callable[[], None]]) -> dict[str, list[float]]:
    spent: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            spent[name].append(seconds_of(work))
    return spent

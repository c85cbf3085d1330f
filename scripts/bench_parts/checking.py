"""What does checking a token cost a resource server? The middleware around an app that does nothing, in process.

In processor time of the calling thread, so that neighbours on the machine count as little as possible; parts take
turns, and the median of the rounds is reported. The verifier is a real one with its background thread; only its issuer
is in memory. Tokens carry roles, scopes and three ranges of addresses.

- *seen*: the verifier has proven the token before. Every request is from another address than the one before it with
  that token, or from the same one; both are reported, and the bar is held by the dearer.
- *new*: each token is checked once, against a bare `jwt.decode` of the same tokens that looks at signature, issuer,
  audience and times, and at nothing else.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import jwt

from scripts.bench_parts.figures import Bar, Control, Figure
from scripts.bench_parts.plan import Plan
from tokenserver.clock import monotonic, utc_now
from tokenserver.resource import Require, Verifier, asgi, wsgi
from tokenserver.resource.testing import FakeClock, FakeIssuer

_REQUIRE = Require(roles={"cloud_admin"}, scopes={"reports:read"})
_ALLOWED = ["192.0.2.1 - 192.0.3.254", "198.51.100.0/24", "2001:db8::/32"]
_HERE, _THERE = "192.0.2.77", "198.51.100.8"
_SEEN = 100
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


def measure(plan: Plan) -> list[Figure]:
    issuer = FakeIssuer(clock=RealClock())
    rounds, calls = (3, 300) if plan.smoke else (15, 5000)
    figures: list[Figure] = []
    for name, make in (("WSGI", by_wsgi), ("ASGI", by_asgi)):
        with _verifier(issuer, most_tokens=100_000) as verifier:
            wrapped = make(verifier)
            figures += _seen(issuer, wrapped, name, rounds, calls)
            figures.append(_new(issuer, wrapped, name, rounds, max(20, calls // 10)))
    return figures


def by_wsgi(verifier: Verifier) -> Wrapped:
    def start_response(status: str, headers: object, /) -> Any:
        if not status.startswith("200"):
            raise ValueError(f"{status} {headers}")

    def app(_: dict[str, Any], start: Any) -> Iterable[bytes]:
        start("200 OK", [("Content-Length", "2")])
        return [_BODY]

    def calling(called: Any) -> Call:
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/reports", "SERVER_NAME": "api", "wsgi.url_scheme": "https"}

        def call(token: str, address: str) -> object:
            return called({**environ, "HTTP_AUTHORIZATION": token, "REMOTE_ADDR": address}, start_response)

        return call

    return calling(app), calling(wsgi.TokenMiddleware(app, verifier, _REQUIRE))


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

    return calling(app), calling(asgi.TokenMiddleware(app, verifier, _REQUIRE))


def _seen(issuer: FakeIssuer, wrapped: Wrapped, name: str, rounds: int, calls: int) -> list[Figure]:
    bare, guarded = wrapped
    headers = list(_headers(issuer, _SEEN))
    figures = []
    for kind, addresses in (("other addresses each time", (_HERE, _THERE)), ("the same address", (_HERE, _HERE))):
        asked = [(header, address) for address in addresses for header in headers]
        for header, address in asked:
            guarded(header, address)
        again = list(itertools.islice(itertools.cycle(asked), calls))
        spent = _in_turn(rounds, {"bare": partial(_each, bare, again), "guarded": partial(_each, guarded, again)})
        costs = [1e6 * (with_it - without) / calls for without, with_it in zip(*spent.values(), strict=True)]
        bar = Bar(at_most=5) if name == "WSGI" else None
        what = f"{name}: a token seen before, from {kind}"
        detail = {"microseconds": [round(cost, 2) for cost in costs]}
        also = f"best round {min(costs):.1f} µs"
        figures.append(Figure("checking", what, statistics.median(costs), "µs", bar, None, also, detail))
    return figures


def _new(issuer: FakeIssuer, wrapped: Wrapped, name: str, rounds: int, calls: int) -> Figure:
    bare, guarded = wrapped
    key, fresh = issuer.signing_key.verifying.public, _headers(issuer, rounds * calls)
    batches = [list(itertools.islice(fresh, calls)) for _ in range(rounds)]
    asked = {place: [(header, _HERE) for header in batch] for place, batch in enumerate(batches)}

    def decode(batch: Sequence[str]) -> None:
        for header in batch:
            token = header.removeprefix("Bearer ")
            jwt.decode(token, key, algorithms=["ES256"], audience=issuer.audience, issuer=issuer.name)

    spent: dict[str, list[float]] = {"bare": [], "guarded": [], "PyJWT": []}
    for place, batch in enumerate(batches):
        spent["bare"].append(_timed(partial(_each, bare, asked[place])))
        spent["guarded"].append(_timed(partial(_each, guarded, asked[place])))
        spent["PyJWT"].append(_timed(partial(decode, batch)))
    rows = zip(spent["guarded"], spent["bare"], spent["PyJWT"], strict=True)
    ratios = [(with_it - without) / alone for with_it, without, alone in rows]
    cost = 1e6 * statistics.median(a - b for a, b in zip(spent["guarded"], spent["bare"], strict=True)) / calls
    control = Control("bare jwt.decode", 1e6 * statistics.median(spent["PyJWT"]) / calls)
    bar = Bar(at_most=1.25, of="ratio") if name == "WSGI" else None
    detail = {"ratios": [round(ratio, 3) for ratio in ratios]}
    return Figure("checking", f"{name}: a new token", cost, "µs", bar, control, "", detail)


def _headers(issuer: FakeIssuer, count: int) -> Iterator[str]:
    """Headers with tokens of as many credentials."""
    for number in range(count):
        token = issuer.token(
            client_id=f"tsc_{number:022d}",
            roles={"cloud_admin", "auditor"},
            scopes={"reports:read", "reports:write"},
            allowed_ips=_ALLOWED,
        )
        yield f"Bearer {token}"


@contextmanager
def _verifier(issuer: FakeIssuer, **settings: Any) -> Iterator[Verifier]:
    """With a thread of its own that polls every second, as in production; it knows of 100 credentials that ended."""
    for number in range(100):
        issuer.regenerate(f"tsc_ended{number:017d}")
    verifier = issuer.verifier(background=True, **settings)
    with verifier:
        if not verifier.ready(timeout=10):
            raise TimeoutError("the verifier never got its first news")
        yield verifier


def _each(call: Call, asked: Iterable[tuple[str, str]]) -> None:
    for header, address in asked:
        call(header, address)


def _timed(work: Callable[[], None]) -> float:
    begun = time.thread_time()
    work()
    return time.thread_time() - begun


def _in_turn(rounds: int, works: Mapping[str, Callable[[], None]]) -> dict[str, list[float]]:
    spent: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            spent[name].append(_timed(work))
    return spent

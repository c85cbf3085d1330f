"""What does telling of its use cost a resource server's requests? With reports and without, in turns, in process.

Requests come from a hundred credentials and two addresses, and the route is told. The batches are handed in to a server
in memory, by the background thread, as often as by default.
"""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial

from scripts.bench_parts.figures import Bar, Figure
from scripts.bench_parts.guarded import (
    HERE,
    THERE,
    RealClock,
    by_asgi,
    by_wsgi,
    each_of,
    headers_of,
    in_turn,
    verifying,
)
from scripts.bench_parts.load import Broken
from scripts.bench_parts.plan import Plan
from tokenserver.resource import UsageReports
from tokenserver.resource.testing import FakeIssuer

_CREDENTIALS = 100


def measure(plan: Plan) -> list[Figure]:
    issuer = FakeIssuer(clock=RealClock())
    rounds, calls = (3, 300) if plan.smoke else (31, 5000)
    figures = []
    for name, make in (("WSGI", by_wsgi), ("ASGI", by_asgi)):
        with ExitStack() as stack:
            desk = _Desk()
            reports = UsageReports(client_id="tsc_bench", secret="x", instance="bench", route_of=_route_of, post=desk)
            silent = stack.enter_context(verifying(issuer))
            telling = stack.enter_context(verifying(issuer, reports=reports))
            ways = {"silent": make(silent)[1], "telling": make(telling)[1]}
            asked = [(header, place) for place in (HERE, THERE) for header in headers_of(issuer, _CREDENTIALS)]
            again = list(itertools.islice(itertools.cycle(asked), calls))
            for way in ways.values():
                each_of(way, asked)
            spent = in_turn(rounds, {kind: partial(each_of, way, again) for kind, way in ways.items()})
            telling.stop()
        if not desk.told:
            raise Broken("nothing was reported")
        costs = [1e6 * (b - a) / calls for a, b in zip(spent["silent"], spent["telling"], strict=True)]
        detail = {"microseconds": [round(cost, 2) for cost in costs]}
        what, also = f"{name}: usage reports, for each request", f"{desk.told:,} requests told"
        figures.append(Figure("reporting", what, statistics.median(costs), "µs", Bar(at_most=2), None, also, detail))
    return figures


class _Desk:
    """The server, as far as reports go."""

    def __init__(self) -> None:
        self.told = 0

    def __call__(self, url: str, _headers: Mapping[str, str], body: bytes, _timeout: float) -> tuple[int, bytes]:
        if url.endswith("/oauth/token"):
            return 200, b'{"access_token": "x", "token_type": "Bearer", "expires_in": 900}'
        self.told += sum(use["count"] for use in json.loads(body)["uses"])
        return 200, b"{}"


def _route_of(method: str, _path: str) -> str:
    return f"{method} /reports"

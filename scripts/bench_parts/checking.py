"""What does checking a token cost a resource server? The middleware around an app that does nothing, in process.

In processor time of the calling thread; parts take turns, and the median of the rounds is reported.

- *seen*: the verifier has proven the token before. Every request is from another address than the one before it with
  that token, or from the same one; both are reported, and the bar is held by the dearer.
- *new*: each token is checked once, against a bare `jwt.decode` of the same tokens that looks at signature, issuer,
  audience and times, and at nothing else.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from functools import partial

import jwt

from scripts.bench_parts.figures import Bar, Control, Figure
from scripts.bench_parts.guarded import (
    HERE,
    THERE,
    RealClock,
    Wrapped,
    by_asgi,
    by_wsgi,
    each_of,
    headers_of,
    in_turn,
    seconds_of,
    verifying,
)
from scripts.bench_parts.plan import Plan
from tokenserver.resource.testing import FakeIssuer

_SEEN = 100


def measure(plan: Plan) -> list[Figure]:
    issuer = FakeIssuer(clock=RealClock())
    rounds, calls = (3, 300) if plan.smoke else (15, 5000)
    figures: list[Figure] = []
    for name, make in (("WSGI", by_wsgi), ("ASGI", by_asgi)):
        with verifying(issuer, most_tokens=100_000) as verifier:
            wrapped = make(verifier)
            figures += _seen(issuer, wrapped, name, rounds, calls)
            figures.append(_new(issuer, wrapped, name, rounds, max(20, calls // 10)))
    return figures


def _seen(issuer: FakeIssuer, wrapped: Wrapped, name: str, rounds: int, calls: int) -> list[Figure]:
    bare, guarded = wrapped
    headers = list(headers_of(issuer, _SEEN))
    figures = []
    for kind, addresses in (("other addresses each time", (HERE, THERE)), ("the same address", (HERE, HERE))):
        asked = [(header, address) for address in addresses for header in headers]
        for header, address in asked:
            guarded(header, address)
        again = list(itertools.islice(itertools.cycle(asked), calls))
        spent = in_turn(rounds, {"bare": partial(each_of, bare, again), "guarded": partial(each_of, guarded, again)})
        costs = [1e6 * (with_it - without) / calls for without, with_it in zip(*spent.values(), strict=True)]
        what = f"{name}: a token seen before, from {kind}"
        detail = {"microseconds": [round(cost, 2) for cost in costs]}
        also = f"best round {min(costs):.1f} µs"
        figures.append(Figure("checking", what, statistics.median(costs), "µs", Bar(at_most=5), None, also, detail))
    return figures


def _new(issuer: FakeIssuer, wrapped: Wrapped, name: str, rounds: int, calls: int) -> Figure:
    bare, guarded = wrapped
    key, fresh = issuer.signing_key.verifying.public, headers_of(issuer, rounds * calls)
    batches = [list(itertools.islice(fresh, calls)) for _ in range(rounds)]
    asked = {place: [(header, HERE) for header in batch] for place, batch in enumerate(batches)}

    def decode(batch: Sequence[str]) -> None:
        for header in batch:
            token = header.removeprefix("Bearer ")
            jwt.decode(token, key, algorithms=["ES256"], audience=issuer.audience, issuer=issuer.name)

    spent: dict[str, list[float]] = {"bare": [], "guarded": [], "PyJWT": []}
    for place, batch in enumerate(batches):
        spent["bare"].append(seconds_of(partial(each_of, bare, asked[place])))
        spent["guarded"].append(seconds_of(partial(each_of, guarded, asked[place])))
        spent["PyJWT"].append(seconds_of(partial(decode, batch)))
    rows = zip(spent["guarded"], spent["bare"], spent["PyJWT"], strict=True)
    ratios = [(with_it - without) / alone for with_it, without, alone in rows]
    cost = 1e6 * statistics.median(a - b for a, b in zip(spent["guarded"], spent["bare"], strict=True)) / calls
    control = Control("bare jwt.decode", 1e6 * statistics.median(spent["PyJWT"]) / calls)
    bar = Bar(at_most=1.25, of="ratio")
    detail = {"ratios": [round(ratio, 3) for ratio in ratios]}
    return Figure("checking", f"{name}: a new token", cost, "µs", bar, control, "", detail)

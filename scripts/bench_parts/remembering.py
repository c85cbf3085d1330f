"""How much memory do 100,000 live tokens take in a resource server? The middleware, in a process of its own.

Each token is checked once, and all are still live at the end. They are of 10,000 credentials, all of which the issuer
in memory knows from the beginning. How many a verifier remembers is its `most_tokens`: by default 10,000, so that its
memory is bounded whatever comes; one that is to remember all of them says so. Such a one is asked again for tokens
drawn at random: what it knows of them is no longer in the processor's caches.
"""

from __future__ import annotations

import gc
import json
import os
import random
import statistics
import subprocess
import sys
from functools import partial
from typing import Any

from scripts.bench_parts.figures import Bar, Figure
from scripts.bench_parts.guarded import HERE, RealClock, by_wsgi, each_of, headers_of, in_turn, verifying
from scripts.bench_parts.plan import Plan, Skipped
from scripts.bench_parts.processes import ROOT, clean_environment
from scripts.bench_parts.shares import resident_mebibytes
from tokenserver.resource.cache import MOST_TOKENS
from tokenserver.resource.testing import FakeIssuer

_CREDENTIALS = 10_000
_DRAWN = 5000


def measure(plan: Plan) -> list[Figure]:
    tokens = 2_000 if plan.smoke else 100_000
    if resident_mebibytes(os.getpid()) is None:
        raise Skipped("the memory of a process is read from /proc, which is not here")
    bounded, whole = _in_a_process(tokens, MOST_TOKENS), _in_a_process(tokens, tokens)
    flat = Bar(at_most=5) if tokens > 2 * MOST_TOKENS else None  # before, it has still to fill
    each = 1024 * whole["mebibytes"] / tokens
    more = f"{each:.1f} KiB a token"
    drawn = f"a token seen before, one of {tokens:,} at random"
    return [
        Figure(
            "remembering", f"memory for {tokens:,} tokens, by default", bounded["mebibytes"], "MiB", Bar(at_most=64)
        ),
        Figure("remembering", "its growth in the second half", bounded["second_half"], "MiB", flat),
        Figure("remembering", f"memory that remembers all {tokens:,}", whole["mebibytes"], "MiB", None, None, more),
        Figure("remembering", drawn, whole["microseconds"], "µs"),
    ]


def _in_a_process(tokens: int, most: int) -> dict[str, float]:
    command = [sys.executable, "-m", "scripts.bench_parts.remembering", str(tokens), str(most)]
    done = subprocess.run(command, cwd=ROOT, env=clean_environment(), check=True, stdout=subprocess.PIPE, timeout=600)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _remembered(tokens: int, most: int) -> dict[str, Any]:
    """Mebibytes by which this process has grown, and microseconds for a token that it has seen."""
    issuer = FakeIssuer(clock=RealClock())
    with verifying(issuer, most_tokens=most) as verifier:
        bare, guarded = by_wsgi(verifier)
        for header in headers_of(issuer, _CREDENTIALS):
            bare(header, HERE)
        each_of(guarded, [(header, HERE) for header in headers_of(issuer, 10)])
        begun = half = _resident()
        for number, header in enumerate(headers_of(issuer, tokens, _CREDENTIALS)):
            guarded(header, HERE)
            if number == tokens // 2:
                half = _resident()
        end = _resident()
        known = list(verifier.judge.texts_proven)  # type: ignore[call-overload]  # a view of a dictionary's keys
        drawn = [(f"Bearer {token}", HERE) for token in random.choices(known, k=_DRAWN)]
        spent = in_turn(5, {"bare": partial(each_of, bare, drawn), "guarded": partial(each_of, guarded, drawn)})
    costs = [1e6 * (b - a) / len(drawn) for a, b in zip(spent["bare"], spent["guarded"], strict=True)]
    return {"mebibytes": end - begun, "second_half": end - half, "microseconds": statistics.median(costs)}


def _resident() -> float:
    gc.collect()
    return resident_mebibytes(os.getpid()) or 0.0


if __name__ == "__main__":
    print(json.dumps(_remembered(int(sys.argv[1]), int(sys.argv[2]))))

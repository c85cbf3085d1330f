"""Does the server's memory stay where it is? The worker's resident memory, while it issues token after token.

"Flat" is read as: what it grows by from halfway to the end is at most 5 MiB. (Until halfway, the database's page cache
and the allocator's pools may fill.)
"""

from __future__ import annotations

from typing import Any

from scripts.bench_parts.contest import Contestant
from scripts.bench_parts.figures import Bar, Figure
from scripts.bench_parts.installing import install
from scripts.bench_parts.load import Broken, drive
from scripts.bench_parts.plan import CONNECTIONS, FEW, Plan, Skipped
from scripts.bench_parts.servers import our_server
from scripts.bench_parts.shares import family, resident_mebibytes

_POINTS = 20
_LONGEST = 1800.0
"""Seconds after which it is enough, however slow the machine."""


def measure(plan: Plan) -> list[Figure]:
    tokens = 2_000 if plan.smoke else 1_000_000 if plan.full else 100_000
    with our_server(plan, "memory", install(plan.folder("memory"), FEW)) as ours:
        points = _points(plan, ours, tokens)
    issued, end = points[-1]
    half = next(memory for count, memory in points if count >= issued / 2)
    detail: dict[str, Any] = {"tokens_and_mebibytes": [(count, round(memory, 2)) for count, memory in points]}
    second_half = (issued - next(count for count, _ in points if count >= issued / 2)) / 1e6
    slope = (end - half) / second_half if second_half else 0.0
    also = f"{points[0][1]:.1f} MiB before the first"
    return [
        Figure("memory", f"worker's memory after {issued:,} tokens", end, "MiB", Bar(at_most=150), None, also, detail),
        Figure(
            "memory",
            "its growth in the second half",
            end - half,
            "MiB",
            Bar(at_most=5),
            None,
            f"{slope:+.1f} MiB a million",
        ),
    ]


def _points(plan: Plan, ours: Contestant, tokens: int) -> list[tuple[int, float]]:
    """Tokens issued so far, and the memory of the worker then."""
    points, issued, spent = [(0, _worker_memory(ours))], 0, 0.0
    seconds = 0.2
    while issued < tokens and spent < _LONGEST:
        load = drive(ours.port, ours.requests, CONNECTIONS[0], seconds)
        if load.not_tokens:
            raise Broken(f"{load.not_tokens} answers are no tokens, as: {load.an_odd_answer!r}")
        issued, spent = issued + load.answered, spent + load.seconds
        seconds = max(0.2, min(tokens / _POINTS, tokens - issued) / load.rate)
        points.append((issued, _worker_memory(ours)))
        if len(points) % 5 == 0:
            plan.say(f"{issued:,} tokens: {points[-1][1]:.1f} MiB")
    return points


def _worker_memory(ours: Contestant) -> float:
    """Of the process below the master that holds most: the worker (the other is Python's resource tracker)."""
    known = [resident_mebibytes(pid) for pid in family([ours.pid]) if pid != ours.pid]
    found = [memory for memory in known if memory is not None]
    if not found:
        raise Skipped("the memory of a process is read from /proc, which is not here")
    return max(found)

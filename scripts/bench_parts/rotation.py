"""What do rotations on schedule cost those who ask for tokens? A hundred thousand credentials that are due at once.

One server, asked for tokens all the time, in pairs of measurements: in one nothing is due, in the other everything is.
Between them the due moments of all are moved by a lifetime, away and back. What was rotated is counted in the database.
"""

from __future__ import annotations

import json
import sqlite3
import statistics
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from scripts.bench_parts.figures import Bar, Control, Figure
from scripts.bench_parts.installing import install
from scripts.bench_parts.load import Broken, Load, drive
from scripts.bench_parts.plan import CONNECTIONS, Plan
from scripts.bench_parts.servers import our_server
from tokenserver.clock import DAY, utc_now
from tokenserver.domain.schedule import RotationSchedule

DUE = 100_000
_A_LIFETIME = 20 * 365 * DAY
_PATIENCE = 30.0


@dataclass(frozen=True)
class Pair:
    """Tokens with nothing due, tokens with everything due, and what was rotated a second meanwhile."""

    alone: Load
    beside: Load
    rotated: float

    @property
    def ratio(self) -> float:
        return self.beside.rate / self.alone.rate


def measure(plan: Plan) -> list[Figure]:
    due = min(DUE, plan.credentials)
    installation = install(plan.folder("rotation"), due)
    database = installation.home / "tokenserver.db"
    _schedule(database)
    connections = CONNECTIONS[0]
    pairs = []
    with our_server(plan, "rotation", installation) as ours:
        drive(ours.port, ours.requests, connections, min(1.0, plan.seconds))
        for _ in range(plan.rounds):
            alone = drive(ours.port, ours.requests, connections, plan.seconds)
            _move(database, -_A_LIFETIME)
            _wait_until_it_works(database)
            before, began = _rotations(database), time.monotonic()
            beside = drive(ours.port, ours.requests, connections, plan.seconds)
            rotated = (_rotations(database) - before) / (time.monotonic() - began)
            _move(database, _A_LIFETIME)
            pairs.append(Pair(alone, beside, rotated))
            plan.say(f"tokens {alone.rate:,.0f}/s alone, {beside.rate:,.0f}/s beside {rotated:,.0f} rotations/s")
    return _figures(pairs, due)


def _figures(pairs: Sequence[Pair], due: int) -> list[Figure]:
    rotated = statistics.median(pair.rotated for pair in pairs)
    alone, beside = (statistics.median(load.rate for load in loads) for loads in zip(*map(_loads, pairs), strict=True))
    p99 = [
        1000 * statistics.median(load.latency(0.99) for load in loads)
        for loads in zip(*map(_loads, pairs), strict=True)
    ]
    ratio = statistics.median(pair.ratio for pair in pairs)
    control = Control("nothing due", alone, ratio)
    detail = {"rotated": [round(pair.rotated, 1) for pair in pairs], "ratios": [round(p.ratio, 3) for p in pairs]}
    return [
        Figure("rotation", f"rotations, {due:,} due", rotated, "/s", Bar(at_least=200), detail=detail),
        Figure("rotation", "tokens meanwhile", beside, "/s", Bar(at_least=0.8, of="ratio"), control),
        Figure("rotation", "tokens meanwhile, p99", p99[1], "ms", None, Control("nothing due", p99[0])),
    ]


def _loads(pair: Pair) -> tuple[Load, Load]:
    return pair.alone, pair.beside


def _schedule(database: Path) -> None:
    """Everybody rotates; nobody in this life."""
    schedule = json.dumps(asdict(RotationSchedule(90, 14 * DAY)))
    at = int(utc_now()) - DAY + _A_LIFETIME
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE credential SET rotation_schedule = ?, rotate_at = ?", (schedule, at))


def _move(database: Path, by: int) -> None:
    with closing(sqlite3.connect(database, timeout=_PATIENCE)) as connection, connection:
        connection.execute("UPDATE credential SET rotate_at = rotate_at + ? WHERE rotate_at IS NOT NULL", (by,))


def _rotations(database: Path) -> int:
    with closing(sqlite3.connect(database, timeout=_PATIENCE)) as connection:
        return int(connection.execute("SELECT count(*) FROM rotation").fetchone()[0])


def _wait_until_it_works(database: Path) -> None:
    before, deadline = _rotations(database), time.monotonic() + _PATIENCE
    while _rotations(database) == before:
        if time.monotonic() > deadline:
            raise Broken("nothing is rotated though everything is due")
        time.sleep(0.05)

"""Does the number of credentials matter? A million against a thousand, in turns, drawn from at random.

The big database takes minutes to make, so it is kept below var/bench between runs, under the digest of its schema, and
every run works on a copy.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import time
from contextlib import ExitStack, closing
from pathlib import Path

from scripts.bench_parts.contest import in_turn
from scripts.bench_parts.figures import Bar, Figure
from scripts.bench_parts.installing import Installation, found, install
from scripts.bench_parts.issuing import rate_figure
from scripts.bench_parts.plan import CONNECTIONS, FEW, Plan
from scripts.bench_parts.servers import our_server

_DATABASE = "tokenserver.db"


def measure(plan: Plan) -> list[Figure]:
    few = install(plan.folder("few"), min(FEW, plan.credentials))
    many = _many(plan, few.home / _DATABASE)
    names = (f"{min(FEW, plan.credentials):,} credentials", f"{plan.credentials:,} credentials")
    connections = CONNECTIONS[0]
    with ExitStack() as stack:
        contestants = [
            stack.enter_context(our_server(plan, name, one)) for name, one in zip(names, (few, many), strict=True)
        ]
        outcomes = in_turn(plan, contestants, connections)
    small, big = (outcomes[name] for name in names)
    what = f"tokens on SQLite, {names[1]}, {connections} connections"
    return [rate_figure("million", what, big, Bar(at_least=0.9, of="ratio"), (names[0], small))]


def _many(plan: Plan, like: Path) -> Installation:
    """A copy of the kept installation, which is made first if there is none of this schema and size."""
    name = f"credentials-{plan.credentials}-"
    kept = plan.kept / (name + _schema(like))
    if not kept.exists():
        plan.say(f"making {plan.credentials:,} credentials; they are kept in {kept}")
        begun = time.monotonic()
        for old in plan.kept.glob(f"{name}*"):  # of another schema, or never finished
            shutil.rmtree(old)
        draft = plan.kept / f"{name}draft"
        install(draft, plan.credentials)
        draft.rename(kept)
        plan.say(f"made in {time.monotonic() - begun:.0f} s")
    home = plan.folder("many")
    shutil.copytree(kept, home, dirs_exist_ok=True)
    with (home / _DATABASE).open("rb+") as copy:
        os.fsync(copy.fileno())  # or the disk would still be busy with it while we measure
    return found(home)


def _schema(database: Path) -> str:
    with closing(sqlite3.connect(database)) as connection:
        statements = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name, type")
        return hashlib.sha256("\n".join(row[0] for row in statements).encode()).hexdigest()[:12]

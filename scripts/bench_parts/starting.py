"""How long until a start answers `/readyz`? `scripts/serve` itself, from the command to the first 200.

Nothing is pinned: whoever starts a server has the whole machine for it. The first start also makes the database and the
keys; every later one is what the bar is about. A .env file in the checkout counts, as it would for anybody.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from scripts.bench_parts.figures import Bar, Figure
from scripts.bench_parts.plan import Plan
from scripts.bench_parts.processes import ROOT, clean_environment, free_port, started, wait_until_ready

_STARTS = 7


def measure(plan: Plan) -> list[Figure]:
    home = plan.folder("starting")
    first = _seconds_to_ready(plan, home)
    later = [_seconds_to_ready(plan, home) for _ in range(2 if plan.smoke else _STARTS)]
    detail = {"seconds": [round(one, 3) for one in later]}
    also = f"{len(later)} starts, slowest {max(later):.2f} s"
    return [
        Figure(
            "starting",
            "scripts/serve until /readyz answers",
            statistics.median(later),
            "s",
            Bar(at_most=2),
            None,
            also,
            detail,
        ),
        Figure("starting", "the first start, which makes database and keys", first, "s"),
    ]


def _seconds_to_ready(plan: Plan, home: Path) -> float:
    port, log = free_port(), home / "log"
    environment = clean_environment(TOKENSERVER_HOME=str(home))
    begun = time.perf_counter()
    command = [str(ROOT / "scripts" / "serve"), "--port", str(port)]
    cores = plan.placing.everything
    with started(command, environment=environment, log=log, folder=ROOT, cores=cores) as process:
        wait_until_ready(port, "/readyz", process, log)
        return time.perf_counter() - begun

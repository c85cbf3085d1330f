"""How fast is it? `scripts/bench` runs the parts, prints a table and writes JSON. See docs/benchmarks.md.

It ends with 0 however slow everything was, and with 1 when something could not be run to its end: a benchmark is not a
test. Ctrl-C ends it and all it has started.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from scripts.bench_parts import (
    asking,
    auditing,
    breakdown,
    checking,
    comparing,
    console,
    ending,
    importing,
    issuing,
    listing,
    machine,
    memory,
    million,
    postgres,
    remembering,
    reporting,
    rivals,
    rotation,
    starting,
)
from scripts.bench_parts.placing import placing_here, stay_on
from scripts.bench_parts.plan import Part, Plan, Skipped
from scripts.bench_parts.processes import ROOT
from scripts.bench_parts.report import Report
from scripts.bench_parts.scratch import scratch

PARTS: dict[str, Part] = {
    "checking": checking.measure,
    "authlib": comparing.with_authlib,
    "flask-jwt-extended": comparing.with_flask_jwt_extended,
    "remembering": remembering.measure,
    "reporting": reporting.measure,
    "importing": importing.measure,
    "asking": asking.measure,
    "breakdown": breakdown.measure,
    "issuing": issuing.measure,
    "million": million.measure,
    "postgres": postgres.measure,
    "listing": listing.measure,
    "console": console.measure,
    "ending": ending.measure,
    "rotation": rotation.measure,
    "starting": starting.measure,
    "memory": memory.measure,
    "audit": auditing.measure,
    "rival": rivals.measure,
}


def main(words: Sequence[str] | None = None) -> int:
    asked = _asked(words)
    signal.signal(signal.SIGTERM, _leave)
    kept = ROOT / "var" / "bench"
    for ours in (kept.parent, kept):  # closed to others, as the server makes it
        ours.mkdir(mode=0o700, exist_ok=True)
    try:
        with scratch(kept, "run") as folder:
            plan = _plan(asked, kept, folder)
            stay_on(plan.placing.generator)
            facts = machine.facts(folder, plan.placing)
            _introduce(facts, plan)
            report = run(plan, _chosen(asked))
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    facts["load_average_after"] = machine.load_average()
    facts["signature_microseconds_after"] = machine.signature_microseconds()
    print(report.in_words())
    path = Path(asked.json)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report.as_json(facts, plan), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"Load average {facts['load_average']} before, {facts['load_average_after']} after; written to {path}")
    return 1 if report.failed else 0


def run(plan: Plan, names: Sequence[str]) -> Report:
    """Every part by itself: one that fails leaves the others their turn."""
    report = Report()
    for name in names:
        print(f"== {name}", file=sys.stderr, flush=True)
        begun = time.monotonic()
        try:
            report.figures += PARTS[name](plan)
        except Skipped as reason:
            report.skipped[name] = str(reason)
        except Exception as fault:  # noqa: BLE001  it is shown, and counts
            traceback.print_exc()
            report.failed[name] = f"{type(fault).__name__}: {fault}"
        report.seconds[name] = round(time.monotonic() - begun, 1)
    return report


def _asked(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures what the promises say, and more.")
    parser.add_argument("--smoke", action="store_true", help="every part for a moment: whether it works, not how fast")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"some of: {', '.join(PARTS)}")
    parser.add_argument("--rival", action="store_true", help="other servers from npm beside ours (needs Node.js)")
    parser.add_argument("--full", action="store_true", help="memory over a million tokens rather than 100,000")
    parser.add_argument("--wrk", action="store_true", help="cross-check the load generator with wrk")
    parser.add_argument("--seconds", type=float, metavar="N", help="of each measurement (default 2)")
    parser.add_argument("--rounds", type=int, metavar="N", help="of which the median is taken (default 7)")
    parser.add_argument("--credentials", type=int, metavar="N", help="that are many (default 1,000,000)")
    parser.add_argument("--json", default="var/bench.json", metavar="FILE", help="default var/bench.json")
    return parser.parse_args(words)


def _plan(asked: argparse.Namespace, kept: Path, folder: Path) -> Plan:
    smoke = asked.smoke
    return Plan(
        kept=kept,
        scratch=folder,
        placing=placing_here(),
        seconds=asked.seconds or (0.3 if smoke else 2.0),
        rounds=asked.rounds or (1 if smoke else 7),
        credentials=asked.credentials or (5000 if smoke else 1_000_000),
        smoke=smoke,
        full=asked.full,
        wrk=asked.wrk,
    )


def _chosen(asked: argparse.Namespace) -> list[str]:
    if asked.only:
        return [name for name in PARTS if name in asked.only]
    return [name for name in PARTS if name != "rival" or asked.rival]


def _introduce(facts: dict[str, Any], plan: Plan) -> None:
    fsync = facts["fsync_microseconds"]
    plan.say(f"{facts['processor']}, {facts['cores']} cores; {facts['placing']}")
    plan.say(f"fsync {fsync['median']:.0f} µs (p99 {fsync['p99']:.0f}), ES256 {facts['signature_microseconds']:.0f} µs")
    if not plan.placing.apart:
        plan.say("the server and its load share their cores: every rate is too low")


def _leave(*_: object) -> NoReturn:
    sys.exit(143)  # unwinds through every `with`, as Ctrl-C does


if __name__ == "__main__":
    sys.exit(main())

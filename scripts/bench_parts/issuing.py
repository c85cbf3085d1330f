"""How many tokens a second, and how long does one take? Against a view and a WSGI function that only sign.

On SQLite with `synchronous=FULL`: when the generator has its answer, the audit line is on the disk. Afterwards the
lines are counted, so that a server that answered before it wrote would be found out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from scripts.bench_parts import wrk
from scripts.bench_parts.contest import Contestant, Outcome, in_turn
from scripts.bench_parts.controls import KEYS
from scripts.bench_parts.figures import Bar, Control, Figure
from scripts.bench_parts.installing import Installation, install
from scripts.bench_parts.load import Broken
from scripts.bench_parts.plan import CONNECTIONS, FEW, Plan
from scripts.bench_parts.processes import clean_environment, free_port, python, started, wait_until_ready
from scripts.bench_parts.servers import our_server, token_requests, tokens_on_record

OURS = "SQLite"
FLASK, WSGI = "bare Flask view", "bare WSGI"
_THREADS = "16"


def measure(plan: Plan) -> list[Figure]:
    installation = install(plan.folder("issuing"), FEW)
    figures: list[Figure] = []
    answered = 0
    with ExitStack() as stack:
        ours = stack.enter_context(our_server(plan, OURS, installation))
        flask = stack.enter_context(control(plan, FLASK, "flask_view", installation))
        wsgi = stack.enter_context(control(plan, WSGI, "plain_wsgi", installation))
        for connections in CONNECTIONS:
            outcomes = in_turn(plan, (ours, flask, wsgi), connections)
            answered += outcomes[OURS].answered
            figures += _figures(outcomes, connections)
            if plan.wrk:
                figures += wrk.cross_check(plan, ours, connections, outcomes[OURS].rate)
    recorded = tokens_on_record(installation.home / "tokenserver.db")
    if recorded < answered:
        raise Broken(f"{answered} tokens were answered, and {recorded} are on record")
    return figures


@contextmanager
def control(plan: Plan, name: str, application: str, installation: Installation) -> Iterator[Contestant]:
    """A control on the server's core, asked the very same requests."""
    port, folder = free_port(), plan.folder(f"control-{application}")
    log = folder / "log"
    words = ("--interface", "wsgi", "--port", str(port), "--workers", "1", "--blocking-threads", _THREADS)
    quiet = ("--log-level", "warning", f"scripts.bench_parts.controls:{application}")
    command, environment = python("granian", *words, *quiet), clean_environment()
    with started(command, environment=environment, log=log, folder=folder, cores=plan.placing.server) as process:
        wait_until_ready(port, KEYS, process, log)
        yield Contestant(name, port, process.pid, token_requests(installation.clients, port), keys=KEYS)


def rate_figure(
    part: str, what: str, outcome: Outcome, bar: Bar | None = None, against: tuple[str, Outcome] | None = None
) -> Figure:
    """A rate with its latencies beside it."""
    told = f"p50 {outcome.milliseconds(0.5):.1f} ms, p99 {outcome.milliseconds(0.99):.1f} ms"
    control = Control(against[0], against[1].rate, outcome.ratio_to(against[1])) if against is not None else None
    beside = {against[0]: against[1].detail()} if against is not None else {}
    return Figure(part, what, outcome.rate, "/s", bar, control, told, {**outcome.detail(), **beside})


def _figures(outcomes: Mapping[str, Outcome], connections: int) -> Sequence[Figure]:
    ours, wsgi, what = outcomes[OURS], outcomes[WSGI], f"{connections} connections"
    against_wsgi = Control(WSGI, wsgi.rate, ours.ratio_to(wsgi))
    least = Bar(at_least=5000, aim=8000)
    figures = [
        rate_figure("issuing", f"tokens on SQLite, {what}", ours, least, (FLASK, outcomes[FLASK])),
        Figure(
            "issuing", "the same, against plain WSGI", ours.rate, "/s", None, against_wsgi, detail={WSGI: wsgi.detail()}
        ),
    ]
    if connections == CONNECTIONS[0]:
        p99 = ours.milliseconds(0.99)
        beside = Control(FLASK, outcomes[FLASK].milliseconds(0.99))
        figures.append(Figure("issuing", f"p99 on SQLite, {what}", p99, "ms", Bar(at_most=25), beside))
    return figures

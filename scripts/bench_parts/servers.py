"""How is our server run for a measurement? As anybody would run it: `python -m app serve`, one worker, a real disk."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from scripts.bench_parts.contest import Contestant
from scripts.bench_parts.installing import SCOPE, Client, Installation
from scripts.bench_parts.plan import Plan
from scripts.bench_parts.processes import free_port, python, started, wait_until_ready

FORM = f"grant_type=client_credentials&scope={quote(SCOPE)}"


@contextmanager
def our_server(plan: Plan, name: str, installation: Installation) -> Iterator[Contestant]:
    """Our server on the server's core."""
    port, folder = free_port(), plan.folder(f"server-{name.replace(' ', '-')}")
    log = folder / "log"
    environment = installation.environment(TOKENSERVER_PORT=str(port), TOKENSERVER_WORKERS="1")
    command = python("app", "serve")
    with started(command, environment=environment, log=log, folder=folder, cores=plan.placing.server) as process:
        wait_until_ready(port, "/readyz", process, log)
        yield Contestant(name, port, process.pid, token_requests(installation.clients, port))


def token_requests(clients: Iterable[Client], port: int, path: str = "/oauth/token", more: str = "") -> list[bytes]:
    """The bytes of a token request for each client: HTTP Basic, and a form that asks for one scope."""
    form = (FORM + more).encode()
    return [
        b"POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Basic %s\r\nAccept: application/json\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s"
        % (path.encode(), port, base64.b64encode(f"{client_id}:{secret}".encode()), len(form), form)
        for client_id, secret in clients
    ]


def tokens_on_record(database: Path) -> int:
    """How many tokens the audit log of an SQLite installation knows to have been issued."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        query = 'SELECT count(*) FROM audit_event WHERE line LIKE \'%"event":"token:issued"%\''
        return int(connection.execute(query).fetchone()[0])

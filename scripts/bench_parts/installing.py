"""How does an installation with a thousand or a million credentials come to be, quickly and as the store has them?

The rows are made from one credential by the store's own functions, and differ in client ID, name, age and secret only.
Each may be used from three ranges (this machine is in one of them), holds a role and two scopes of one API: so every
token request is checked against a restriction of each kind.
"""

from __future__ import annotations

import json
import os
import random
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from flask import Flask
from sqlalchemy import insert, select

from app import create_services
from app.services import Services
from app.services.catalogue import ApiDraft, RoleDraft
from app.services.ids import new_id
from app.settings import load
from app.store.models import CredentialRow, CredentialSecretRow
from app.store.rows import credential_columns, secret_row
from scripts.bench_parts.processes import clean_environment
from tokenserver.clock import DAY, utc_now
from tokenserver.domain.catalogue import Kind, Scope
from tokenserver.domain.credential import Credential, CredentialSecret
from tokenserver.domain.generation import Generation
from tokenserver.domain.restrictions import Access, AllowedIPs, Grant, Restrictions
from tokenserver.domain.secret import digest, hint, new_client_id, new_secret

AUDIENCE = "https://api.example.com"
ROLE = "cloud_admin"
SCOPE = "reports:read"
INTROSPECT = "tokens:introspect"
ALLOWED = "127.0.0.0/8, 192.0.2.1 - 192.0.3.254, 2001:db8::/32"
MOST_CLIENTS = 100_000
"""So many clients, drawn from all, ask for tokens: more than there are requests in a measurement."""

_SECRETS = "secrets.json"
_DIFFERENT_SECRETS = 1000
_ROWS_AT_A_TIME = 20_000

Client = tuple[str, str]


UNREACHED = "address=1000000000/minute, feed=1000000000/minute"
"""Limits that nobody reaches: counting is part of what is measured."""


@dataclass(frozen=True)
class Installation:
    """Where one is, and with what its tokens can be asked for."""

    home: Path
    database_url: str
    clients: Sequence[Client]
    administrator: Client

    def environment(self, **more: str) -> dict[str, str]:
        """For a process that shall run it."""
        told = {"TOKENSERVER_HOME": str(self.home), "TOKENSERVER_DATABASE_URL": self.database_url}
        return clean_environment(**told, TOKENSERVER_RATE_LIMITS=UNREACHED, **more)


def install(home: Path, credentials: int, database_url: str = "") -> Installation:
    """A migrated installation with so many credentials; on SQLite below `home` unless told otherwise."""
    home.mkdir(parents=True, exist_ok=True)
    url = database_url or f"sqlite:///{home / 'tokenserver.db'}"
    with opened(home, url) as services:
        services.installation.migrate()
        caller = services.installation.prepare()
        scopes = (
            Scope(SCOPE, Kind.READ),
            Scope("reports:write", Kind.WRITE),
            Scope(INTROSPECT, Kind.READ, sensitive=True),
        )
        services.catalogue.create_api(caller, ApiDraft(AUDIENCE, "Example", scopes))
        services.catalogue.create_role(caller, RoleDraft(ROLE, "", None))
        secrets = [new_secret().reveal() for _ in range(_DIFFERENT_SECRETS)]
        _write_privately(home / _SECRETS, json.dumps(secrets))
        _fill(services, credentials, caller.organization_id, secrets)
    return found(home, url)


def found(home: Path, database_url: str = "") -> Installation:
    """The installation that `install` has made there, with a fresh administrator."""
    url = database_url or f"sqlite:///{home / 'tokenserver.db'}"
    secrets = json.loads((home / _SECRETS).read_text(encoding="utf-8"))
    with opened(home, url) as services:
        made = services.installation.bootstrap(again=True)
        administrator = (made.client_id or "", made.secret.reveal() if made.secret is not None else "")
        with services.store.engine.connect() as connection:
            everybody = select(CredentialRow.client_id).where(CredentialRow.created_by == "bench")
            ids = list(connection.scalars(everybody))
    random.shuffle(ids)
    clients = [(client_id, _secret_of(client_id, secrets)) for client_id in ids[:MOST_CLIENTS]]
    return Installation(home, url, clients, administrator)


@contextmanager
def opened(home: Path, database_url: str) -> Iterator[Services]:
    """The services of the installation, in this process."""
    environ: Mapping[str, str] = {"TOKENSERVER_HOME": str(home), "TOKENSERVER_DATABASE_URL": database_url}
    services = create_services(Flask("bench"), load(environ, dotenv=None))
    try:
        yield services
    finally:
        if services.store.on_sqlite:
            with services.store.engine.connect() as connection:
                connection.exec_driver_sql("COMMIT")  # a checkpoint does not run inside a transaction
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
                connection.exec_driver_sql("BEGIN")
        services.store.engine.dispose()


def _fill(services: Services, count: int, organization_id: str, secrets: Sequence[str]) -> None:
    """Rows in the order of their keys, so that the trees grow at their end: a hundred times faster at the millionth."""
    now = int(utc_now())
    pepper = services.peppers[0]
    pattern = _pattern(organization_id, now, pepper.id)
    columns, secret_columns = credential_columns(pattern), _columns_of(secret_row(pattern.secrets[0], pattern))
    client_ids = sorted(new_client_id() for _ in range(count))
    secret_ids = sorted(new_id("sec") for _ in range(count))
    for start in range(0, count, _ROWS_AT_A_TIME):
        batch = list(zip(client_ids, secret_ids, strict=True))[start : start + _ROWS_AT_A_TIME]
        with services.store.engine.begin() as connection:
            named = [(one, f"bench {number:07}") for number, (one, _) in enumerate(batch, start)]
            rows_of_credentials = [
                {**columns, "client_id": one, "name": name, "name_key": name, "created_at": now - number}
                for number, (one, name) in enumerate(named, start)
            ]
            connection.execute(insert(CredentialRow), rows_of_credentials)
            rows = [
                {
                    **secret_columns,
                    "id": secret_id,
                    "client_id": client_id,
                    "digest": digest(client_id, _secret_of(client_id, secrets), pepper),
                }
                for client_id, secret_id in batch
            ]
            connection.execute(insert(CredentialSecretRow), rows)
    if not services.store.on_sqlite:
        with services.store.engine.begin() as connection:  # autovacuum does it by itself, within a minute
            connection.exec_driver_sql("ANALYZE")


def _pattern(organization_id: str, now: int, pepper_id: str) -> Credential:
    secret = CredentialSecret("", b"", pepper_id, hint(new_secret()), now)
    terms = Restrictions(
        allowed_ips=AllowedIPs.parse(ALLOWED),
        roles=frozenset({ROLE}),
        grants=(Grant(AUDIENCE, Access.CUSTOM, frozenset({SCOPE, "reports:write"})),),
        expires_at=now + 365 * DAY,
    )
    made = Credential("", organization_id, "bench", terms, Generation(), (secret,), now, "bench")
    return replace(made, description="Made by scripts/bench.")


def _columns_of(row: CredentialSecretRow) -> dict[str, object]:
    return {column.name: getattr(row, column.name) for column in CredentialSecretRow.__table__.columns}


def _secret_of(client_id: str, secrets: Sequence[str]) -> str:
    return secrets[zlib.crc32(client_id.encode()) % len(secrets)]


def _write_privately(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)

"""How are credentials read and tokens remembered, at thousands a second? One transaction for many requests.

Requests that wait at the same moment share one transaction: one SELECT of their credentials, one multi-row INSERT of
their audit lines, one commit, which is on disk before any of them is answered. The generation is read in the
transaction that records the token, so that no token is minted on terms that a confirmed change has ended.

This file speaks to the driver directly: on this path the query compiler costs more than the query. Its SQL is plain,
and its two dialects differ in three statements. After any failure the connection is thrown away and a new chain
begun, since a commit whose reply was lost may or may not have happened, and a chain must never fork.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from app.store.database import Store, StoreUnavailable, unavailable_when_broken
from app.store.high_water import HighWater
from app.store.rows import grants_from, networks_from, roles_from
from tokenserver.domain.audit import Entry, Head, Line, chained
from tokenserver.domain.credential import Credential, CredentialSecret, SecretState
from tokenserver.domain.generation import Generation
from tokenserver.domain.grant import Organization
from tokenserver.domain.restrictions import AllowedIPs, Restrictions

MOST_NETWORK_LISTS = 64

_COLUMNS = """
    c.client_id, c.organization_id, c.name, c.project, c.environment, c.roles, c.grants, c.allowed_ips,
    c.token_lifetime, c.expires_at, c.gen_current, c.gen_floor, c.gen_next_floor, c.gen_next_floor_at,
    c.disabled_at, c.revoked_at, c.created_at, c.version,
    o.gen_current, o.gen_floor, o.gen_next_floor, o.gen_next_floor_at, o.suspended_at,
    s.id, s.digest, s.pepper_id, s.state, s.expires_at, u.at
"""
_SELECT = f"""
    SELECT {_COLUMNS} FROM credential c
    JOIN organization o ON o.id = c.organization_id
    JOIN credential_secret s ON s.client_id = c.client_id AND s.state <> 'ended'
    LEFT JOIN last_use u ON u.secret_id = s.id
    WHERE c.deleted_at IS NULL AND c.client_id
"""  # noqa: S608  the text is all ours; values are bound
_COUNTERS = "SELECT value FROM counter WHERE name IN ('catalogue', 'feed') ORDER BY name"
_NETWORKS = "SELECT ranges FROM network_list WHERE digest = {0}"
_INSERT = "INSERT INTO audit_event (chain, seq, organization_id, at, line, hash) VALUES "
_HEAD = """
    INSERT INTO audit_chain (chain, seq, hash) VALUES ({0}, {0}, {0})
    ON CONFLICT (chain) DO UPDATE SET seq = excluded.seq, hash = excluded.hash
"""
_LAST_USE = """
    INSERT INTO last_use (secret_id, at, address) VALUES ({0}, {0}, {0})
    ON CONFLICT (secret_id) DO UPDATE SET at = excluded.at, address = excluded.address
"""


@dataclass(slots=True)
class Known:
    """A credential as the transaction sees it, its organization, and when each secret was last used."""

    credential: Credential
    organization: Organization
    last_use: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class GroupTransaction:
    """What the work inside one group transaction may read, and what it leaves to be remembered."""

    known: dict[str, Known]
    catalogue_version: int
    entries: list[Entry] = field(default_factory=list)
    uses: dict[str, tuple[int, str]] = field(default_factory=dict)


class IssuingStore:
    """One per process. `group` is called by one thread at a time."""

    def __init__(self, store: Store, high_water: HighWater) -> None:
        self._store = store
        self._high_water = high_water
        self._mark = "?" if store.on_sqlite else "%s"
        self._connection: Any = None
        self._head = Head("")
        self._networks: dict[str, AllowedIPs] = {}
        self._row = f"({', '.join([self._mark] * 6)})"

    @contextlib.contextmanager
    def group(self, client_ids: Sequence[str]) -> Iterator[GroupTransaction]:
        """One transaction: what is left in it on leaving is on disk afterwards, or StoreUnavailable is raised."""
        with self._store.write_turn, unavailable_when_broken(), self._own_connection() as connection:
            cursor = connection.cursor()
            if self._store.on_sqlite:
                cursor.execute("BEGIN IMMEDIATE")
            (catalogue_version,), (seq,) = cursor.execute(_COUNTERS).fetchall()
            self._high_water.see(seq)
            work = GroupTransaction(self._select(cursor, client_ids), catalogue_version)
            yield work
            head = self._remember(cursor, work)
            if self._store.on_sqlite:
                cursor.execute("COMMIT")
            else:
                connection.commit()
            self._head = head

    @contextlib.contextmanager
    def _own_connection(self) -> Iterator[Any]:
        try:
            if self._connection is None:
                self._connection = self._store.engine.raw_connection()
                self._head = Head("issued-" + secrets.token_hex(8))
            yield self._connection.driver_connection
        except BaseException as fault:
            self._abandon()
            driver = self._store.engine.dialect.loaded_dbapi
            if isinstance(fault, driver.OperationalError | driver.InterfaceError | driver.InternalError):
                raise StoreUnavailable(detail=str(fault)) from fault
            raise

    def _abandon(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.invalidate()

    def _select(self, cursor: Any, client_ids: Sequence[str]) -> dict[str, Known]:
        if not client_ids:
            return {}
        if self._store.on_sqlite:
            marks = ", ".join("?" * len(client_ids))
            rows = cursor.execute(f"{_SELECT} IN ({marks})", client_ids).fetchall()
        else:
            rows = cursor.execute(f"{_SELECT} = ANY(%s)", (list(client_ids),)).fetchall()
        known: dict[str, Known] = {}
        for row in rows:
            secret = CredentialSecret(row[23], bytes(row[24]), row[25], "", 0, SecretState(row[26]), row[27])
            there = known.get(row[0])
            if there is None:
                there = known[row[0]] = self._known(cursor, row, secret)
            else:
                there.credential = replace(there.credential, secrets=(*there.credential.secrets, secret))
            if row[28] is not None:
                there.last_use[secret.id] = row[28]
        return known

    def _known(self, cursor: Any, row: Sequence[Any], secret: CredentialSecret) -> Known:
        restrictions = Restrictions(
            networks_from(row[7], lambda digest: self._networks_of(cursor, digest)),
            roles_from(row[5]),
            grants_from(row[6]),
            row[8],
            row[9],
        )
        credential = Credential(
            client_id=row[0],
            organization_id=row[1],
            name=row[2],
            restrictions=restrictions,
            generation=Generation(row[10], row[11], row[12], row[13]),
            secrets=(secret,),
            created_at=row[16],
            created_by="",
            project=row[3],
            environment=row[4],
            disabled_at=row[14],
            revoked_at=row[15],
            version=row[17],
        )
        generation = Generation(row[18], row[19], row[20], row[21])
        return Known(credential, Organization(row[1], "", generation, row[22]))

    def _networks_of(self, cursor: Any, digest: str) -> AllowedIPs:
        """A long list of ranges; immutable under its digest, so that it may be remembered."""
        found = self._networks.get(digest)
        if found is None:
            row = cursor.execute(_NETWORKS.format(self._mark), (digest,)).fetchone()
            if row is None:
                raise LookupError("a network list is missing")
            if len(self._networks) >= MOST_NETWORK_LISTS:
                self._networks.pop(next(iter(self._networks)))
            found = self._networks[digest] = AllowedIPs.from_normal_form(json.loads(row[0]))
        return found

    def _remember(self, cursor: Any, work: GroupTransaction) -> Head:
        head = self._head
        if work.entries:
            lines = list(_chain(work.entries, head))
            values: list[Any] = []
            for line, entry in zip(lines, work.entries, strict=True):
                values += (head.chain, line.head.seq, entry.organization, int(entry.at), line.text, line.head.hash)
            cursor.execute(_INSERT + ", ".join([self._row] * len(lines)), values)
            head = lines[-1].head
            cursor.execute(_HEAD.format(self._mark), (head.chain, head.seq, head.hash))
        if work.uses:
            # In one order on every node, so that two of them never wait for each other.
            rows = [(secret_id, *use) for secret_id, use in sorted(work.uses.items())]
            cursor.executemany(_LAST_USE.format(self._mark), rows)
        return head


def _chain(entries: Iterable[Entry], head: Head) -> Iterator[Line]:
    for entry in entries:
        line = chained(entry, head)
        head = line.head
        yield line

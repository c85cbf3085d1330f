"""How are credentials read and tokens remembered, at thousands a second? One transaction for many requests.

Requests that wait at the same moment share one transaction: one SELECT of their credentials, one multi-row INSERT of
their audit lines, one commit, which is on disk before any of them is answered. The generation is read in the
transaction that records the token, so that no token is minted on terms that a confirmed change has ended.

After any failure the connection is thrown away and a new chain begun, since a commit whose reply was lost may or may
not have happened, and a chain must never fork. The statements are in `issuing_sql`.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from typing import Any

from sqlalchemy.orm import Session

from app.store.database import Store, StoreUnavailable, Transaction, unavailable_when_broken
from app.store.high_water import HighWater
from app.store.issuing_sql import Dialect, Postgres, Row, Sqlite
from app.store.rows import grants_from, networks_from, roles_from
from tokenserver.clock import DAY
from tokenserver.domain.audit import Entry, Head, Line, chained
from tokenserver.domain.credential import Credential, CredentialSecret, SecretState
from tokenserver.domain.generation import Generation
from tokenserver.domain.operators import NO_RIGHTS, Membership, Operator, OperatorRole, Rights, rights_of
from tokenserver.domain.organizations import Organization
from tokenserver.domain.restrictions import AllowedIPs, Restrictions
from tokenserver.tokens.claims import MOST_RANGES_CARRIED

MOST_RANGES = 200_000
"""Ranges of long lists that are kept in memory, some 30 MiB."""


@dataclass
class Known:
    """A credential as the transaction sees it: its secrets, its organization, and when each secret was last used.

    The rest is read when it is asked for, which is after a secret was proven: a long list of addresses must not make a
    stranger wait, who would learn from it that there is such a credential.
    """

    organization: Organization
    secrets: tuple[CredentialSecret, ...]
    read: Callable[[tuple[CredentialSecret, ...]], Credential]
    read_rights: Callable[[], Rights | None] = lambda: None
    on_record: int | None = None
    """The newest moment on record in its organization; None where nothing would end within a day of it."""
    last_use: dict[str, int] = field(default_factory=dict)

    @cached_property
    def credential(self) -> Credential:
        return self.read(self.secrets)

    @cached_property
    def rights(self) -> Rights | None:
        """What the owner of a personal credential holds; None for a credential of the organization."""
        return self.read_rights()


@dataclass(slots=True)
class GroupTransaction:
    """What the work inside one group transaction may read, and what it leaves to be remembered."""

    known: dict[str, Known]
    catalogue_version: int
    entries: list[Entry] = field(default_factory=list)
    uses: dict[str, tuple[int, str]] = field(default_factory=dict)
    renewed: dict[str, tuple[bytes, str, bytes]] = field(default_factory=dict)
    """Secret ID to its digest under the present pepper, that pepper's ID, and its fingerprint under it."""


class IssuingStore:
    """One per process. `group` is called by one thread at a time."""

    def __init__(self, store: Store, high_water: HighWater) -> None:
        self._store = store
        self._high_water = high_water
        self._sql = _dialect_of(store)
        self._connection: Any = None
        self._head = Head("")
        self._rows = _Rows(self._sql)

    @contextlib.contextmanager
    def group(self, client_ids: Sequence[str], now: float) -> Iterator[GroupTransaction]:
        """One transaction: what is left in it on leaving is on disk afterwards, or StoreUnavailable is raised."""
        with self._store.write_turn, unavailable_when_broken(), self._own_connection() as connection:
            rows, catalogue_version, seq = self._sql.read(connection, client_ids, int(now) + DAY)
            self._high_water.see(seq)
            work = GroupTransaction(self._rows.grouped(connection, rows), catalogue_version)
            yield work
            lines = list(_chain(work.entries, self._head))
            head = lines[-1][0].head if lines else self._head
            self._sql.write(connection, lines, head, work.uses, work.renewed)
            self._head = head

    @contextlib.contextmanager
    def _own_connection(self) -> Iterator[Any]:
        try:
            if self._connection is None:
                self._connection = self._store.engine.raw_connection()
                self._sql.prepare(self._connection.driver_connection)
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


class ProvingStore:
    """Credentials as they are read to be proven where no token is issued, in a transaction that only reads."""

    def __init__(self, store: Store, high_water: HighWater) -> None:
        self._high_water = high_water
        self._sql = _dialect_of(store)
        self._rows = _Rows(self._sql)

    def known(self, tx: Transaction, client_ids: Sequence[str], now: float) -> tuple[dict[str, Known], int]:
        """The credentials of these IDs, and the version of the catalogue."""
        connection = _Driven(tx.session)
        rows, catalogue_version, seq = self._sql.look(connection, client_ids, int(now) + DAY)
        self._high_water.see(seq)
        return self._rows.grouped(connection, rows), catalogue_version


class _Driven:
    """The connection of a session, as statements for the driver see one."""

    def __init__(self, session: Session) -> None:
        self.execute = session.connection().exec_driver_sql


def _dialect_of(store: Store) -> Dialect:
    return Sqlite() if store.on_sqlite else Postgres()


class _Rows:
    """Rows of a transaction as what is known of credentials."""

    def __init__(self, sql: Dialect) -> None:
        self._sql = sql
        self._networks: dict[str, AllowedIPs] = {}

    def grouped(self, connection: Any, rows: Iterable[Row]) -> dict[str, Known]:
        known: dict[str, Known] = {}
        for row in rows:
            secret = CredentialSecret(row[23], bytes(row[24]), row[25], "", 0, SecretState(row[26]), row[27])
            there = known.get(row[0])
            if there is None:
                owner = _organization(row[1], *row[18:23])
                there = known[row[0]] = Known(owner, (secret,), partial(self._credential, connection, row))
                if row[30] is not None:
                    there.read_rights = partial(self._rights, connection, row[1], row[30])
            else:
                there.secrets = (*there.secrets, secret)
            if row[28] is not None:
                there.last_use[secret.id] = row[28]
            if row[29] is not None:
                there.on_record = row[29]
        return known

    def _credential(self, connection: Any, row: Row, secrets: tuple[CredentialSecret, ...]) -> Credential:
        networks = networks_from(row[7], lambda digest: self._networks_of(connection, digest))
        long = networks is not None and len(networks) > MOST_RANGES_CARRIED  # how many stay, `_networks_of` says
        restrictions = _restrictions if long else _remembered_restrictions
        return Credential(
            client_id=row[0],
            organization_id=row[1],
            name=row[2],
            restrictions=restrictions(networks, *row[5:7], *row[8:10]),
            generation=_generation(*row[10:14]),
            secrets=secrets,
            created_at=row[16],
            created_by="",
            project=row[3],
            environment=row[4],
            disabled_at=row[14],
            revoked_at=row[15],
            version=row[17],
            owner_id=row[30],
        )

    def _rights(self, connection: Any, organization_id: str, operator_id: str) -> Rights:
        found = self._sql.owner(connection, organization_id, operator_id)
        if found is None:
            return NO_RIGHTS
        platform_admin, role, roles, grants = found
        membership = None
        if role is not None:
            bounds = None if roles is None else roles_from(roles), None if grants is None else grants_from(grants)
            membership = Membership(operator_id, OperatorRole(role), *bounds)
        return rights_of(Operator(operator_id, "", platform_admin=bool(platform_admin)), membership)

    def _networks_of(self, connection: Any, digest: str) -> AllowedIPs:
        """A long list of ranges; immutable under its digest, so that it may be remembered."""
        found = self._networks.get(digest)
        if found is None:
            row = self._sql.networks(connection, digest)
            if row is None:
                raise LookupError("a network list is missing")
            found = self._networks[digest] = AllowedIPs.from_normal_form(json.loads(row[0]))
            while len(self._networks) > 1 and sum(map(len, self._networks.values())) > MOST_RANGES:
                self._networks.pop(next(iter(self._networks)))
        return found


_generation = lru_cache(maxsize=1024)(Generation)
"""Values repeat from request to request, and looking one up costs a tenth of making it."""


@lru_cache(maxsize=1024)
def _organization(organization_id: str, *columns: Any) -> Organization:
    *generation, suspended_at = columns
    return Organization(organization_id, "", _generation(*generation), suspended_at)


def _restrictions(
    networks: AllowedIPs | None, roles: str, grants: str, token_lifetime: int, expires_at: int | None
) -> Restrictions:
    return Restrictions(networks, roles_from(roles), grants_from(grants), token_lifetime, expires_at)


_remembered_restrictions = lru_cache(maxsize=4096)(_restrictions)


def _chain(entries: Iterable[Entry], head: Head) -> Iterator[tuple[Line, str, int]]:
    for entry in entries:
        line = chained(entry, head)
        head = line.head
        yield line, entry.organization, int(entry.at)

"""Which SQL does issuing speak? Plain statements for the driver: on this path a query compiler costs more than a query.

Two dialects, one duty each: read the credentials of a group, and write what it leaves.

The version of the catalogue belongs to the same moment as the credentials: on SQLite by the transaction, on PostgreSQL,
where each statement sees its own moment, because one statement reads both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from app.store.database import begin_immediate
from tokenserver.domain.audit import Head, Line

Row = Sequence[Any]
Lines = Sequence[tuple[Line, str, int]]
"""A line, its organization, and its time in whole seconds."""
Uses = Mapping[str, tuple[int, str]]
"""Secret ID to the time and address of its last use."""
Digests = Mapping[str, tuple[bytes, str, bytes]]
"""Secret ID to its digest under another pepper, that pepper's ID, and its fingerprint under it."""

_SELECT = """
    SELECT c.client_id, c.organization_id, c.name, c.project, c.environment, c.roles, c.grants, c.allowed_ips,
        c.token_lifetime, c.expires_at, c.gen_current, c.gen_floor, c.gen_next_floor, c.gen_next_floor_at,
        c.disabled_at, c.revoked_at, c.created_at, c.version,
        o.gen_current, o.gen_floor, o.gen_next_floor, o.gen_next_floor_at, o.suspended_at,
        s.id, s.digest, s.pepper_id, s.state, s.expires_at, u.at,
        CASE WHEN s.expires_at IS NOT NULL OR c.expires_at <= {0} THEN (
            SELECT a.at FROM audit_event a WHERE a.organization_id = c.organization_id ORDER BY a.at DESC LIMIT 1
        ) END,
        c.owner_id
    FROM credential c
    JOIN organization o ON o.id = c.organization_id
    JOIN credential_secret s ON s.client_id = c.client_id AND s.state <> 'ended'
    LEFT JOIN last_use u ON u.secret_id = s.id
    WHERE c.deleted_at IS NULL AND c.client_id
"""
"""The last but one is the newest moment on record, for what will have ended a day from now: see `clock.no_earlier`."""
_COUNTERS = "SELECT value FROM counter WHERE name IN ('catalogue', 'feed') ORDER BY name"
_INSERT = "INSERT INTO audit_event (chain, seq, organization_id, at, line, hash)"
_HEAD = """
    INSERT INTO audit_chain (chain, seq, hash) VALUES (?, ?, ?)
    ON CONFLICT (chain) DO UPDATE SET seq = excluded.seq, hash = excluded.hash
"""
_LAST_USE = """
    INSERT INTO last_use (secret_id, at, address) VALUES (?, ?, ?)
    ON CONFLICT (secret_id) DO UPDATE SET at = excluded.at, address = excluded.address
"""
_READ_AT_ONCE = f"""
    SELECT known.*,
        (SELECT value FROM counter WHERE name = 'catalogue'), (SELECT value FROM counter WHERE name = 'feed')
    FROM (VALUES (1)) AS always LEFT JOIN ({_SELECT.format("%s::bigint")} = ANY(%b)) AS known ON TRUE
"""  # noqa: S608  a constant within a constant
_WRITE_AT_ONCE = """
    WITH told AS (
        INSERT INTO audit_event (chain, seq, organization_id, at, line, hash)
        SELECT * FROM unnest(%b::text[], %b::bigint[], %b::text[], %b::bigint[], %b::text[], %b::text[])
    ), reached AS (
        INSERT INTO audit_chain (chain, seq, hash) VALUES (%s, %s, %s)
        ON CONFLICT (chain) DO UPDATE SET seq = excluded.seq, hash = excluded.hash
    )
    INSERT INTO last_use (secret_id, at, address)
    SELECT * FROM unnest(%b::text[], %b::bigint[], %b::text[])
    ON CONFLICT (secret_id) DO UPDATE SET at = excluded.at, address = excluded.address
"""
_RENEW = "UPDATE credential_secret SET digest = {0}, pepper_id = {0}, fingerprint = {0} WHERE id = {0}"
_OWNER = """
    SELECT o.platform_admin, m.role, m.roles, m.grants FROM operator o
    LEFT JOIN membership m ON m.operator_id = o.id AND m.organization_id = {0} WHERE o.id = {0}
"""
_NETWORKS = "SELECT ranges FROM network_list WHERE digest = {0}"


class Dialect(Protocol):
    """What a database has to be told, and how."""

    def prepare(self, connection: Any) -> None:
        """Once, for a new connection."""

    def read(self, connection: Any, client_ids: Sequence[str], tomorrow: int) -> tuple[list[Row], int, int]:
        """Begin; the rows of these credentials, the version of the catalogue, the last number of the feed."""

    def look(self, connection: Any, client_ids: Sequence[str], tomorrow: int) -> tuple[list[Row], int, int]:
        """As `read`, inside a transaction that has begun."""

    def networks(self, connection: Any, digest: str) -> Row | None:
        """The long list of ranges under `digest`."""

    def owner(self, connection: Any, organization_id: str, operator_id: str) -> Row | None:
        """Whether a platform admin, and the membership's role and bounds."""

    def write(self, connection: Any, lines: Lines, head: Head, uses: Uses, renewed: Digests) -> None:
        """Write and commit; a use without a line does not happen."""


class Sqlite:
    """The write lock is taken at the beginning, so that one state is read and written."""

    def prepare(self, connection: Any) -> None:
        """The upper pages of the tree of a million credentials stay in memory; 16 MiB, in this connection only."""
        connection.execute("PRAGMA cache_size = -16000")
        connection.execute("PRAGMA busy_timeout = 0")  # see `begin_immediate`

    def read(self, connection: Any, client_ids: Sequence[str], tomorrow: int) -> tuple[list[Row], int, int]:
        begin_immediate(connection)
        return self.look(connection, client_ids, tomorrow)

    def look(self, connection: Any, client_ids: Sequence[str], tomorrow: int) -> tuple[list[Row], int, int]:
        marks = ", ".join("?" * len(client_ids))
        query = f"{_SELECT.format('?')} IN ({marks})"
        rows = connection.execute(query, (tomorrow, *client_ids)).fetchall() if client_ids else []
        (catalogue,), (feed,) = connection.execute(_COUNTERS).fetchall()
        return rows, catalogue, feed

    def networks(self, connection: Any, digest: str) -> Row | None:
        row: Row | None = connection.execute(_NETWORKS.format("?"), (digest,)).fetchone()
        return row

    def owner(self, connection: Any, organization_id: str, operator_id: str) -> Row | None:
        row: Row | None = connection.execute(_OWNER.format("?"), (organization_id, operator_id)).fetchone()
        return row

    def write(self, connection: Any, lines: Lines, head: Head, uses: Uses, renewed: Digests) -> None:
        if lines:
            values: list[Any] = []
            for line, organization, at in lines:
                values += (line.head.chain, line.head.seq, organization, at, line.text, line.head.hash)
            marks = ", ".join(["(?, ?, ?, ?, ?, ?)"] * len(lines))
            connection.execute(f"{_INSERT} VALUES {marks}", values)
            connection.execute(_HEAD, (head.chain, head.seq, head.hash))
        if uses:
            connection.executemany(_LAST_USE, [(secret, *use) for secret, use in uses.items()])
        connection.executemany(_RENEW.format("?"), [(*digest, secret) for secret, digest in renewed.items()])
        connection.execute("COMMIT")


class Postgres:
    """Two round trips for a group, of one statement each, whose texts never vary and each of which is a transaction.

    A transaction around both would see no more, since each statement sees its own moment anyway; and what is read may
    be ended by somebody else before the token is written, whichever it is, so that the feed refuses the token.

    Arrays go out in binary (`%b`): as text, psycopg escapes each quotation mark of each line by itself.
    """

    def prepare(self, connection: Any) -> None:
        """Pipelines that begin and commit would cost a tenth of a millisecond of our core for each group."""
        connection.autocommit = True

    def read(self, connection: Any, client_ids: Sequence[str], tomorrow: int) -> tuple[list[Row], int, int]:
        return self.look(connection, client_ids, tomorrow)

    def look(self, connection: Any, client_ids: Sequence[str], tomorrow: int) -> tuple[list[Row], int, int]:
        rows = connection.execute(_READ_AT_ONCE, (tomorrow, list(client_ids))).fetchall()
        catalogue, feed = rows[0][-2:]
        return [row for row in rows if row[0] is not None], catalogue, feed

    def networks(self, connection: Any, digest: str) -> Row | None:
        row: Row | None = connection.execute(_NETWORKS.format("%s"), (digest,)).fetchone()
        return row

    def owner(self, connection: Any, organization_id: str, operator_id: str) -> Row | None:
        row: Row | None = connection.execute(_OWNER.format("%s"), (organization_id, operator_id)).fetchone()
        return row

    def write(self, connection: Any, lines: Lines, head: Head, uses: Uses, renewed: Digests) -> None:
        with connection.transaction() if renewed else contextlib.nullcontext():
            if lines:
                told = zip(
                    *((line.head.chain, line.head.seq, org, at, line.text, line.head.hash) for line, org, at in lines),
                    strict=True,
                )
                # Uses in one order on every node, so that two of them never wait for each other.
                used = zip(*((secret, at, address) for secret, (at, address) in sorted(uses.items())), strict=True)
                used_columns = [list(column) for column in used] or [[], [], []]
                columns = [list(column) for column in told]
                connection.execute(_WRITE_AT_ONCE, (*columns, head.chain, head.seq, head.hash, *used_columns))
            for secret, digest in sorted(renewed.items()):
                connection.execute(_RENEW.format("%s"), (*digest, secret))

"""Very many credentials at once, put straight into the store of a SQLite installation: copies of one that is there."""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing
from pathlib import Path

_COPIES = "WITH RECURSIVE copy(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copy WHERE n < :count)"


def crowd(home: Path, client_id: str, count: int) -> int:
    """Add `count` live copies of a credential and of its secret; how many credentials its organization has then."""
    mark = {"mark": secrets.token_hex(6), "count": count, "client_id": client_id}
    own = ":mark || printf('%010d', n)"
    with closing(sqlite3.connect(home / "tokenserver.db", timeout=20)) as connection, connection:
        for table, made_up in (
            ("credential", {"client_id": f"'tsc_' || {own}", "name": own, "name_key": own}),
            ("credential_secret", {"id": f"'sec_' || {own}", "client_id": f"'tsc_' || {own}"}),
        ):
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            values = ", ".join(made_up.get(column, f'"{column}"') for column in columns)
            named = ", ".join(f'"{column}"' for column in columns)
            found = f"SELECT {values} FROM {table}, copy WHERE {table}.client_id = :client_id"
            connection.execute(f"{_COPIES} INSERT INTO {table} ({named}) {found}", mark)
        counted = (
            "SELECT count(*) FROM credential JOIN credential_secret USING (client_id) WHERE state = 'current' AND"
            " credential.organization_id = (SELECT organization_id FROM credential WHERE client_id = ?)"
        )
        (total,) = connection.execute(counted, (client_id,)).fetchone()
        return int(total)

"""When was each credential last used, as lists are ordered by it? In a column that follows the uses at a distance.

`last_use` says it of each secret, to the second. An index over a moment that moves with every token would cost each of
them 10 to 30 µs of the processor and twice the pages to write (measured, SQLite, 1,000 to a million credentials), so
that none is kept there: `used_at` of the credential is moved afterwards, for some credentials at a time, in the order
of client IDs. An organization of few is not made to wait for it (see `CredentialStore.page`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

from sqlalchemy import Table, bindparam, func, select, update
from sqlalchemy.orm import Session

from app.store.models import CredentialRow, CredentialSecretRow, LastUseRow


class Use(NamedTuple):
    """The last use of a credential; `listed_at` is where lists have it."""

    client_id: str
    at: int
    listed_at: int


class UseStore:
    def __init__(self, session: Session) -> None:
        self._session = session

    def after(self, client_id: str, limit: int) -> list[Use]:
        """Of the next credentials in the order of client IDs, whosever they are."""
        row, secret, use = CredentialRow, CredentialSecretRow, LastUseRow
        last = (
            select(func.max(use.at))
            .join(secret, secret.id == use.secret_id)
            .where(secret.client_id == row.client_id)
            .scalar_subquery()
        )
        query = select(row.client_id, func.coalesce(last, 0), row.used_at).where(row.client_id > client_id)
        return [Use(*found) for found in self._session.execute(query.order_by(row.client_id).limit(limit))]

    def list_at(self, uses: Sequence[Use]) -> None:
        """Move these to where they were last used, never back.

        A row that is held by somebody is passed over until the next time: who waits for nobody is in nobody's way.
        """
        mine = select(CredentialRow.client_id).where(CredentialRow.client_id.in_([use.client_id for use in uses]))
        held = set(self._session.scalars(mine.order_by(CredentialRow.client_id).with_for_update(skip_locked=True)))
        moved = [{"moved": use.client_id, "to": use.at} for use in uses if use.client_id in held]
        if moved:
            self._session.connection().execute(_MOVE, moved)


_TABLE = cast(Table, CredentialRow.__table__)
_MOVE = (
    update(_TABLE)
    .where(_TABLE.c.client_id == bindparam("moved"), _TABLE.c.used_at < bindparam("to"))
    .values(used_at=bindparam("to"))
)

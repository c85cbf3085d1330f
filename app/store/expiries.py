"""Which credentials expire within so many days, and how far is each notice of it? By the order of all expiries.

No row says of a credential that it was told: one row for each notice says up to which expiry, and which client ID at
that very moment, it has been given. So a notice costs nothing until it is due, is given once, and is given anew where
an expiry was moved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from app.store.models import CredentialRow, ExpiryNoticeRow


class Place(NamedTuple):
    """A place in the order of all expiries."""

    expires_at: int
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class Expiring:
    organization_id: str
    client_id: str
    name: str
    expires_at: int


class ExpiryStore:
    def __init__(self, session: Session) -> None:
        self._session = session

    def reached(self, days: int) -> Place | None:
        """How far the notice so many days before has been given."""
        row = self._session.get(ExpiryNoticeRow, days)
        return None if row is None else Place(row.expires_at, row.client_id)

    def reach(self, days: int, place: Place) -> None:
        self._session.merge(ExpiryNoticeRow(days=days, expires_at=place.expires_at, client_id=place.client_id))
        self._session.flush()

    def between(self, after: Place, until: int, limit: int) -> list[Expiring]:
        """Credentials that have not ended otherwise, in the order of their expiries."""
        row = CredentialRow
        beyond = or_(
            row.expires_at > after.expires_at,
            and_(row.expires_at == after.expires_at, row.client_id > after.client_id),
        )
        query = (
            select(row.organization_id, row.client_id, row.name, row.expires_at)
            .where(
                row.expires_at >= after.expires_at,
                row.expires_at <= until,
                beyond,
                row.revoked_at.is_(None),
                row.deleted_at.is_(None),
            )
            .order_by(row.expires_at, row.client_id)
            .limit(limit)
        )
        return [Expiring(*found) for found in self._session.execute(query)]  # type: ignore[arg-type]  # never null here

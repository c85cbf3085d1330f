"""How do the credentials of an organization stand? Their number by status, and those that somebody should look at."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from app.store.credentials import credentials_of
from app.store.models import CredentialRow, RotationRow
from app.store.selection import has_status
from tokenserver.domain.credential import Credential, Status
from tokenserver.domain.restrictions import Access

_SHOWN = 8
"""Of each kind, where somebody only wants to see how things stand."""


@dataclass(frozen=True, slots=True)
class Census:
    """How the credentials of an organization stand. `widest`: from anywhere, never expiring, everything of an API: two
    of these at least. `rotating`: next by schedule; `claimable`: whose new secret waits, or was claimed and not used.
    """

    counts: dict[Status, int]
    widest: list[Credential]
    expiring: list[Credential]
    rotating: list[Credential]
    claimable: list[Credential]


class CensusStore:
    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, organization_id: str, owner_id: str | None, now: float) -> Census:
        """How many there are of each status, and which of those that live reach farthest; of one owner only, or all."""
        row = CredentialRow
        mine = [row.organization_id == organization_id, row.deleted_at.is_(None)]
        if owner_id is not None:
            mine.append(row.owner_id == owner_id)
        each = [func.sum(case((has_status(status, int(now)), 1), else_=0)) for status in Status]
        counts = self._session.execute(select(*each).where(*mine)).one()
        wide = [
            case((row.allowed_ips.is_(None), 1), else_=0),
            case((row.expires_at.is_(None), 1), else_=0),
            case((row.grants.contains(Access.ALL_READ_WRITE.value), 1), else_=0),
        ]
        works = [row.revoked_at.is_(None), row.disabled_at.is_(None)]
        lives = [*works, or_(row.expires_at.is_(None), row.expires_at > now)]
        reach = wide[0] + wide[1] + wide[2]
        query = select(row).where(*mine, *lives, reach >= 2).order_by(reach.desc(), row.created_at, row.client_id)
        soon = select(row).where(*mine, row.expires_at > now, *works).order_by(row.expires_at, row.client_id)
        rotating = select(row).where(*mine, row.rotate_at.is_not(None), *lives).order_by(row.rotate_at, row.client_id)
        open_ones = select(row).where(*mine, row.client_id.in_(select(RotationRow.client_id)))
        some = (
            credentials_of(self._session, list(self._session.scalars(one.limit(_SHOWN))))
            for one in (query, soon, rotating, open_ones)
        )
        return Census({status: int(count or 0) for status, count in zip(Status, counts, strict=True)}, *some)

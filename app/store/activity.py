"""How many tokens were issued and refused, hour by hour? Counted from the audit log, some lines at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.store.models import ActivityPlaceRow, ActivityRow, AuditChainRow, AuditEventRow
from tokenserver.domain.audit import Head


class Counted(NamedTuple):
    """`reason` is empty of what was issued; `organization_id` of what strangers asked for."""

    organization_id: str
    hour: int
    reason: str


class Uncounted(NamedTuple):
    """A line of the audit log that has not been counted."""

    seq: int
    organization_id: str
    at: int
    line: str


class ActivityStore:
    def __init__(self, session: Session) -> None:
        self._session = session

    def behind(self) -> Head | None:
        """A chain of which lines have not been counted, and up to which one they have; None: there is none."""
        place = func.coalesce(ActivityPlaceRow.seq, 0)
        found = self._session.execute(
            select(AuditChainRow.chain, place)
            .outerjoin(ActivityPlaceRow, ActivityPlaceRow.chain == AuditChainRow.chain)
            .where(AuditChainRow.seq > place)
            .limit(1)
        ).first()
        return None if found is None else Head(found[0], found[1])

    def uncounted(self, after: Head, most: int) -> list[Uncounted]:
        """The next lines of the chain; none where those have been pruned."""
        row = AuditEventRow
        lines = select(row.seq, row.organization_id, row.at, row.line).where(
            row.chain == after.chain, row.seq > after.seq
        )
        return [Uncounted(*line) for line in self._session.execute(lines.order_by(row.seq).limit(most))]

    def count(self, counts: Mapping[Counted, int], was: Head, reached: int | None) -> None:
        """Add these and remember up to which line they go (None: the end), unless somebody else has counted them."""
        place = self._session.get(ActivityPlaceRow, was.chain)
        if (0 if place is None else place.seq) != was.seq:
            return
        for key, more in counts.items():
            row = self._session.get(ActivityRow, tuple(key))
            if row is None:
                self._session.add(ActivityRow(**key._asdict(), count=more))
            else:
                row.count += more
        if reached is None:
            reached = self._session.scalars(select(AuditChainRow.seq).where(AuditChainRow.chain == was.chain)).one()
        self._session.merge(ActivityPlaceRow(chain=was.chain, seq=reached))
        self._session.flush()

    def hours(self, organization_ids: Sequence[str], since: int) -> list[tuple[Counted, int]]:
        """Of these organizations, from the hour of `since` on."""
        row = ActivityRow
        query = select(row).where(row.organization_id.in_(organization_ids), row.hour >= since)
        return [(Counted(r.organization_id, r.hour, r.reason), r.count) for r in self._session.scalars(query)]

    def prune(self, before: int) -> None:
        """Forget hours that are older."""
        old = delete(ActivityRow).where(ActivityRow.hour < before)
        self._session.execute(old.execution_options(synchronize_session=False))

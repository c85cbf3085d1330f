"""How many tokens were issued and refused, hour by hour? Counted from the audit log, some lines at a time.

Beside the hours, which are forgotten one day, there is one sum for each reason, of everybody and all the time: in the
rows of no organization and of `EVER`. It never goes down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.store.models import ActivityPlaceRow, ActivityRow, AuditChainRow, AuditEventRow
from tokenserver.clock import HOUR
from tokenserver.domain.audit import Head

EVER = -1
"""Stands where an hour does, and is none."""


class Counted(NamedTuple):
    """`reason` is empty of what was issued; `organization_id` of what strangers asked for."""

    organization_id: str
    hour: int
    reason: str


class ActivityStore:
    def __init__(self, session: Session) -> None:
        self._session = session

    def behind(self) -> list[tuple[Head, int]]:
        """The chains of which lines have not been counted: up to which one they have, and their last."""
        place = func.coalesce(ActivityPlaceRow.seq, 0)
        query = (
            select(AuditChainRow.chain, place, AuditChainRow.seq)
            .outerjoin(ActivityPlaceRow, ActivityPlaceRow.chain == AuditChainRow.chain)
            .where(AuditChainRow.seq > place)
        )
        return [(Head(found[0], found[1]), found[2]) for found in self._session.execute(query)]

    def issued(self, after: Head, last: int, what: str) -> Counter[Counted]:
        """How many of these lines say `what`: counted by the database, since a Python object for each would be felt."""
        row, hour = AuditEventRow, AuditEventRow.at - AuditEventRow.at % HOUR
        query = (
            select(row.organization_id, hour, func.count())
            .where(row.chain == after.chain, row.seq > after.seq, row.seq <= last, row.line.contains(what))
            .group_by(row.organization_id, hour)
        )
        return Counter({Counted(found[0], found[1], ""): found[2] for found in self._session.execute(query)})

    def refused(self, after: Head, last: int, what: str) -> list[tuple[str, int, str]]:
        """Organization, moment and text of those of these lines that say `what`."""
        row = AuditEventRow
        query = select(row.organization_id, row.at, row.line).where(
            row.chain == after.chain, row.seq > after.seq, row.seq <= last, row.line.contains(what)
        )
        return [(found[0], found[1], found[2]) for found in self._session.execute(query)]

    def count(self, counts: Mapping[Counted, int], was: Head, reached: int) -> None:
        """Add these and remember up to which line they go, unless somebody else has counted them."""
        place = self._session.get(ActivityPlaceRow, was.chain)
        if (0 if place is None else place.seq) != was.seq:
            return
        ever: Counter[Counted] = Counter()
        for key, more in counts.items():
            ever[Counted("", EVER, key.reason)] += more
        for key, more in (*counts.items(), *ever.items()):
            row = self._session.get(ActivityRow, tuple(key))
            if row is None:
                self._session.add(ActivityRow(**key._asdict(), count=more))
            else:
                row.count += more
        self._session.merge(ActivityPlaceRow(chain=was.chain, seq=reached))
        self._session.flush()

    def hours(self, organization_ids: Sequence[str], since: int) -> list[tuple[Counted, int]]:
        """Of these organizations, from the hour of `since` on."""
        row = ActivityRow
        query = select(row).where(row.organization_id.in_(organization_ids), row.hour >= since, row.hour != EVER)
        return [(Counted(r.organization_id, r.hour, r.reason), r.count) for r in self._session.scalars(query)]

    def ever(self) -> dict[str, int]:
        """Of the whole installation, by reason."""
        query = select(ActivityRow).where(ActivityRow.organization_id == "", ActivityRow.hour == EVER)
        return {row.reason: row.count for row in self._session.scalars(query)}

    def prune(self, before: int) -> None:
        """Forget hours that are older."""
        old = delete(ActivityRow).where(ActivityRow.hour < before, ActivityRow.hour != EVER)
        self._session.execute(old.execution_options(synchronize_session=False))

"""What is owed to each webhook, and how did each attempt go?

A delivery that is being tried is *claimed*: until a moment, by which it is tried again if nobody has said how it went.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Select, and_, delete, func, insert, literal, or_, select, update
from sqlalchemy.orm import Session

from app.store.models import AttemptRow, DeliveryRow, OutboxRow, WebhookRow
from app.store.places import in_order
from tokenserver.domain.webhook import DeliveryState

MOST_SHOWN = 50
"""Attempts at one delivery that are read, the latest ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """`attempts` counts all of them, `tries` those since it was last asked for; `until` is when it is given up."""

    id: str
    organization_id: str
    webhook_id: str
    event_id: str
    type: str
    body: str
    state: DeliveryState = DeliveryState.PENDING
    attempts: int = 0
    tries: int = 0
    next_at: int | None
    claimed_until: int | None = None
    until: int
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    delivery_id: str
    number: int
    organization_id: str
    at: int
    duration_ms: int
    status: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Owed:
    """An event of the outbox."""

    id: str
    organization_id: str
    type: str
    at: int
    data: str


class DeliveryStore:
    def __init__(self, session: Session) -> None:
        self._session = session

    def owed(self, limit: int) -> list[Owed]:
        """Events that nobody has been told of yet, oldest first."""
        rows = self._session.scalars(select(OutboxRow).order_by(OutboxRow.at).limit(limit))
        return [Owed(row.id, row.organization_id, row.type, row.at, row.data) for row in rows]

    def turn_into(self, deliveries: Sequence[Delivery], owed: Iterable[Owed]) -> None:
        """What was owed to an organization is owed to its webhooks from now on."""
        if deliveries:
            self._session.execute(insert(DeliveryRow), [_columns(delivery) for delivery in deliveries])
        self._session.execute(delete(OutboxRow).where(OutboxRow.id.in_([event.id for event in owed])))

    def add(self, delivery: Delivery) -> None:
        self._session.execute(insert(DeliveryRow), [_columns(delivery)])

    def get(self, organization_id: str, webhook_id: str, delivery_id: str) -> Delivery | None:
        row = self._session.scalars(
            select(DeliveryRow).where(
                DeliveryRow.organization_id == organization_id,
                DeliveryRow.webhook_id == webhook_id,
                DeliveryRow.id == delivery_id,
            ),
            execution_options={"populate_existing": True},  # as this transaction may have changed it
        ).first()
        return None if row is None else _delivery(row)

    def page(self, organization_id: str, webhook_id: str, after: tuple[int, str] | None, limit: int) -> list[Delivery]:
        """Newest first; `after` is the place of the last one seen."""
        query = select(DeliveryRow).where(
            DeliveryRow.organization_id == organization_id, DeliveryRow.webhook_id == webhook_id
        )
        query = in_order(query, (DeliveryRow.created_at, DeliveryRow.id), after, backwards=True)
        return [_delivery(row) for row in self._session.scalars(query.limit(limit))]

    def attempts(self, deliveries: Sequence[Delivery]) -> dict[str, list[Attempt]]:
        """The latest attempts at each, newest first."""
        found: dict[str, list[Attempt]] = {delivery.id: [] for delivery in deliveries}
        latest = [
            and_(AttemptRow.delivery_id == delivery.id, AttemptRow.number > delivery.attempts - MOST_SHOWN)
            for delivery in deliveries
        ]
        for start in range(0, len(latest), MOST_SHOWN):
            query = select(AttemptRow).where(or_(*latest[start : start + MOST_SHOWN]))
            for row in self._session.scalars(query.order_by(AttemptRow.number.desc())):
                found[row.delivery_id].append(_attempt(row))
        return found

    def save(self, delivery: Delivery) -> None:
        """To be read and saved in one transaction that writes."""
        columns = _columns(delivery)
        self._session.execute(
            update(DeliveryRow)
            .where(DeliveryRow.organization_id == delivery.organization_id, DeliveryRow.id == delivery.id)
            .values({name: columns[name] for name in _CHANGES})
            .execution_options(synchronize_session=False)
        )

    def note(self, attempt: Attempt) -> None:
        self._session.execute(insert(AttemptRow), [asdict(attempt)])

    # --- of all organizations: the clock's work ---

    def due(self, webhook_id: str, now: int, limit: int) -> list[Delivery]:
        query = select(DeliveryRow).where(DeliveryRow.webhook_id == webhook_id, DeliveryRow.next_at <= now)
        return [_delivery(row) for row in self._session.scalars(query.order_by(DeliveryRow.next_at).limit(limit))]

    def backlog(self, now: int, most: int) -> tuple[int, int | None]:
        """How many are pending, of webhooks that are told, counted up to `most`; and since when the oldest is due.

        What is owed and nobody was told of yet is due since it happened. Each webhook is looked up in the index.
        """
        told = select(WebhookRow.id).where(WebhookRow.disabled_at.is_(None))
        pending = select(literal(1)).where(DeliveryRow.webhook_id.in_(told), DeliveryRow.next_at >= 0).limit(most)
        count = self._session.scalars(select(func.count()).select_from(pending.subquery())).one()
        next_at = select(DeliveryRow.next_at).where(
            DeliveryRow.webhook_id == WebhookRow.id, DeliveryRow.next_at.is_not(None)
        )
        first = next_at.order_by(DeliveryRow.next_at).limit(1).scalar_subquery()
        due = self._session.scalars(select(func.min(first)).where(WebhookRow.disabled_at.is_(None))).one()
        owed = self._session.scalars(select(func.min(OutboxRow.at))).one()
        return count, min((at for at in (due, owed) if at is not None and at <= now), default=None)

    def claim(self, delivery: Delivery, until: int) -> bool:
        """Whether it was as it was read, and is claimed now."""
        done = self._session.execute(
            update(DeliveryRow)
            .where(DeliveryRow.id == delivery.id, DeliveryRow.next_at == delivery.next_at)
            .values(next_at=until, claimed_until=until)
            .execution_options(synchronize_session=False)
        )
        return bool(done.rowcount == 1)  # type: ignore[attr-defined]  # a CursorResult, for DML

    def prune(self, before: int, limit: int) -> int:
        """Remove deliveries that were made before a moment, `limit` at most; returns how many."""
        return self._remove(select(DeliveryRow.id).where(DeliveryRow.created_at < before).limit(limit))

    def prune_of(self, webhook_id: str, limit: int) -> int:
        return self._remove(select(DeliveryRow.id).where(DeliveryRow.webhook_id == webhook_id).limit(limit))

    def _remove(self, query: Select[str]) -> int:
        found = self._session.scalars(query).all()
        if found:
            self._session.execute(delete(AttemptRow).where(AttemptRow.delivery_id.in_(found)))
            self._session.execute(delete(DeliveryRow).where(DeliveryRow.id.in_(found)))
        return len(found)


_CHANGES = ("state", "attempts", "tries", "next_at", "claimed_until", "until")


def _columns(delivery: Delivery) -> dict[str, Any]:
    return {**asdict(delivery), "state": delivery.state.value}


def _delivery(row: DeliveryRow) -> Delivery:
    return Delivery(
        id=row.id,
        organization_id=row.organization_id,
        webhook_id=row.webhook_id,
        event_id=row.event_id,
        type=row.type,
        body=row.body,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        tries=row.tries,
        next_at=row.next_at,
        claimed_until=row.claimed_until,
        until=row.until,
        created_at=row.created_at,
    )


def _attempt(row: AttemptRow) -> Attempt:
    return Attempt(
        delivery_id=row.delivery_id,
        number=row.number,
        organization_id=row.organization_id,
        at=row.at,
        duration_ms=row.duration_ms,
        status=row.status,
        error=row.error,
    )

"""How does what is owed become deliveries, and what follows from an attempt? The post office; `posting` is the postman.

Each step is one short transaction over a bounded number of rows, and may be repeated or cut short: an event leaves the
outbox in the transaction that makes its deliveries; a delivery is claimed before it is tried, and one whose claim runs
out without a word is tried again. So each is delivered at least once, by whichever process does the work of the clock.
"""

from __future__ import annotations

import json
import logging
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.services.ids import new_id
from app.services.posting import Outcome
from app.services.webhook_secrets import unseal
from app.store import Store, Transaction
from app.store.deliveries import Attempt, Delivery, Owed
from app.store.sealing import CannotUnseal, Sealer
from tokenserver.clock import DAY, MINUTE
from tokenserver.domain.audit import Entry, Event
from tokenserver.domain.secret import Secret
from tokenserver.domain.webhook import (
    RETRIED_FOR,
    DeliveryState,
    Webhook,
    asked_pause,
    envelope,
    is_sustained,
    matches,
    next_attempt,
)

log = logging.getLogger("tokenserver.webhooks")

CLAIM_SECONDS = 60
"""More than an attempt can take, the resolving of a name included."""
KEPT_FOR = 30 * DAY
LARGEST_BODY = 64 * 1024
NOTED_EVERY = MINUTE
"""How often is noted that a webhook goes on as well as before."""
ACTOR = "clock"
_EVENTS_AT_ONCE = 25
_DELIVERIES_AT_ONCE = 50
_PRUNED_AT_ONCE = 50
RECORDED_AT_ONCE = 5
"""So much is done in one turn to write: about 20 ms of an idle core."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What can be sent at the moment: `parcels` in all, to webhooks that are failing or to those that are not, none to
    those that are `busy`, and to each organization `of_one_organization` with what is `under_way` already.
    """

    failing: bool
    parcels: int
    of_one_webhook: int
    of_one_organization: int
    busy: Sequence[str] = ()
    under_way: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parcel:
    """One delivery, claimed, with what is needed to send it."""

    delivery: Delivery
    claimed_until: int
    url: str = field(repr=False)
    signing: Sequence[Secret]


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a parcel that was sent at `at`."""

    parcel: Parcel
    outcome: Outcome
    at: float


class Deliveries:
    def __init__(self, store: Store, sealer: Sealer) -> None:
        self._store = store
        self._sealer = sealer

    def fan_out(self, now: float) -> bool:
        """Turn some of the outbox into deliveries; whether there may be more."""
        with self._store.reading() as tx:
            if not tx.deliveries.owed(1):
                return False
        with self._store.writing() as tx:
            owed = tx.deliveries.owed(_EVENTS_AT_ONCE)
            organizations = {event.organization_id for event in owed}
            listening = {organization: tx.webhooks.listening(organization) for organization in organizations}
            made: list[Delivery] = []
            for sorted_, event in enumerate(owed):
                if len(made) >= _DELIVERIES_AT_ONCE:
                    owed = owed[:sorted_]
                    break
                webhooks = listening[event.organization_id].items()
                made += [new_delivery(event, one, now) for one, listens in webhooks if matches(listens, event.type)]
            tx.deliveries.turn_into(made, owed)
        return bool(owed)

    def claim(self, now: float, room: Room) -> list[Parcel]:
        """Deliveries that are due, as many as there is room for; of each webhook some, before there are more of one."""
        with self._store.reading() as tx:
            found = tx.webhooks.with_something_due(int(now), failing=room.failing, busy=room.busy, limit=room.parcels)
            due = [(webhook, tx.deliveries.due(webhook.id, int(now), room.of_one_webhook)) for webhook in found]
        chosen = _chosen(due, room)
        if not chosen:
            return []
        until = int(now) + CLAIM_SECONDS
        with self._store.writing() as tx:
            claimed = [(webhook, delivery) for webhook, delivery in chosen if tx.deliveries.claim(delivery, until)]
        signing = {webhook.id: self._signing(webhook, now) for webhook, _ in claimed}
        return [Parcel(delivery, until, webhook.url, signing[webhook.id]) for webhook, delivery in claimed]

    def record(self, done: Sequence[Done]) -> None:
        """What follows: it is delivered, tried again later, or given up; and its webhook may be disabled."""
        with self._store.writing() as tx:
            for one in done:
                self._record(tx, one)

    def prune(self, now: float) -> bool:
        """Remove some of what is old, and of what belonged to webhooks that were deleted; whether there is more."""
        with self._store.writing() as tx:
            pruned = tx.deliveries.prune(int(now) - KEPT_FOR, _PRUNED_AT_ONCE)
        with self._store.reading() as tx:
            deleted = tx.webhooks.deleted()
        if deleted is None:
            return pruned == _PRUNED_AT_ONCE
        with self._store.writing() as tx:
            if not tx.deliveries.prune_of(deleted, _PRUNED_AT_ONCE):
                tx.webhooks.remove(deleted)
        return True

    def _record(self, tx: Transaction, done: Done) -> None:
        parcel, outcome, at = done.parcel, done.outcome, done.at
        was = parcel.delivery
        webhook = tx.webhooks.get(was.organization_id, was.webhook_id)
        delivery = tx.deliveries.get(was.organization_id, was.webhook_id, was.id)
        if webhook is None or delivery is None or delivery.claimed_until != parcel.claimed_until:
            return  # deleted meanwhile, or so late that it was given to somebody else
        number = delivery.attempts + 1
        tx.deliveries.note(
            Attempt(
                delivery_id=delivery.id,
                number=number,
                organization_id=delivery.organization_id,
                at=int(at),
                duration_ms=outcome.duration_ms,
                status=outcome.status,
                error=outcome.error,
            )
        )
        delivery = replace(delivery, attempts=number, tries=delivery.tries + 1, claimed_until=None, next_at=None)
        if outcome.error is None:
            _succeeded(tx, webhook, delivery, at)
        else:
            _failed(tx, webhook, delivery, at, outcome)

    def _signing(self, webhook: Webhook, now: float) -> Sequence[Secret]:
        """Nothing where it cannot be unsealed: the log of deliveries says so."""
        try:
            return unseal(self._sealer, webhook, now)
        except CannotUnseal:
            log.warning("the secret of webhook %s cannot be unsealed: restore the key-encryption key", webhook.id)
            return []


def new_delivery(event: Owed, webhook_id: str, now: float) -> Delivery:
    """An event, for one webhook, due now."""
    data = json.loads(event.data)
    body = _json(envelope(event.type, event.at, data))
    if len(body) > LARGEST_BODY:
        body = _json(envelope(event.type, event.at, {**data, "detail": {"too_long": True}}))
    return Delivery(
        id=new_id("dlv"),
        organization_id=event.organization_id,
        webhook_id=webhook_id,
        event_id=event.id,
        type=event.type,
        body=body,
        next_at=int(now),
        until=int(now) + RETRIED_FOR,
        created_at=int(now),
    )


def _json(document: object) -> str:
    return json.dumps(document, separators=(",", ":"))


def _chosen(due: Sequence[tuple[Webhook, Sequence[Delivery]]], room: Room) -> list[tuple[Webhook, Delivery]]:
    """The first of each webhook, then the second of each, and so on, while there is room."""
    chosen: list[tuple[Webhook, Delivery]] = []
    under_way = Counter(room.under_way)
    for place in range(room.of_one_webhook):
        for webhook, deliveries in due:
            full = len(chosen) >= room.parcels or under_way[webhook.organization_id] >= room.of_one_organization
            if place < len(deliveries) and not full:
                under_way[webhook.organization_id] += 1
                chosen.append((webhook, deliveries[place]))
    return chosen


def _succeeded(tx: Transaction, webhook: Webhook, delivery: Delivery, at: float) -> None:
    tx.deliveries.save(replace(delivery, state=DeliveryState.DELIVERED))
    if webhook.failing_since is not None or at - (webhook.last_success_at or 0) >= NOTED_EVERY:
        tx.webhooks.note(webhook, failing_since=None, last_success_at=int(at))


def _failed(tx: Transaction, webhook: Webhook, delivery: Delivery, at: float, outcome: Outcome) -> None:
    """What a webhook that is disabled has not been told stays pending, but for what it was tried with for so long."""
    failing_since = int(at) if webhook.failing_since is None else webhook.failing_since
    tx.webhooks.note(webhook, failing_since=failing_since, last_success_at=webhook.last_success_at)
    webhook, sustained = replace(webhook, failing_since=failing_since), is_sustained(failing_since, at)
    chance = random.random()  # noqa: S311  spread, not a secret
    asked = asked_pause(outcome.unverified_retry_after, at)
    next_at = None if sustained else next_attempt(delivery.tries, at, delivery.until, chance, asked)
    state = DeliveryState.FAILED if next_at is None else DeliveryState.PENDING
    tx.deliveries.save(replace(delivery, state=state, next_at=next_at))
    if outcome.is_gone:
        _disable(tx, webhook, "the receiver answered 410 Gone", at)
    elif sustained:
        _disable(tx, webhook, "failing for three days without a success", at)


def _disable(tx: Transaction, webhook: Webhook, reason: str, now: float) -> None:
    """With an audit line, and so an event for other webhooks of the organization."""
    if webhook.disabled_at is not None:
        return
    disabled = replace(webhook, disabled_at=int(now), disabled_reason=reason, version=webhook.version + 1)
    tx.webhooks.save(disabled, was=webhook)
    detail = {"webhook": webhook.id, "reason": reason}
    tx.audit.append(Entry(Event.WEBHOOK_DISABLED, now, ACTOR, webhook.organization_id, detail=detail))

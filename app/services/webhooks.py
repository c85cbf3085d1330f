"""What can be done with a webhook? Create, list, read, change, delete, rotate its secret, test it, deliver again.

Its secret is shown when it is made or rotated, and never again. What the audit log keeps of its URL is where it leads,
not path and query, which for many receivers are as good as a password.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.services.audit import Caller
from app.services.deliveries import new_delivery
from app.services.ids import new_id
from app.services.standing import changing
from app.services.webhook_secrets import new_webhook_secret, seal
from app.settings import Settings
from app.store import Store, Transaction
from app.store.deliveries import Attempt, Delivery, Owed
from app.store.sealing import Sealer
from tokenserver.clock import Clock
from tokenserver.domain.audit import Event
from tokenserver.domain.secret import Secret
from tokenserver.domain.webhook import MOST_WEBHOOKS, RETRIED_FOR, TEST, TWO_SIGNATURES_FOR, DeliveryState, Webhook
from tokenserver.domain.webhook_target import Reach, Target, UnfitTarget, read_target
from tokenserver.errors import Conflict, Fault, InvalidInput, NotFound, PreconditionFailed

BY_AN_OPERATOR = "disabled by an operator"


class TooManyWebhooks(Conflict):
    code = "too_many_webhooks"
    public = (
        f"There are {MOST_WEBHOOKS} webhooks already, which is the most: delete one, or add to what one subscribes to."
    )


class WebhookDisabled(Conflict):
    code = "webhook_disabled"
    public = "The webhook is disabled: enable it first."


@dataclass(frozen=True, slots=True)
class WebhookDraft:
    url: str
    description: str
    subscriptions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NewWebhookSecret:
    """A webhook and its secret, the one time that it is known."""

    webhook: Webhook
    secret: Secret


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A delivery with its latest attempts, newest first."""

    delivery: Delivery
    log: Sequence[Attempt]
    now: float


class Webhooks:
    def __init__(self, store: Store, sealer: Sealer, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._sealer = sealer
        self._plain_http = settings.webhook_plain_http
        self._reach = Reach.parse(settings.webhook_allowed_networks)
        self._clock = clock

    def create(self, caller: Caller, draft: WebhookDraft) -> NewWebhookSecret:
        target = self._target(draft.url)
        webhook_id, secret = new_id("wh"), new_webhook_secret()
        with changing(self._store, caller, self._clock) as (tx, now):
            if tx.webhooks.count(caller.organization_id) >= MOST_WEBHOOKS:
                raise TooManyWebhooks
            webhook = Webhook(
                id=webhook_id,
                organization_id=caller.organization_id,
                url=draft.url,
                description=draft.description,
                subscriptions=draft.subscriptions,
                sealed=seal(self._sealer, webhook_id, secret),
                created_at=int(now),
                created_by=caller.actor,
            )
            tx.webhooks.add(webhook)
            shown: dict[str, Any] = {"webhook": webhook_id, "target": target.origin}
            shown["subscriptions"] = draft.subscriptions
            tx.audit.append(caller.did(Event.WEBHOOK_CREATED, now, **shown))
        return NewWebhookSecret(webhook, secret)

    def list(self, caller: Caller, after: tuple[int, str] | None, limit: int) -> Sequence[Webhook]:
        """Newest first, `limit` at most, after the place of the last one seen."""
        with self._store.reading() as tx:
            return tx.webhooks.page(caller.organization_id, after, limit)

    def get(self, caller: Caller, webhook_id: str) -> Webhook:
        with self._store.reading() as tx:
            return _found(tx, caller, webhook_id)

    def update(
        self,
        caller: Caller,
        webhook_id: str,
        version: int | None,
        edit: Callable[[Webhook], Webhook],
        *,
        enabled: bool | None = None,
    ) -> Webhook:
        """Apply `edit`, which sets URL, description or subscriptions. One that is enabled again has never failed."""
        with changing(self._store, caller, self._clock) as (tx, now):
            before = _found(tx, caller, webhook_id, version)
            after = _switched(edit(before), now, enabled=enabled)
            if after.url != before.url:
                self._target(after.url)
            if after == before:
                return before
            after = replace(after, version=before.version + 1)
            tx.webhooks.save(after, was=before)
            told: dict[str, Any] = {"webhook": webhook_id, "changed": _changes(before, after)}
            tx.audit.append(caller.did(Event.WEBHOOK_UPDATED, now, **told))
        return after

    def delete(self, caller: Caller, webhook_id: str, version: int | None) -> None:
        """It is told nothing more, of what is pending either."""
        with changing(self._store, caller, self._clock) as (tx, now):
            _found(tx, caller, webhook_id, version)
            tx.webhooks.delete(caller.organization_id, webhook_id, int(now))
            tx.audit.append(caller.did(Event.WEBHOOK_DELETED, now, webhook=webhook_id))

    def rotate_secret(self, caller: Caller, webhook_id: str, version: int | None) -> NewWebhookSecret:
        """A new secret; the one before it signs as well for a day, and one before that no longer."""
        secret = new_webhook_secret()
        with changing(self._store, caller, self._clock) as (tx, now):
            before = _found(tx, caller, webhook_id, version)
            after = replace(
                before,
                sealed=seal(self._sealer, webhook_id, secret),
                previous_sealed=before.sealed,
                previous_until=int(now) + TWO_SIGNATURES_FOR,
                version=before.version + 1,
            )
            tx.webhooks.save(after, was=before)
            tx.audit.append(caller.did(Event.WEBHOOK_SECRET_ROTATED, now, webhook=webhook_id))
        return NewWebhookSecret(after, secret)

    def test(self, caller: Caller, webhook_id: str) -> DeliveryView:
        """Owe it an event that means nothing, whatever it subscribes to."""
        with changing(self._store, caller, self._clock) as (tx, now):
            webhook = _found(tx, caller, webhook_id)
            if webhook.disabled_at is not None:
                raise WebhookDisabled
            data = json.dumps({"organization": caller.organization_id, "actor": caller.actor})
            event = Owed(new_id("evt"), caller.organization_id, TEST, int(now), data)
            delivery = new_delivery(event, webhook_id, now)
            tx.deliveries.add(delivery)
        return DeliveryView(delivery, [], now)

    def deliveries(
        self, caller: Caller, webhook_id: str, after: tuple[int, str] | None, limit: int
    ) -> Sequence[DeliveryView]:
        """Newest first, `limit` at most, after the place of the last one seen."""
        now = self._clock()
        with self._store.reading() as tx:
            _found(tx, caller, webhook_id)
            found = tx.deliveries.page(caller.organization_id, webhook_id, after, limit)
            logs = tx.deliveries.attempts(found)
        return [DeliveryView(delivery, logs[delivery.id], now) for delivery in found]

    def redeliver(self, caller: Caller, webhook_id: str, delivery_id: str) -> DeliveryView:
        """Try it now, and for three days from now, whatever came of it so far. One that is being tried just is."""
        with changing(self._store, caller, self._clock) as (tx, now):
            webhook = _found(tx, caller, webhook_id)
            if webhook.disabled_at is not None:
                raise WebhookDisabled
            delivery = tx.deliveries.get(caller.organization_id, webhook_id, delivery_id)
            if delivery is None:
                raise NotFound("There is no delivery with this ID, or no longer.")
            if delivery.claimed_until is None or delivery.claimed_until <= now:
                delivery = replace(
                    delivery,
                    state=DeliveryState.PENDING,
                    tries=0,
                    next_at=int(now),
                    claimed_until=None,
                    until=int(now) + RETRIED_FOR,
                )
                tx.deliveries.save(delivery)
            return DeliveryView(delivery, tx.deliveries.attempts([delivery])[delivery.id], now)

    def _target(self, url: str) -> Target:
        """Names are judged when they are resolved, at each delivery; an address can be judged now."""
        try:
            target = read_target(url, plain_http=self._plain_http)
        except UnfitTarget as fault:
            raise InvalidInput([Fault("/url", str(fault))]) from None
        if target.literal is not None and not self._reach.admits(target.literal):
            raise InvalidInput([Fault("/url", "Webhooks must not reach private, local or reserved addresses.")])
        return target


def _found(tx: Transaction, caller: Caller, webhook_id: str, version: int | None = None) -> Webhook:
    webhook = tx.webhooks.get(caller.organization_id, webhook_id)
    if webhook is None:
        raise NotFound("There is no webhook with this ID.")
    if version is not None and webhook.version != version:
        raise PreconditionFailed
    return webhook


def _switched(webhook: Webhook, now: float, *, enabled: bool | None) -> Webhook:
    if enabled is None or enabled == (webhook.disabled_at is None):
        return webhook
    if enabled:
        return replace(webhook, disabled_at=None, disabled_reason="", failing_since=None)
    return replace(webhook, disabled_at=int(now), disabled_reason=BY_AN_OPERATOR)


def _changes(before: Webhook, after: Webhook) -> dict[str, tuple[Any, Any]]:
    old, new = _shown(before), _shown(after)
    changed = {name: (old[name], new[name]) for name in new if old[name] != new[name]}
    if before.url != after.url and "target" not in changed:
        changed["path"] = (None, "(another)")
    return changed


def _shown(webhook: Webhook) -> dict[str, Any]:
    return {
        "target": read_target(webhook.url, plain_http=True).origin,
        "description": webhook.description,
        "subscriptions": webhook.subscriptions,
        "enabled": webhook.disabled_at is None,
    }

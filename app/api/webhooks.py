"""How do webhooks look from outside? Bodies to domain values, and domain values to bodies."""

from __future__ import annotations

from app.api import webhook_bodies as bodies
from app.api.conditions import etag
from app.api.operation import Answer, Call
from app.inputs.fields import moment_text
from app.inputs.webhooks import WebhookChange, WebhookCreation, changed
from app.services.webhooks import DeliveryView, WebhookDraft, Webhooks
from app.settings import Settings
from tokenserver.clock import Clock, rfc3339
from tokenserver.domain.webhook import TWO_SIGNATURES_FOR, Webhook

PATH = "/v1/webhooks"


class WebhookOperations:
    def __init__(self, webhooks: Webhooks, settings: Settings, clock: Clock) -> None:
        self._webhooks = webhooks
        self._address = settings.issuer + PATH
        self._clock = clock

    def create(self, call: Call) -> Answer:
        asked: WebhookCreation = call.body
        made = self._webhooks.create(call.caller, WebhookDraft(asked.url, asked.description, tuple(asked.events)))
        body = bodies.CreatedWebhook(**dict(self._shown(made.webhook)), secret=made.secret.reveal())
        return Answer(body, [("Location", f"{self._address}/{body.id}"), *etag(body.version)])

    def list(self, call: Call) -> Answer:
        found = self._webhooks.list(call.caller, call.page.after_moment, call.page.limit + 1)
        webhooks, cursor, headers = call.page.cut(found, lambda one: (one.created_at, one.id), self._address)
        return Answer(bodies.WebhookList(items=[self._shown(one) for one in webhooks], next=cursor), headers)

    def read(self, call: Call) -> Answer:
        return self._answer(self._webhooks.get(call.caller, call.subject))

    def update(self, call: Call) -> Answer:
        change: WebhookChange = call.body
        return self._answer(
            self._webhooks.update(
                call.caller,
                call.subject,
                call.version,
                lambda webhook: changed(webhook, change),
                enabled=change.given().get("enabled"),
            )
        )

    def delete(self, call: Call) -> Answer:
        self._webhooks.delete(call.caller, call.subject, call.version)
        return Answer(None)

    def rotate_secret(self, call: Call) -> Answer:
        made = self._webhooks.rotate_secret(call.caller, call.subject, call.version)
        shown = self._shown(made.webhook)
        body = bodies.RotatedWebhookSecret(
            id=shown.id,
            secret=made.secret.reveal(),
            old_secret_until=shown.old_secret_until or moment_text(self._clock() + TWO_SIGNATURES_FOR),
            webhook=shown,
        )
        return Answer(body, etag(shown.version))

    def test(self, call: Call) -> Answer:
        return Answer(delivery_shown(self._webhooks.test(call.caller, call.subject)))

    def deliveries(self, call: Call) -> Answer:
        address = f"{self._address}/{call.subject}/deliveries"
        found = self._webhooks.deliveries(call.caller, call.subject, call.page.after_moment, call.page.limit + 1)
        views, cursor, headers = call.page.cut(found, lambda one: (one.delivery.created_at, one.delivery.id), address)
        return Answer(bodies.DeliveryList(items=[delivery_shown(view) for view in views], next=cursor), headers)

    def redeliver(self, call: Call) -> Answer:
        webhook_id, delivery_id = call.ids["webhook_id"], call.ids["delivery_id"]
        return Answer(delivery_shown(self._webhooks.redeliver(call.caller, webhook_id, delivery_id)))

    def _answer(self, webhook: Webhook) -> Answer:
        return Answer(self._shown(webhook), etag(webhook.version))

    def _shown(self, webhook: Webhook) -> bodies.Webhook:
        until = webhook.previous_until
        return bodies.Webhook(
            id=webhook.id,
            url=webhook.url,
            events=list(webhook.subscriptions),
            description=webhook.description,
            enabled=webhook.disabled_at is None,
            disabled_at=rfc3339(webhook.disabled_at),
            disabled_reason=None if webhook.disabled_at is None else webhook.disabled_reason,
            failing_since=rfc3339(webhook.failing_since),
            last_success_at=rfc3339(webhook.last_success_at),
            old_secret_until=rfc3339(until) if until is not None and self._clock() < until else None,
            created_at=moment_text(webhook.created_at),
            created_by=webhook.created_by,
            version=webhook.version,
        )


def delivery_shown(view: DeliveryView) -> bodies.Delivery:
    delivery = view.delivery
    return bodies.Delivery(
        id=delivery.id,
        event_id=delivery.event_id,
        type=delivery.type,
        state=delivery.state,
        created_at=moment_text(delivery.created_at),
        next_attempt_at=rfc3339(delivery.next_at),
        attempt_count=delivery.attempts,
        attempts=[
            bodies.Attempt(
                number=attempt.number,
                at=moment_text(attempt.at),
                duration_ms=attempt.duration_ms,
                status=attempt.status,
                error=attempt.error,
            )
            for attempt in view.log
        ],
    )

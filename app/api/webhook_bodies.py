"""What is answered about webhooks? Bodies of responses, as in `outputs`."""

from __future__ import annotations

from pydantic import Field

from app.api.outputs import Output
from app.inputs.fields import MomentText
from tokenserver.domain.webhook import DeliveryState


class Webhook(Output):
    id: str
    url: str
    events: list[str]
    description: str
    enabled: bool
    disabled_at: MomentText | None
    disabled_reason: str | None
    failing_since: MomentText | None
    """The first failure since the last success. After three days without a success it is disabled."""
    last_success_at: MomentText | None
    old_secret_until: MomentText | None
    """Until then, what is sent is signed with the secret before this one as well."""
    created_at: MomentText
    created_by: str
    version: int
    """Counts every change; the ETag is this number in quotation marks."""


class CreatedWebhook(Webhook):
    secret: str | None = Field(repr=False)
    """What signatures are checked with. Shown this once; null in the answer to a repeated request."""
    notice: str | None = Field(default=None, exclude_if=lambda notice: notice is None)
    """In the answer to a repeated request: what to do where the secret was lost."""


class RotatedWebhookSecret(Output):
    id: str
    secret: str | None = Field(repr=False)
    """Shown this once; null in the answer to a repeated request."""
    notice: str | None = Field(default=None, exclude_if=lambda notice: notice is None)
    """In the answer to a repeated request: what to do where the secret was lost."""
    old_secret_until: MomentText
    """Until then, what is sent carries a signature with each of the two."""
    webhook: Webhook


class WebhookList(Output):
    items: list[Webhook]
    """Newest first."""
    next: str | None
    """The cursor of the next page; null on the last one."""


class Attempt(Output):
    number: int
    at: MomentText
    duration_ms: int
    status: int | None
    """What the receiver answered; null where it did not."""
    error: str | None
    """Null where it was accepted."""


class Delivery(Output):
    id: str
    event_id: str
    """Also in the header `webhook-id` of every attempt: receivers tell repetitions by it."""
    type: str
    state: DeliveryState
    """`pending`: it is being tried, or will be. `failed`: given up after three days."""
    created_at: MomentText
    next_attempt_at: MomentText | None
    attempt_count: int
    attempts: list[Attempt]
    """The latest ones, newest first."""


class DeliveryList(Output):
    items: list[Delivery]
    """Newest first; kept for 30 days."""
    next: str | None
    """The cursor of the next page; null on the last one."""

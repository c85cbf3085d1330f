"""What is sent and answered about webhooks? Bodies of requests and responses, as in `inputs` and `outputs`."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from app.api.outputs import Output
from app.inputs.bodies import ABSENT, Input
from app.inputs.fields import Description, MomentText, refused, short
from tokenserver.domain.webhook import MOST_SUBSCRIPTIONS, DeliveryState, is_subscription
from tokenserver.domain.webhook_target import LONGEST_URL


def _known(text: str) -> str:
    if not is_subscription(text):
        raise refused("Must be a type of event such as credential.created, all of a subject (credential.*), or *.")
    return text


def _each_once(events: list[str]) -> list[str]:
    if len(set(events)) < len(events):
        raise refused("The same is listed twice.")
    return events


Events = Annotated[
    list[Annotated[str, AfterValidator(_known)]],
    short(MOST_SUBSCRIPTIONS),
    Field(min_length=1, max_length=MOST_SUBSCRIPTIONS),
    AfterValidator(_each_once),
]
Url = Annotated[str, Field(min_length=1, max_length=LONGEST_URL, json_schema_extra={"format": "uri"})]


class WebhookCreation(Input):
    url: Url
    """Where events are posted to: https, a public host, no user or password."""
    events: Events
    """What it is told of: types (`secret.rotated`), all of a subject (`credential.*`), or everything (`*`)."""
    description: Description = ""


class WebhookChange(Input):
    """Only members that are present change."""

    url: Url = ABSENT
    events: Events = ABSENT
    """Replaces the whole list."""
    description: Description = ABSENT
    enabled: bool = ABSENT
    """False: it is told nothing more until it is enabled again. What is pending waits."""


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

"""What is sent about webhooks, and what does it mean? Bodies of requests, and from bodies to domain values."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from app.inputs.bodies import ABSENT, Input
from app.inputs.fields import Description, refused, short
from tokenserver.domain.webhook import MOST_SUBSCRIPTIONS, Webhook, is_subscription
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


def changed(webhook: Webhook, change: WebhookChange) -> Webhook:
    """`webhook` with the members that are present."""
    given = change.given()
    members: dict[str, Any] = {name: given[name] for name in ("url", "description") if name in given}
    if "events" in given:
        members["subscriptions"] = tuple(change.events)
    return replace(webhook, **members)

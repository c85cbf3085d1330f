"""What is told to whom, and how long is it tried? The rules of webhooks.

An *event* has a type, `subject.action`. Each change that the audit log records is one (`credential:created` becomes
`credential.created`); `NOTICES` are those without an audit line of their own. A webhook subscribes to types, to all of
a subject (`credential.*`), or to everything (`*`).

What is owed to a webhook is a *delivery*. It is tried at once and then ever more seldom, for three days: at least once,
and never in a promised order. Pauses grow fourfold from five seconds to six hours and are spread by a fifth to either
side, so that what failed together does not come back together. A receiver may ask for a longer pause (`Retry-After`),
up to the longest of ours; for a shorter one it asks in vain, since it would set our pace for three days. The last
attempt is made when the three days are over. A webhook that has failed all that time without one success is disabled,
and its owner told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import StrEnum

from tokenserver.clock import DAY, HOUR, rfc3339
from tokenserver.domain.audit import Entry, Event

RETRIED_FOR = 3 * DAY
SUSTAINED = RETRIED_FOR - HOUR
"""How long a webhook has failed without one success when it is disabled: the first failure comes after the event."""
SHORTEST_PAUSE = 5
LONGEST_PAUSE = 6 * HOUR
SPREAD = 0.2
TWO_SIGNATURES_FOR = DAY
"""After the secret of a webhook was rotated, what is sent is signed with the old one as well."""

MOST_WEBHOOKS = 20
MOST_SUBSCRIPTIONS = 50
EVERYTHING = "*"
TEST = "webhook.test"
NOTICES = (
    "credential.expiring",
    "credential.rotation_due",
    "credential.rotation_failed",
    "credential.rotation_unclaimed",
    "credential.secret_leaked",
)
_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)
_HTTP_DATE = re.compile(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT", re.ASCII)
_SUBSCRIPTION = re.compile(r"\*|[a-z_]{1,40}\.(?:\*|[a-z_]{1,40})")
_UNTOLD = {event for event in Event if event.value.endswith((":refused", ":limited"))} | {Event.TOKEN_ISSUED}
"""What strangers can bring about at will, and what happens a thousand times a second."""


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where events are told. Its secrets are sealed; `previous_sealed` signs as well until `previous_until`.
    `failing_since` is the first failure since the last success.
    """

    id: str
    organization_id: str
    url: str = field(repr=False)
    description: str
    subscriptions: tuple[str, ...]
    sealed: bytes = field(repr=False)
    previous_sealed: bytes | None = field(default=None, repr=False)
    previous_until: int | None = None
    disabled_at: int | None = None
    disabled_reason: str = ""
    failing_since: int | None = None
    last_success_at: int | None = None
    created_at: int = 0
    created_by: str = ""
    version: int = 1


def event_type(entry: Entry) -> str | None:
    """The type of the event that an audit line tells; None where it tells of no change of an organization's things."""
    if entry.event in _UNTOLD or entry.outcome != "success" or not entry.organization:
        return None
    return _type(entry.event)


def event_types() -> list[str]:
    """Every type that can be subscribed to."""
    return sorted({*(_type(event) for event in Event if event not in _UNTOLD), *NOTICES})


def is_subscription(text: str) -> bool:
    """Whether anything could ever match it: one that is misspelt would be silent for ever."""
    if _SUBSCRIPTION.fullmatch(text) is None:
        return False
    return any(matches([text], type_) for type_ in event_types())


def matches(subscriptions: Iterable[str], type_: str) -> bool:
    """Whether one of the subscriptions is to `type_`."""
    wanted = {EVERYTHING, type_, type_.partition(".")[0] + ".*"}
    return not wanted.isdisjoint(subscriptions)


def next_attempt(attempts: int, now: float, until: int, chance: float, asked: float = 0) -> int | None:
    """When to try again after `attempts` that failed; None when it has been tried for long enough.

    `until` is when the last attempt is made; `chance`, from 0 to 1, spreads; `asked` is the pause that the receiver
    asked for, which is spread upwards only.
    """
    if now >= until:
        return None
    pause = min(SHORTEST_PAUSE * 4 ** min(attempts - 1, 10), LONGEST_PAUSE)
    ours = pause * (1 - SPREAD + 2 * SPREAD * chance)
    theirs = min(asked, LONGEST_PAUSE) * (1 + SPREAD * chance)
    return min(int(now + max(ours, theirs)) + 1, until)


def asked_pause(unverified_retry_after: str, now: float) -> float:
    """How many seconds a receiver asks for (RFC 9110 §10.2.3); 0 where it asks for nothing that can be read."""
    text = unverified_retry_after.strip(" \t")
    if _SECONDS.fullmatch(text):
        return int(text)
    if _HTTP_DATE.fullmatch(text) is None:
        return 0
    try:
        return max(parsedate_to_datetime(text).timestamp() - now, 0)
    except (ValueError, OverflowError):
        return 0


def is_sustained(failing_since: int, now: float) -> bool:
    """Whether a webhook that has had no success since has failed for so long that it is disabled."""
    return now - failing_since >= SUSTAINED


def told(entry: Entry) -> dict[str, object]:
    """What an event says of an audit line: who did what to which credential, and what changed. Never a secret."""
    return {
        "organization": entry.organization,
        "actor": entry.actor,
        "credential": entry.credential or None,
        "request_id": entry.request_id or None,
        "detail": dict(entry.detail),
    }


def envelope(type_: str, at: int, data: object) -> dict[str, object]:
    """The body of a delivery, as Standard Webhooks wants it; the same at each attempt."""
    return {"type": type_, "timestamp": rfc3339(at), "data": data}


def _type(event: Event) -> str:
    return event.value.replace(":", ".")

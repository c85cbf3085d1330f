"""The rules of webhooks: what is told to whom, and how long it is tried."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenserver.clock import DAY, HOUR
from tokenserver.domain.audit import Entry, Event
from tokenserver.domain.webhook import (
    LONGEST_PAUSE,
    RETRIED_FOR,
    SPREAD,
    asked_pause,
    event_type,
    event_types,
    is_subscription,
    is_sustained,
    matches,
    next_attempt,
    told,
)

NOW = 1_800_000_000


def entry(event=Event.CREDENTIAL_CREATED, **members):
    return Entry(event, NOW, "shell", **{"organization": "org_1", **members})


def test_a_change_that_is_recorded_is_an_event_by_the_same_name():
    assert event_type(entry()) == "credential.created"
    assert event_type(entry(Event.SECRET_ROTATED)) == "secret.rotated"


@pytest.mark.parametrize("event", [Event.TOKEN_ISSUED, Event.TOKEN_REFUSED, Event.ADMIN_REFUSED])
def test_what_changes_nothing_is_no_event(event):
    assert event_type(entry(event)) is None
    assert event.value.replace(":", ".") not in event_types()


def test_what_was_refused_or_is_nobodys_is_no_event():
    assert event_type(entry(outcome="refused")) is None
    assert event_type(entry(organization="")) is None


def test_what_is_told_is_what_the_audit_line_says():
    said = told(entry(credential="tsc_1", detail={"changed": {"name": ["a", "b"]}}, address="192.0.2.1"))
    assert said == {
        "organization": "org_1",
        "actor": "shell",
        "credential": "tsc_1",
        "request_id": None,
        "detail": {"changed": {"name": ["a", "b"]}},
    }


SUBSCRIPTIONS = {
    "everything": ("*", True),
    "a type": ("credential.created", True),
    "all of a subject": ("credential.*", True),
    "a notice without an audit line": ("credential.secret_leaked", True),
    "a type that never happens": ("credential.eaten", False),
    "a subject that there is not": ("dog.*", False),
    "what is no event": ("token.issued", False),
    "an audit event": ("credential:created", False),
    "part of a name": ("credential.crea*", False),
    "all subjects": ("*.created", False),
    "capitals": ("Credential.created", False),
    "a space": ("credential.created ", False),
    "nothing": ("", False),
    "very long": ("credential." + "x" * 10_000, False),
}


@pytest.mark.parametrize(("text", "good"), SUBSCRIPTIONS.values(), ids=SUBSCRIPTIONS.keys())
def test_a_subscription_is_to_what_can_happen(text, good):
    assert is_subscription(text) is good


def test_every_type_can_be_subscribed_to_and_is_matched():
    for type_ in event_types():
        assert is_subscription(type_)
        assert matches([type_], type_)
        assert matches([type_.partition(".")[0] + ".*"], type_)
        assert matches(["role.created", "*"], type_)
        assert not matches([], type_)
    assert not matches(["credential.*", "secret.rotated"], "secret.regenerated")


def attempts_until_given_up(chance):
    """Moments of all attempts at a receiver that never answers well."""
    moments, at = [0], 0
    while (following := next_attempt(len(moments), at, RETRIED_FOR, chance)) is not None:
        moments.append(following)
        at = following
    return moments


@given(chance=st.floats(0, 1))
def test_it_is_tried_ever_more_seldom_for_three_days_and_the_last_time_at_their_end(chance):
    moments = attempts_until_given_up(chance)
    assert moments[-1] == RETRIED_FOR == 3 * DAY
    pauses = [later - earlier for earlier, later in pairwise(moments)]
    assert 4 <= pauses[0] <= 7
    assert all(earlier < later for earlier, later in pairwise(pauses[:6]))
    assert max(pauses) <= LONGEST_PAUSE * 1.2 + 1
    assert 15 <= len(moments) <= 25


@pytest.mark.parametrize("chance", [0, 0.5, 1])
def test_a_receiver_may_ask_for_a_longer_pause_within_bounds_and_never_for_a_shorter_one(chance):
    def pause(asked, attempts=1, until=NOW + RETRIED_FOR):
        return (next_attempt(attempts, NOW, until, chance, asked) or 0) - NOW

    ours = pause(0)
    assert pause(1) == ours
    assert 60 <= pause(60) <= 60 * (1 + SPREAD) + 1
    assert LONGEST_PAUSE <= pause(10 * DAY) <= LONGEST_PAUSE * (1 + SPREAD) + 1
    assert pause(60, attempts=9) == pause(0, attempts=9)
    assert pause(3600, until=NOW + 100) == 100
    assert next_attempt(1, NOW, NOW, chance, 3600) is None


WISHES = {
    "seconds": ("120", 120),
    "seconds in spaces": (" 120\t", 120),
    "a date": ("Fri, 15 Jan 2027 08:01:00 GMT", 60),
    "a date that is over": ("Fri, 15 Jan 2027 07:59:00 GMT", 0),
    "nothing": ("", 0),
    "no time at all": ("0", 0),
    "less than nothing": ("-5", 0),
    "a part of a second": ("1.5", 0),
    "more digits than anybody means": ("9" * 5000, 0),
    "digits of another script": ("١٢٠", 0),
    "words": ("soon", 0),
    "two of them": ("5, 6", 0),
    "a date that there is not": ("Fri, 99 Jan 2027 08:01:00 GMT", 0),
    "a month that there is not": ("Fri, 15 Foo 2027 08:01:00 GMT", 0),
    "a date in another form": ("2027-01-15T08:01:00Z", 0),
}


@pytest.mark.parametrize(("said", "seconds"), WISHES.values(), ids=WISHES.keys())
def test_what_a_receiver_says_of_when_to_come_back_is_read_strictly(said, seconds):
    assert asked_pause(said, 1800000000) == seconds  # 2027-01-15T08:00:00Z


def test_what_failed_together_does_not_come_back_together():
    moments = {next_attempt(6, NOW, NOW + DAY, chance / 100) or NOW for chance in range(101)}
    assert len(moments) > 90
    assert max(moments) - min(moments) >= HOUR / 2


def test_a_webhook_that_failed_for_nearly_three_days_is_to_be_disabled():
    assert not is_sustained(NOW, NOW + 2 * DAY)
    assert is_sustained(NOW, NOW + 3 * DAY - HOUR)
    assert is_sustained(NOW + 30, NOW + 3 * DAY), "the first failure comes after the event, the last at its end"

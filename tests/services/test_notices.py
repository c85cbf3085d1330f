"""Is somebody told 90, 60, 30, 15, 7 and 1 days before a credential expires: once each, and only what is still news?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.services.notices import NOTICES
from tests.support.rotations import client_id, owed
from tests.support.workshop import at_once, failed
from tokenserver.clock import DAY, HOUR, rfc3339

both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


def expiring(workshop, days, seconds=0):
    return workshop.credential(expires_at=int(workshop.clock.now) + days * DAY + seconds)


def work(workshop):
    while workshop.services.notices.work(workshop.clock.now):
        pass


def told(workshop, made=None):
    """The days of each notice, in the order in which they were given."""
    given = owed(workshop, "credential.expiring")
    return [event["days"] for event in given if made is None or event["client_id"] == client_id(made)]


def set_expiry(workshop, made, expires_at):
    workshop.services.credentials.update(
        workshop.caller,
        client_id(made),
        None,
        lambda own: replace(own, restrictions=replace(own.restrictions, expires_at=expires_at)),
    )


@pytest.mark.slow
@both
def test_each_notice_is_given_once_on_its_day(workshop):
    work(workshop)
    made, never = expiring(workshop, 100, 5), workshop.credential(expires_at=None)
    expires_at = made.view.credential.restrictions.expires_at
    seen = []
    for _ in range(102):
        workshop.clock.advance(DAY)
        before = len(told(workshop))
        work(workshop)
        seen += [(days, (expires_at - workshop.clock.now) / DAY) for days in told(workshop)[before:]]
    assert [days for days, _ in seen] == list(NOTICES)
    assert all(days - 1 < left <= days for days, left in seen)
    assert told(workshop, never) == []
    assert owed(workshop)[0] == {
        "type": "credential.expiring",
        "client_id": client_id(made),
        "name": made.view.credential.name,
        "expires_at": rfc3339(expires_at),
        "days": 90,
    }


@both
def test_after_a_downtime_only_the_latest_one_that_is_due_is_given(workshop):
    work(workshop)
    made = {left: expiring(workshop, 100, left * DAY) for left in (2, 8, 20, 50, 85)}
    workshop.clock.advance(100 * DAY)
    work(workshop)
    work(workshop)
    assert {left: told(workshop, one) for left, one in made.items()} == {
        2: [7],
        8: [15],
        20: [30],
        50: [60],
        85: [90],
    }


def test_what_has_expired_during_the_downtime_is_no_news(workshop):
    work(workshop)
    expiring(workshop, 95)
    workshop.clock.advance(96 * DAY)
    work(workshop)
    assert told(workshop) == []


def test_at_the_first_start_everybody_gets_the_latest_one(workshop):
    made = {days: expiring(workshop, days) for days in (1, 5, 45, 89, 200)}
    work(workshop)
    assert {days: told(workshop, one) for days, one in made.items()} == {1: [1], 5: [7], 45: [60], 89: [90], 200: []}


def test_whoever_sets_an_expiry_in_twenty_days_is_told_in_five(workshop):
    work(workshop)
    made = expiring(workshop, 20)
    workshop.clock.advance(60)
    work(workshop)
    assert told(workshop) == []
    workshop.clock.advance(5 * DAY)
    work(workshop)
    assert told(workshop, made) == [15]


def test_a_changed_expiry_starts_anew(workshop):
    work(workshop)
    made = expiring(workshop, 31)
    workshop.clock.advance(2 * DAY)
    work(workshop)
    assert told(workshop) == [30]
    set_expiry(workshop, made, int(workshop.clock.now) + 31 * DAY)
    work(workshop)
    assert told(workshop) == [30]
    workshop.clock.advance(2 * DAY)
    work(workshop)
    assert told(workshop) == [30, 30]
    set_expiry(workshop, made, None)
    workshop.clock.advance(30 * DAY)
    work(workshop)
    assert told(workshop) == [30, 30]


def test_nobody_is_told_of_a_credential_that_was_revoked_or_deleted(workshop):
    work(workshop)
    revoked, deleted, disabled = (expiring(workshop, 10) for _ in range(3))
    own = workshop.services.credentials
    own.revoke(workshop.caller, client_id(revoked), "")
    own.delete(workshop.caller, client_id(deleted))
    own.disable(workshop.caller, client_id(disabled))
    workshop.clock.advance(4 * DAY)
    work(workshop)
    assert told(workshop) == told(workshop, disabled) == [7]


@both
def test_many_that_expire_at_the_same_second_are_each_told_once_in_several_turns(workshop, monkeypatch):
    workshop.services.notices._pace.size = 7
    workshop.services.notices._pace._most = 7
    work(workshop)
    made = [expiring(workshop, 8) for _ in range(25)]
    workshop.clock.advance(DAY + 1)
    turns = 0
    while workshop.services.notices.work(workshop.clock.now):
        turns += 1
    assert turns >= 3
    assert sorted(event["client_id"] for event in owed(workshop)) == sorted(map(client_id, made))


@both
def test_two_nodes_that_look_at_once_tell_once(workshop):
    work(workshop)
    made, other = [expiring(workshop, 8) for _ in range(10)], workshop.beside()
    workshop.clock.advance(DAY + 1)
    nodes = (workshop, other) * 3
    assert failed(at_once(*[lambda node=node: node.services.notices.work(workshop.clock.now) for node in nodes])) == []
    assert len(told(workshop)) == len(made)
    other.close()


def test_a_notice_that_was_cut_short_is_given_the_next_time(workshop, monkeypatch):
    from app.store.expiries import ExpiryStore

    work(workshop)
    made = expiring(workshop, 8)
    workshop.clock.advance(DAY + 1)

    class PowerCut(BaseException):
        pass

    def cut_short(*_):
        raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr(ExpiryStore, "reach", cut_short)
        with pytest.raises(PowerCut):
            work(workshop)
    assert told(workshop) == []
    work(workshop)
    assert told(workshop, made) == [7]


def test_a_clock_that_is_set_back_by_an_hour_gives_no_notice_twice(workshop):
    work(workshop)
    expiring(workshop, 8)
    workshop.clock.advance(DAY + 60)
    work(workshop)
    workshop.clock.advance(-HOUR)
    work(workshop)
    workshop.clock.advance(2 * HOUR)
    work(workshop)
    assert told(workshop) == [7]


def test_a_clock_that_was_a_year_ahead_for_a_moment_silences_nobody(workshop):
    work(workshop)
    made = expiring(workshop, 200)
    workshop.clock.advance(365 * DAY)
    work(workshop)
    workshop.clock.advance(-365 * DAY)
    work(workshop)
    workshop.clock.advance(111 * DAY)
    work(workshop)
    assert told(workshop, made) == [90]

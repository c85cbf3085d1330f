"""Is everything counted that the audit log says of tokens, once, and under its hour?"""

from __future__ import annotations

import pytest

from app.services import activity
from tokenserver.clock import DAY, HOUR
from tokenserver.domain.audit import Entry, Event

both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


def counted(workshop, periods=24, period=HOUR):
    while workshop.services.activities.piece(workshop.clock()):
        pass
    return workshop.services.activities.over(workshop.caller, periods, period)


def refuse(workshop, reason, **detail):
    with workshop.services.store.writing() as tx:
        tx.audit.append(
            Entry(
                Event.TOKEN_REFUSED,
                workshop.clock(),
                "credential:x",
                workshop.caller.organization_id,
                outcome="refused",
                detail={"error": "invalid_client", "reason": reason, **detail},
            )
        )


@both
def test_tokens_are_counted_by_the_hour_and_refusals_by_their_reason(workshop, monkeypatch):
    monkeypatch.setattr(activity, "AT_ONCE", 2)
    made = workshop.credential()
    for _ in range(3):
        workshop.issue(made)
    workshop.clock.advance(HOUR)
    workshop.issue(made)
    refuse(workshop, "wrong secret")
    refuse(workshop, "wrong secret", more=4)
    refuse(workshop, "expired")
    seen = counted(workshop)
    now = int(workshop.clock())
    hour = now - now % HOUR
    assert (seen.issued[hour - HOUR], seen.issued[hour]) == (3, 1)
    assert seen.reasons() == [("wrong secret", 5), ("expired", 1)]
    assert len(seen.issued) == 24
    assert counted(workshop) == seen


def test_days_are_sums_of_hours(workshop):
    made = workshop.credential()
    workshop.issue(made)
    workshop.clock.advance(2 * DAY)
    workshop.issue(made)
    assert sorted(counted(workshop, 30, DAY).issued.values())[-3:] == [0, 1, 1]


def test_two_that_count_at_once_count_nothing_twice(workshop):
    workshop.issue(workshop.credential())
    with workshop.services.store.reading() as tx:
        found = [(was, last, tx.activity.issued(was, last, activity._ISSUED)) for was, last in tx.activity.behind()]
    assert sum(counts.total() for _, _, counts in found) == 1
    with workshop.services.store.writing() as tx:
        for was, last, counts in [*found, *found]:
            tx.activity.count(counts, was, last)
    assert sum(counted(workshop).issued.values()) == 1


def test_what_is_counted_is_one_commit_and_then_a_pause(workshop, monkeypatch):
    """While tokens are issued there are always some more: whoever went on at once would never let go."""
    monkeypatch.setattr(activity, "AT_ONCE", 3)
    made = workshop.credential()
    while workshop.services.activities.piece(workshop.clock()):
        pass
    for _ in range(5):
        workshop.issue(made)
    assert workshop.services.activities.piece(workshop.clock())
    assert not workshop.services.activities.piece(workshop.clock())
    assert sum(counted(workshop).issued.values()) == 5


def test_lines_that_were_pruned_before_they_were_counted_hold_nothing_up(workshop):
    workshop.issue(workshop.credential())
    with workshop.services.store.writing() as tx:
        tx.session.connection().exec_driver_sql("DELETE FROM audit_event")
    assert sum(counted(workshop).issued.values()) == 0
    workshop.issue(workshop.credential())
    assert sum(counted(workshop).issued.values()) == 1


def test_an_hour_is_forgotten_after_90_days(workshop):
    made = workshop.credential()
    workshop.issue(made)
    counted(workshop)
    workshop.clock.advance(91 * DAY)
    workshop.issue(made)
    counted(workshop)
    with workshop.services.store.reading() as tx:
        assert len(tx.activity.hours([workshop.caller.organization_id], 0)) == 1


def test_one_organization_does_not_see_what_another_does(workshop):
    from dataclasses import replace

    workshop.issue(workshop.credential())
    counted(workshop)
    stranger = replace(workshop.caller, organization_id="org_other", scopes=frozenset())
    assert sum(workshop.services.activities.over(stranger, 24, HOUR).issued.values()) == 0

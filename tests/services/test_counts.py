"""Is what is counted right: in its period, across nodes, while Redis is away, and within bounds?"""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from app.quotas import Quota
from app.services import counts
from app.services.counts import Counts
from tests.support.server import StillClock
from tests.support.workshop import at_once
from tests.support.world import eventually
from tokenserver.errors import Unavailable

QUOTA = Quota("address", 5, 60)
BEGIN = 1_800_000_000.0  # a whole minute


class Shared:
    """What all nodes count together; may be away."""

    def __init__(self):
        self.totals: Counter[str] = Counter()
        self.away = False
        self.asked = 0

    def tell(self, told):
        self.asked += 1
        if self.away:
            raise Unavailable(detail="away")
        told = list(told)
        self.totals.update({name: amount for name, amount, _ in told})
        return {name: self.totals[name] for name, _, _ in told}


@pytest.fixture
def quiet(monkeypatch):
    """Counts exchange when the test says so."""
    monkeypatch.setattr(Counts, "_wake", lambda _: None)


def test_each_hit_counts_one_more_and_keys_are_apart():
    counted = Counts(StillClock(BEGIN))
    assert [counted.hit(QUOTA, "a")[0] for _ in range(3)] == [1, 2, 3]
    assert counted.hit(QUOTA, "b")[0] == 1
    assert counted.hit(Quota("feed", 5, 60), "a")[0] == 1


def test_counting_begins_anew_when_the_period_is_over_and_not_before():
    clock = StillClock(BEGIN)
    counted = Counts(clock)
    assert counted.hit(QUOTA, "a") == (1, 61)
    clock.now = BEGIN + 59.9
    assert counted.hit(QUOTA, "a") == (2, 1)
    clock.now = BEGIN + 60
    assert counted.hit(QUOTA, "a")[0] == 1


def test_a_clock_that_is_set_back_begins_anew_and_locks_nobody_out():
    clock = StillClock(BEGIN)
    counted = Counts(clock)
    for _ in range(9):
        counted.hit(QUOTA, "a")
    clock.now = BEGIN - 3600
    count, ends_in = counted.hit(QUOTA, "a")
    assert count == 1
    assert ends_in <= 61


def test_no_hit_is_lost_among_threads():
    counted = Counts(StillClock(BEGIN))
    at_once(*[lambda: [counted.hit(QUOTA, "a") for _ in range(500)]] * 8)
    assert counted.hit(QUOTA, "a")[0] == 4001


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(counts, "MOST_KEYS", 10)
    counted = Counts(StillClock(BEGIN))
    for number in range(1000):
        counted.hit(QUOTA, str(number))
        assert len(counted._periods["address"].counts) <= 10


@pytest.mark.usefixtures("quiet")
class TestTogether:
    def test_nodes_count_together(self):
        shared, clock = Shared(), StillClock(BEGIN)
        first, second = Counts(clock, shared.tell), Counts(clock, shared.tell)
        for _ in range(3):
            first.hit(QUOTA, "a")
            second.hit(QUOTA, "a")
        first.exchange()
        second.exchange()
        first.hit(QUOTA, "a")
        first.exchange()
        assert second.hit(QUOTA, "a")[0] == 7  # the fourth of its own, and three that were told before
        second.exchange()
        assert second.hit(QUOTA, "a")[0] == 9

    def test_what_was_counted_while_nobody_listened_is_told_afterwards(self):
        shared, clock = Shared(), StillClock(BEGIN)
        counted = Counts(clock, shared.tell)
        shared.away = True
        for expected in range(1, 5):
            assert counted.hit(QUOTA, "a")[0] == expected
            with pytest.raises(Unavailable):
                counted.exchange()
        shared.away = False
        counted.exchange()
        assert list(shared.totals.values()) == [4]
        assert counted.hit(QUOTA, "a")[0] == 5

    def test_nothing_is_told_twice_and_nobody_is_asked_for_nothing(self):
        shared = Shared()
        counted = Counts(StillClock(BEGIN), shared.tell)
        counted.hit(QUOTA, "a")
        counted.exchange()
        counted.exchange()
        assert shared.asked == 1
        assert list(shared.totals.values()) == [1]

    def test_periods_are_not_mixed(self):
        shared, clock = Shared(), StillClock(BEGIN)
        first, second = Counts(clock, shared.tell), Counts(clock, shared.tell)
        first.hit(QUOTA, "a")
        first.exchange()
        clock.advance(60)
        second.hit(QUOTA, "a")
        second.exchange()
        assert second.hit(QUOTA, "a")[0] == 2

    def test_many_keys_are_told_in_turns(self, monkeypatch):
        monkeypatch.setattr(counts, "MOST_AT_ONCE", 10)
        shared = Shared()
        counted = Counts(StillClock(BEGIN), shared.tell)
        for number in range(25):
            counted.hit(QUOTA, str(number))
        for told in (10, 20, 25):
            counted.exchange()
            assert len(shared.totals) == told


def test_the_thread_tells_by_itself_and_comes_back_by_itself(monkeypatch):
    monkeypatch.setattr(counts, "LONGEST_PAUSE", 0.1)
    shared, clock = Shared(), StillClock(BEGIN)
    first, second = Counts(clock, shared.tell), Counts(clock, shared.tell)
    first.hit(QUOTA, "a")
    eventually(lambda: sum(shared.totals.values()) == 1, "the first hit was told")
    shared.away = True
    first.hit(QUOTA, "a")
    asked = shared.asked
    eventually(lambda: shared.asked > asked, "it was tried")
    shared.away = False
    eventually(lambda: sum(shared.totals.values()) == 2, "the second was told when Redis was back")
    second.hit(QUOTA, "a")
    eventually(lambda: sum(shared.totals.values()) == 3, "another node tells too")
    assert eventually(lambda: second.hit(QUOTA, "a")[0] >= 4, "and learns")


def test_a_hit_waits_for_nobody_who_tells():
    """However long Redis takes."""
    stuck, release = threading.Event(), threading.Event()

    def tell(_):
        stuck.set()
        release.wait(timeout=30)
        raise Unavailable

    counted = Counts(StillClock(BEGIN), tell)
    counted.hit(QUOTA, "a")
    assert stuck.wait(timeout=30)
    assert counted.hit(QUOTA, "a")[0] == 2  # would hang
    release.set()


def test_an_exception_nobody_thought_of_does_not_end_the_thread(monkeypatch):
    monkeypatch.setattr(counts, "LONGEST_PAUSE", 0.05)
    asked = []

    def tell(told):
        asked.append(list(told))
        raise RuntimeError("unthought of")

    counted = Counts(StillClock(BEGIN), tell)
    counted.hit(QUOTA, "a")
    eventually(lambda: asked, "it was tried")
    counted.hit(QUOTA, "a")
    eventually(lambda: len(asked) > 1, "it lives")

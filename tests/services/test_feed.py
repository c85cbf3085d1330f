"""Does the feed tell what moved, at once to those who wait, and never an old state as a new one?"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.services.feed import MOST_STATEMENTS_KEPT, Watch
from app.store.feed import WINDOW
from app.store.high_water import WentBack
from tests.support.workshop import ISSUER, at_once, succeeded
from tests.support.world import eventually
from tokenserver.clock import Ratchet
from tokenserver.domain.generation import Floor
from tokenserver.domain.liveness import reference

both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


def regenerate(workshop, made):
    workshop.services.credentials.regenerate(workshop.caller, made.view.credential.client_id)


@pytest.fixture
def made(workshop):
    return workshop.credential()


# --- what is told ---


def test_a_statement_says_what_moved_and_when(workshop, made):
    regenerate(workshop, made)
    told = workshop.statement()
    ref = reference(made.view.credential.client_id)
    assert told.issuer == ISSUER
    assert told.issued_at == workshop.clock()
    assert (told.seq, told.since, told.window) == (1, 0, WINDOW)
    assert told.floors == ((ref, Floor(2, int(workshop.clock()))),)
    assert made.view.credential.client_id not in workshop.services.feed.statement()


def test_only_what_is_new_is_told_to_those_who_know_the_rest(workshop, made):
    for _ in range(3):
        regenerate(workshop, made)
    told = workshop.statement(2)
    assert (told.since, told.seq) == (2, 3)
    assert [floor.number for _, floor in told.floors] == [4]
    assert workshop.statement(3).floors == ()


def test_who_claims_to_know_more_than_there_is_learns_where_we_are(workshop, made):
    regenerate(workshop, made)
    told = workshop.statement(2**53 - 1)
    assert (told.since, told.seq, told.floors) == (1, 1, ())


CHANGES = {
    "regenerate": lambda s, c, i: s.regenerate(c, i),
    "rotate": lambda s, c, i: s.rotate(c, i, 600),
    "disable": lambda s, c, i: s.disable(c, i),
    "revoke": lambda s, c, i: s.revoke(c, i, "stolen"),
    "delete": lambda s, c, i: s.delete(c, i),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_every_change_that_ends_tokens_is_in_the_feed_when_it_returns(workshop, made, change):
    change(workshop.services.credentials, workshop.caller, made.view.credential.client_id)
    assert {ref for ref, _ in workshop.statement().floors} == {reference(made.view.credential.client_id)}


def test_what_ends_nothing_is_not_in_the_feed(workshop, made):
    credentials, client_id = workshop.services.credentials, made.view.credential.client_id
    credentials.update(workshop.caller, client_id, None, lambda c: c.renamed("other", "words"))
    credentials.enable(workshop.caller, client_id)
    assert workshop.statement().seq == 0


# --- signatures ---


def test_everybody_who_asks_the_same_gets_the_same_bytes(workshop, made):
    regenerate(workshop, made)
    feed = workshop.services.feed
    told = succeeded(at_once(*[lambda: [feed.statement(after) for after in (0, 1)]] * 12))
    assert len(told) == 12
    assert all(pair == told[0] for pair in told)


def test_nothing_is_signed_twice_within_a_second_in_which_nothing_changes(workshop, made):
    feed = workshop.services.feed
    regenerate(workshop, made)
    workshop.clock.now = float(int(workshop.clock.now))
    first = feed.statement()
    workshop.clock.advance(0.999)
    assert feed.statement() == first
    workshop.clock.advance(0.001)
    second = workshop.statement()
    assert second.issued_at == workshop.clock()
    assert feed.statement() != first


def test_a_change_is_told_at_once_and_not_a_second_later(workshop, made):
    before = workshop.statement()
    regenerate(workshop, made)
    assert workshop.statement().seq == before.seq + 1


@both
def test_no_process_tells_an_old_state_as_a_new_one(workshop):
    made, other = workshop.credential(), workshop.beside()
    for number in range(1, 6):
        regenerate(workshop, made)
        assert other.statement().seq == number


def test_what_is_kept_is_bounded_whatever_is_asked(workshop, made):
    regenerate(workshop, made)
    for _ in range(MOST_STATEMENTS_KEPT + 20):
        workshop.clock.advance(1)
        workshop.statement()
        workshop.statement(1)
    assert len(workshop.services.feed._signed) <= MOST_STATEMENTS_KEPT


def test_a_clock_that_is_set_back_does_not_make_a_statement_older_than_one_before(workshop):
    """G15: a resource server would take it for a replay."""
    workshop.services.feed._clock = Ratchet(workshop.clock)
    moments = []
    for step in (0, 1, -60, 1, 58, 1, 1):
        workshop.clock.advance(step)
        moments.append(workshop.statement().issued_at)
    assert moments == sorted(moments)
    assert moments[-1] == workshop.clock()


# --- waiting ---


class Waiters:
    """Threads that hold a request for the feed."""

    def __init__(self, workshop, count, after, wait=20.0):
        self.watch = workshop.services.feed._watch
        self.threads = ThreadPoolExecutor(count)
        self.began = time.monotonic()
        self.outcomes = [self.threads.submit(workshop.statement, after, wait) for _ in range(count)]

    def are(self, count):
        eventually(lambda: self.watch._waiting == count, f"{count} wait")

    def told(self):
        return [outcome.result(timeout=30) for outcome in self.outcomes]


def test_all_who_wait_are_told_when_something_changes(workshop, made):
    waiters = Waiters(workshop, 10, after=0)
    waiters.are(10)
    regenerate(workshop, made)
    assert {statement.seq for statement in waiters.told()} == {1}
    assert time.monotonic() - waiters.began < 15


@both
def test_a_change_of_another_process_wakes_them_as_well(workshop):
    made, other = workshop.credential(), workshop.beside()
    waiters = Waiters(other, 5, after=0)
    waiters.are(5)
    regenerate(workshop, made)
    assert {statement.seq for statement in waiters.told()} == {1}
    again = Waiters(other, 2, after=1)
    again.are(2)
    regenerate(workshop, made)
    assert {statement.seq for statement in again.told()} == {2}, "and the next time"


def test_who_is_behind_does_not_wait(workshop, made):
    regenerate(workshop, made)
    began = time.monotonic()
    assert workshop.statement(0, wait=20).seq == 1
    assert time.monotonic() - began < 10


def test_when_nothing_changes_the_wait_ends_with_a_fresh_statement(workshop):
    workshop.clock.advance(1)
    told = workshop.statement(0, wait=0.2)
    assert (told.seq, told.issued_at) == (0, workshop.clock())


def test_who_finds_no_place_to_wait_is_answered_at_once(workshop):
    crowded = workshop.beside(feed_waiters=3)
    waiters = Waiters(crowded, 3, after=0)
    waiters.are(3)
    began = time.monotonic()
    assert crowded.statement(0, wait=20).seq == 0
    assert time.monotonic() - began < 10
    crowded.services.feed._watch._seq = 0
    regenerate(crowded, crowded.credential())
    assert {statement.seq for statement in waiters.told()} == {1}
    patient = Waiters(crowded, 3, after=1)
    patient.are(3)
    regenerate(crowded, crowded.credential())
    assert len(patient.told()) == 3, "the places are free again"


def test_where_nobody_may_wait_everybody_is_answered_at_once(workshop):
    impatient = workshop.beside(feed_waiters=0)
    assert impatient.statement(0, wait=20).seq == 0


def test_nobody_watches_the_database_while_nobody_waits(workshop):
    Waiters(workshop, 2, after=0, wait=0.1).told()
    eventually(lambda: not workshop.services.feed._watch._watching, "the watch ends")
    assert not [thread for thread in threading.enumerate() if thread.name == "feed-watch" and _is_of(thread, workshop)]


def _is_of(thread, workshop):
    target = getattr(thread, "_target", None)
    return getattr(target, "__self__", None) is workshop.services.feed._watch


def test_one_thread_watches_for_all_who_wait():
    looks: list[str] = []
    moved = threading.Event()

    def last_seq():
        looks.append(threading.current_thread().name)
        return int(moved.is_set())

    class Pause:
        def wait(self):
            time.sleep(0.002)

    watch = Watch(last_seq, Pause())  # type: ignore[arg-type]
    with ThreadPoolExecutor(20) as threads:
        outcomes = [threads.submit(watch.beyond, 0, 20) for _ in range(20)]
        eventually(lambda: watch._waiting == 20, "all wait")
        assert set(looks) <= {"feed-watch"}
        moved.set()
        assert [outcome.result(timeout=30) for outcome in outcomes] == [1] * 20


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_watch_that_dies_is_replaced_by_the_next_who_waits():
    calls = [0]

    class Broken:
        def wait(self):
            calls[0] += 1
            if calls[0] == 1:
                raise MemoryError
            time.sleep(0.002)

    seq = [0]
    watch = Watch(lambda: seq[0], Broken())  # type: ignore[arg-type]
    assert watch.beyond(0, 0.2) == 0
    with ThreadPoolExecutor(1) as threads:
        outcome = threads.submit(watch.beyond, 0, 20)
        eventually(lambda: calls[0] > 1, "somebody watches again")
        seq[0] = 1
        assert outcome.result(timeout=30) == 1


def test_a_database_that_went_back_is_told_to_nobody(workshop, made):
    for _ in range(2):
        regenerate(workshop, made)
    workshop.statement()
    with workshop.services.store.writing() as tx:
        tx.session.connection().exec_driver_sql("UPDATE counter SET value = 1 WHERE name = 'feed'")
    for after in (0, 1):
        with pytest.raises(WentBack):
            workshop.statement(after)

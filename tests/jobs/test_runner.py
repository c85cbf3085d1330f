"""Is what is due done: by exactly one process, again and again, whatever fails?"""

from __future__ import annotations

import logging
import threading
from itertools import pairwise

import pytest
from sqlalchemy import text

from app.jobs import Job
from app.jobs.runner import FOLLOWING_SECONDS, LONGEST_PAUSE, RENEWING_SECONDS
from app.services.clockwork import LEASE_SECONDS, LastRun
from tests.support.world import eventually


class Ran:
    """A job that remembers when it ran, and does as it is told."""

    def __init__(self, name="sweep", every_seconds=60, outcomes=()):
        self.at = []
        self.outcomes = list(outcomes)
        self.ended = threading.Event()
        self.job = Job(name, every_seconds, self.run, self.ended.set)

    def run(self, now):
        self.at.append(now)
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture
def ran():
    return Ran()


def test_a_job_runs_at_once_and_then_at_its_interval(process, ran, workshop):
    runner, clock = process(ran.job).runner, workshop.clock
    began = clock.now
    for _ in range(130):
        runner.turn()
        clock.advance(1)
    assert ran.at == [began, began + 60, began + 120]


def test_a_round_says_how_long_nothing_will_be_due(process, workshop):
    runner = process(Ran(every_seconds=2).job).runner
    assert runner.turn() == 2
    workshop.clock.advance(0.5)
    assert runner.turn() == 1.5


def test_a_round_comes_in_time_for_the_lease_however_seldom_the_jobs(process, ran):
    assert process(ran.job).runner.turn() == RENEWING_SECONDS


def test_a_job_that_has_more_to_do_is_asked_again_without_a_pause_and_others_get_their_turns(process):
    busy, other = Ran("busy", outcomes=[True, True, None]), Ran("other", every_seconds=1)
    runner = process(busy.job, other.job).runner
    assert [runner.turn(), runner.turn(), runner.turn()] == [0, 0, 1]
    assert (len(busy.at), len(other.at)) == (3, 1)


def test_what_is_woken_runs_before_its_time_and_nothing_else_does(process):
    one, other = Ran("one"), Ran("other")
    runner = process(one.job, other.job).runner
    runner.turn()
    runner.wake("one")
    assert runner.turn() > 0
    assert (len(one.at), len(other.at)) == (2, 1)
    runner.wake()
    runner.turn()
    assert (len(one.at), len(other.at)) == (3, 2)


def test_a_wake_up_during_the_work_is_not_lost(process, workshop):
    runs = []

    def run(_):
        runs.append(1)
        if len(runs) == 1:
            runner.wake()

    runner = process(Job("sweep", 60, run)).runner
    assert runner.turn() == 0
    runner.turn()
    assert len(runs) == 2


def test_a_job_that_fails_is_logged_noted_and_tried_again_ever_more_seldom(process, workshop, caplog):
    faulty, other = Ran("faulty", 1, [ValueError()] * 50), Ran("other", 1)
    runner, clock = process(faulty.job, other.job).runner, workshop.clock
    with caplog.at_level(logging.ERROR):
        for _ in range(1200):
            runner.turn()
            clock.advance(1)
    pauses = [later - earlier for earlier, later in pairwise(faulty.at)]
    assert pauses[:6] == [1, 2, 4, 8, 16, 32]
    assert max(pauses) == LONGEST_PAUSE
    assert len(other.at) == 1200
    assert "job faulty failed" in caplog.text
    _, last = next(runner.last_runs())
    assert last.outcome == f"failed {len(faulty.at)} times in a row: unexpected ValueError"


def test_a_job_that_works_again_is_as_if_it_had_never_failed(process, workshop):
    job = Ran("sweep", 1, [ValueError(), ValueError(), None])
    runner, clock = process(job.job).runner, workshop.clock
    for _ in range(10):
        runner.turn()
        clock.advance(1)
    assert [later - earlier for earlier, later in pairwise(job.at)] == [1, 2, 1, 1, 1, 1, 1, 1]
    assert [last.outcome for _, last in runner.last_runs()] == ["ok"]


def test_a_job_that_goes_on_as_before_is_noted_once_a_minute(process, workshop):
    runner, clock = process(Ran("sweep", 1).job).runner, workshop.clock
    began = int(clock.now)
    for _ in range(60):
        runner.turn()
        clock.advance(1)
    assert [last for _, last in runner.last_runs()] == [LastRun(began, "ok", began)]
    runner.turn()
    assert [last for _, last in runner.last_runs()] == [LastRun(began + 60, "ok", began + 60)]


def test_of_two_processes_one_works(process, workshop):
    first, second = Ran(every_seconds=1), Ran(every_seconds=1)
    one, other = process(first.job), process(second.job)
    for _ in range(60):
        one.runner.turn()
        assert other.runner.turn() == FOLLOWING_SECONDS
        workshop.clock.advance(1)
    assert (len(first.at), len(second.at)) == (60, 0)


def test_the_work_of_a_process_that_was_killed_goes_on_elsewhere_when_its_lease_has_run_out(process, workshop):
    first, second = Ran(every_seconds=1), Ran(every_seconds=1)
    process(first.job).runner.turn()
    other = process(second.job).runner
    workshop.clock.advance(LEASE_SECONDS - 1)
    other.turn()
    assert second.at == []
    workshop.clock.advance(1)
    other.turn()
    assert len(second.at) == 1


def test_who_was_thought_dead_stops_when_it_finds_that_it_no_longer_leads(process, workshop):
    first, second = Ran(every_seconds=1), Ran(every_seconds=1)
    one, other = process(first.job).runner, process(second.job).runner
    one.turn()
    workshop.clock.advance(LEASE_SECONDS)  # it was stopped, or slept
    other.turn()
    one.turn()
    assert (len(first.at), len(second.at)) == (1, 1)


def test_at_its_end_a_process_hands_the_work_over_at_once(process, ran):
    successor = Ran()
    one, other = process(ran.job).runner, process(successor.job).runner
    one.start()
    eventually(lambda: ran.at, "the job runs")
    assert other.turn() == FOLLOWING_SECONDS
    one.stop()
    one.join(10)
    assert ran.ended.is_set()
    other.turn()
    assert len(successor.at) == 1


def test_a_thread_that_waits_is_woken_promptly(process, ran):
    runner = process(ran.job).runner
    runner.start()
    eventually(lambda: len(ran.at) == 1, "the job runs")
    runner.wake()
    eventually(lambda: len(ran.at) == 2, "the job runs again", seconds=2)
    runner.stop()
    runner.join(10)


def test_a_database_that_is_away_stops_the_work_and_not_the_thread(process, ran, workshop, caplog):
    runner, store = process(ran.job).runner, workshop.services.store
    with store.engine.begin() as connection:
        connection.execute(text("ALTER TABLE lease RENAME TO hidden"))
    assert runner.turn() == FOLLOWING_SECONDS
    assert ran.at == []
    assert "cannot be taken" in caplog.text
    with store.engine.begin() as connection:
        connection.execute(text("ALTER TABLE hidden RENAME TO lease"))
    runner.turn()
    assert len(ran.at) == 1


def test_without_jobs_there_is_no_thread_and_no_lease(process):
    made = process()
    made.runner.start()
    made.runner.join(0)
    assert made.clockwork.leader() is None

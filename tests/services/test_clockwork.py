"""Does exactly one process hold the lease, whatever its clock says?"""

from __future__ import annotations

import pytest

from app.services.clockwork import LEASE_SECONDS, Clockwork, LastRun
from app.store.leases import Lease
from tests.support.server import StillClock

both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture
def processes(workshop):
    """Three processes on the same database; the clock of the third is far ahead."""
    ahead = StillClock(workshop.clock.now + 10**8)
    store = workshop.services.store
    return [Clockwork(store, clock, ticks=workshop.clock) for clock in (workshop.clock, workshop.clock, ahead)]


@both
def test_the_first_has_it_and_keeps_it_while_it_renews(processes, workshop):
    one, other, _ = processes
    for _ in range(10):
        assert one.take()
        assert not other.take()
        workshop.clock.advance(LEASE_SECONDS - 1)
    assert other.leader() == one.holder


@both
def test_it_runs_out_and_can_be_handed_back(processes, workshop):
    one, other, _ = processes
    one.take()
    workshop.clock.advance(LEASE_SECONDS)
    assert one.leader() is None
    assert other.take()
    assert not one.take()
    other.hand_back()
    assert one.take()


def test_what_is_not_ones_own_is_not_handed_back(processes):
    one, other, _ = processes
    one.take()
    other.hand_back()
    assert one.leader() == one.holder


def test_a_holder_whose_clock_was_far_ahead_leaves_no_lease_that_outlives_it(processes, workshop):
    one, _, ahead = processes
    assert ahead.take()
    assert not one.take()
    workshop.clock.advance(LEASE_SECONDS)
    assert one.take()


def test_a_lease_that_moves_is_somebodys_however_far_ahead(processes, workshop):
    one, _, ahead = processes
    for _ in range(5):
        assert ahead.take()
        assert not one.take()
        workshop.clock.advance(LEASE_SECONDS - 1)
        ahead._clock.advance(LEASE_SECONDS - 1)


def test_one_that_sees_the_lease_change_under_it_has_lost(processes, workshop, monkeypatch):
    one, other, _ = processes
    other.take()
    workshop.clock.advance(LEASE_SECONDS)
    stale = Lease("jobs", other.holder, int(workshop.clock.now))
    other.take()
    monkeypatch.setattr("app.store.leases.LeaseStore.get", lambda *_: stale)
    assert not one.take()


@both
def test_how_a_job_went_is_remembered_for_every_process(processes, workshop):
    one, other, _ = processes
    assert other.last_run("sweep") is None
    one.note("sweep", "ok")
    workshop.clock.advance(5)
    one.note("sweep", "failed")
    now = int(workshop.clock.now)
    assert other.last_run("sweep") == LastRun(now, "failed", went_well_at=now - 5)
    assert other.last_run("other") is None

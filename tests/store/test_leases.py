"""Does a lease change hands by compare-and-swap only?"""

from __future__ import annotations

import pytest

from app.store.leases import Lease
from tests.support.workshop import at_once, succeeded

MINE, YOURS = Lease("jobs", "me", 100), Lease("jobs", "you", 200)


class LeaseConformance:
    backend: str

    def test_a_lease_that_nobody_has_is_taken_by_the_first(self, store):
        with store.writing() as tx:
            assert tx.leases.get("jobs") is None
            assert tx.leases.swap(MINE, was=None)
            assert not tx.leases.swap(YOURS, was=None)
        with store.reading() as tx:
            assert tx.leases.get("jobs") == MINE

    def test_a_lease_is_taken_over_by_whoever_saw_it_as_it_is(self, store):
        with store.writing() as tx:
            tx.leases.swap(MINE, was=None)
            assert tx.leases.swap(YOURS, was=MINE)
            assert not tx.leases.swap(Lease("jobs", "a third", 300), was=MINE)
        with store.reading() as tx:
            assert tx.leases.get("jobs") == YOURS

    def test_of_many_who_want_it_at_the_same_moment_one_gets_it(self, store):
        def take(holder):
            with store.writing() as tx:
                return tx.leases.swap(Lease("jobs", holder, 100), was=None)

        outcomes = succeeded(at_once(*[lambda holder=holder: take(holder) for holder in "abcd"]))
        assert sorted(outcomes) == [False, False, False, True]

    def test_a_lease_is_dropped_by_its_holder_only(self, store):
        with store.writing() as tx:
            tx.leases.swap(MINE, was=None)
            tx.leases.drop("jobs", "you")
            assert tx.leases.get("jobs") == MINE
            tx.leases.drop("jobs", "me")
        with store.reading() as tx:
            assert tx.leases.get("jobs") is None


class TestSQLite(LeaseConformance):
    backend = "sqlite"


@pytest.mark.postgres
class TestPostgres(LeaseConformance):
    backend = "postgres"

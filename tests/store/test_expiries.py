"""Are expiries walked through in one order, each once?"""

from __future__ import annotations

import pytest

from app.store.expiries import Place
from tests.support.credentials import credential, secret, terms


class ExpiriesConformance:
    backend: str

    def expiring(self, store, ours, name, expires_at, **changes) -> None:
        some = credential(
            client_id=f"tsc_{name}",
            organization_id=ours,
            name=f"export {name}",
            secrets=(secret(name),),
            restrictions=terms(expires_at=expires_at),
            **changes,
        )
        with store.writing() as tx:
            tx.credentials.add(some)

    def test_a_walk_meets_each_once_also_those_of_the_same_second(self, store, ours):
        for name, expires_at in (("c", 10), ("a", 10), ("b", 10), ("d", 9), ("e", 11), ("f", 12)):
            self.expiring(store, ours, name, expires_at)
        self.expiring(store, ours, "never", None)
        self.expiring(store, ours, "revoked", 10, revoked_at=1)
        self.expiring(store, ours, "deleted", 10, deleted_at=1)
        met, place = [], Place(8)
        with store.reading() as tx:
            while found := tx.expiries.between(place, 11, 2):
                met += [one.client_id for one in found]
                place = Place(found[-1].expires_at, found[-1].client_id)
        assert met == ["tsc_d", "tsc_a", "tsc_b", "tsc_c", "tsc_e"]

    def test_how_far_a_notice_is_comes_back_as_it_was_written_last(self, store):
        with store.writing() as tx:
            assert tx.expiries.reached(30) is None
            tx.expiries.reach(30, Place(5, "tsc_a"))
            tx.expiries.reach(30, Place(6))
            tx.expiries.reach(7, Place(1))
        with store.reading() as tx:
            assert (tx.expiries.reached(30), tx.expiries.reached(7)) == (Place(6), Place(1))


class TestSQLite(ExpiriesConformance):
    backend = "sqlite"


@pytest.mark.postgres
class TestPostgres(ExpiriesConformance):
    backend = "postgres"

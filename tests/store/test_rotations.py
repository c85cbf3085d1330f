"""Are rotations found in order, kept once for each credential, and gone with what they were about?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from tests.support.credentials import credential, secret, terms
from tests.support.workshop import NOW
from tokenserver.clock import DAY
from tokenserver.domain.credential import Credential
from tokenserver.domain.rotation import Rotation, begun, claimed, completed, prepared, rescheduled
from tokenserver.domain.schedule import RotationSchedule

SCHEDULE = RotationSchedule(90, DAY)


class RotationsConformance:
    backend: str

    def scheduled(self, store, ours, name="a", **changes) -> Credential:
        some = credential(
            client_id=f"tsc_{name}",
            organization_id=ours,
            name=f"export {name}",
            secrets=(secret(f"old_{name}"),),
            restrictions=terms(),
        )
        some = replace(rescheduled(some, SCHEDULE, NOW), **changes)
        with store.writing() as tx:
            tx.credentials.add(some)
        return some

    def waiting(self, store, ours, name="a") -> tuple[Credential, Rotation]:
        some = self.scheduled(store, ours, name)
        after = prepared(some, secret(f"new_{name}"), NOW)
        rotation = begun(after, f"secret_new_{name}", SCHEDULE, NOW)
        with store.writing() as tx:
            tx.credentials.save(after, was=some)
            tx.rotations.add_all([(rotation, b"sealed")])
        return after, rotation

    def test_a_schedule_comes_back_as_it_was(self, store, ours):
        some = self.scheduled(store, ours)
        with store.reading() as tx:
            assert tx.credentials.get(ours, some.client_id).schedule == SCHEDULE
            assert tx.credentials.of([some.client_id, "tsc_none"]) == {
                some.client_id: tx.credentials.get(ours, some.client_id)
            }

    def test_what_is_due_is_found_oldest_first_without_what_is_disabled_or_not_due(self, store, ours):
        self.scheduled(store, ours, "late", rotate_at=NOW - 10)
        self.scheduled(store, ours, "later", rotate_at=NOW - 20)
        self.scheduled(store, ours, "off", rotate_at=NOW - 30, disabled_at=1)
        self.scheduled(store, ours, "early", rotate_at=NOW + 10)
        self.scheduled(store, ours, "never", rotate_at=None)
        with store.reading() as tx:
            assert tx.rotations.due(NOW, 10) == ["tsc_later", "tsc_late"]
            assert tx.rotations.due(NOW, 1) == ["tsc_later"]

    def test_a_rotation_comes_back_as_it_was_and_as_it_became(self, store, ours):
        some, rotation = self.waiting(store, ours)
        moved = replace(rotation, claimed_at=5, look_at=6, ends_at=7, reminded=True, extended=True, alerted=True)
        with store.writing() as tx:
            assert tx.rotations.get(some.client_id) == (rotation, b"sealed")
            tx.rotations.save_all([moved])
        with store.reading() as tx:
            assert tx.rotations.get(some.client_id) == (moved, b"sealed")
            assert tx.rotations.get("tsc_none") is None

    def test_there_is_one_for_a_credential(self, store, ours):
        _, rotation = self.waiting(store, ours)
        with pytest.raises(IntegrityError), store.writing() as tx:
            tx.rotations.add_all([(replace(rotation, secret_id="another"), b"")])

    def test_one_that_is_over_is_not_moved(self, store, ours):
        some, rotation = self.waiting(store, ours)
        with store.writing() as tx:
            tx.rotations.save_all([replace(rotation, secret_id="one before", look_at=1)])
            assert tx.rotations.get(some.client_id) == (rotation, b"sealed")

    def test_they_are_looked_at_in_the_order_of_their_moments(self, store, ours):
        for name, moment in (("a", 30), ("b", 10), ("c", 20), ("d", 99)):
            _, rotation = self.waiting(store, ours, name)
            with store.writing() as tx:
                tx.rotations.save_all([replace(rotation, look_at=moment)])
        with store.reading() as tx:
            found = [rotation.client_id for rotation in tx.rotations.to_look_at(30, 10)]
            assert found == ["tsc_b", "tsc_c", "tsc_a"]
            assert len(tx.rotations.to_look_at(30, 2)) == 2
            assert [r.client_id for r in tx.rotations.to_look_at(30, 9, ["tsc_a", "tsc_d"])] == ["tsc_a"]

    def test_the_sealed_secret_stays_through_the_claim_and_goes_when_it_is_in_use(self, store, ours):
        some, _ = self.waiting(store, ours)
        taken = claimed(some, NOW)
        with store.writing() as tx:
            tx.credentials.save(taken, was=some)
            assert tx.rotations.get(some.client_id) is not None
        with store.writing() as tx:
            tx.credentials.save(completed(taken, NOW, DAY), was=taken)
            assert tx.rotations.get(some.client_id) is None

    def test_only_secrets_that_work_are_provable(self, store, ours):
        some, _ = self.waiting(store, ours)
        with store.reading() as tx:
            found = tx.rotations.provable(some.client_id)
            assert (found.organization_id, [s.id for s in found.secrets]) == (ours, ["secret_old_a"])
            assert tx.rotations.provable("tsc_none") is None

    def test_what_is_put_off_is_neither_due_nor_looked_at_before(self, store, ours):
        self.scheduled(store, ours, "due", rotate_at=NOW)
        _, rotation = self.waiting(store, ours, "way")
        with store.writing() as tx:
            for name in ("tsc_due", "tsc_way"):
                tx.rotations.put_off(name, rotation.look_at + 60)
        with store.reading() as tx:
            assert tx.rotations.due(rotation.look_at, 9) == []
            assert tx.rotations.to_look_at(rotation.look_at, 9) == []
            assert len(tx.rotations.to_look_at(rotation.look_at + 60, 9)) == 1

    def test_a_leap_over_lost_numbers_leaves_a_grace_period_without_an_end_two_numbers(self, store, ours):
        some, _ = self.waiting(store, ours)
        with store.writing() as tx:
            tx.credentials.save(claimed(some, NOW), was=some)
            tx.credentials.leap(10, NOW)
        with store.reading() as tx:
            generation = tx.credentials.get(ours, some.client_id).generation
        assert (generation.floor, generation.next_floor, generation.current) == (12, 13, 13)


class TestSQLite(RotationsConformance):
    backend = "sqlite"


@pytest.mark.postgres
class TestPostgres(RotationsConformance):
    backend = "postgres"

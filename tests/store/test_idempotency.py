"""Is what a request came to remembered for a day, for its caller, and begun by one attempt only?"""

from __future__ import annotations

import pytest

from app.store.idempotency import KEPT_SECONDS, Attempt, InProgress

NOW = 1_800_000_000.5
CALLER = "credential:tsc_a"


def attempt(number=1, request="r", key="k"):
    return Attempt(key, request, f"attempt {number}")


class IdempotencyConformance:
    backend: str

    def begin(self, store, ours, made=None, *, now=NOW, caller=CALLER):
        with store.writing() as tx:
            tx.idempotency.begin(ours, caller, made or attempt(), now)

    def answer(self, store, ours, made=None, *, now=NOW, body="{}"):
        with store.writing() as tx:
            tx.idempotency.answer(ours, CALLER, made or attempt(), (201, [("ETag", '"1"')], body), now)

    def find(self, store, ours, *, now=NOW, caller=CALLER, key="k"):
        with store.reading() as tx:
            return tx.idempotency.find(ours, caller, key, now)

    def test_what_was_not_begun_is_not_there(self, store, ours):
        assert self.find(store, ours) is None

    def test_what_was_begun_is_there_without_an_answer(self, store, ours):
        self.begin(store, ours)
        assert self.find(store, ours).status is None

    def test_what_was_answered_is_there_as_it_was(self, store, ours):
        self.begin(store, ours)
        self.answer(store, ours, body='{"a": 1}')
        found = self.find(store, ours)
        assert (found.request, found.status, list(found.headers), found.body) == (
            "r",
            201,
            [("ETag", '"1"')],
            '{"a": 1}',
        )

    def test_an_answer_without_a_beginning_is_kept_as_well(self, store, ours):
        """Of an operation that has no transaction of its own."""
        self.answer(store, ours)
        assert self.find(store, ours).status == 201

    def test_another_attempt_does_not_begin_and_does_not_answer(self, store, ours):
        self.begin(store, ours)
        with pytest.raises(InProgress):
            self.begin(store, ours, attempt(2))
        self.answer(store, ours, attempt(2))
        assert self.find(store, ours).status is None

    def test_the_same_attempt_may_begin_again(self, store, ours):
        """A change that lost a race is tried anew, and a larger one has several transactions."""
        self.begin(store, ours)
        self.begin(store, ours)

    def test_a_beginning_that_is_rolled_back_did_not_happen(self, store, ours):
        with pytest.raises(RuntimeError), store.writing() as tx:
            tx.idempotency.begin(ours, CALLER, attempt(), NOW)
            raise RuntimeError
        assert self.find(store, ours) is None

    def test_keys_are_of_one_caller_of_one_organization(self, store, ours, theirs):
        self.begin(store, ours)
        assert self.find(store, theirs) is None
        assert self.find(store, ours, caller="credential:tsc_b") is None
        assert self.find(store, ours, key="other") is None
        self.begin(store, theirs, attempt(2))
        self.begin(store, ours, attempt(3), caller="credential:tsc_b")

    def test_after_a_day_the_key_is_free(self, store, ours):
        self.begin(store, ours)
        self.answer(store, ours)
        assert self.find(store, ours, now=NOW + KEPT_SECONDS - 1) is not None
        later = NOW + KEPT_SECONDS + 1
        assert self.find(store, ours, now=later) is None
        self.begin(store, ours, attempt(2), now=later)
        assert self.find(store, ours, now=later).status is None

    def test_pruning_forgets_what_is_over_a_day_old_and_so_much_at_most(self, store, ours):
        for number in range(7):
            self.begin(store, ours, attempt(number, key=f"old {number}"))
        later = NOW + KEPT_SECONDS + 1
        self.begin(store, ours, attempt(9, key="new"), now=later)
        pruned = []
        for _ in range(3):
            with store.writing() as tx:
                pruned.append(tx.idempotency.prune(later, 5))
        assert pruned == [5, 2, 0]
        assert self.find(store, ours, now=later, key="new") is not None


class TestSQLite(IdempotencyConformance):
    backend = "sqlite"


@pytest.mark.postgres
class TestPostgres(IdempotencyConformance):
    backend = "postgres"

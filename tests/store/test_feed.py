"""Is the feed gapless in commit order, told in the transaction of the change, and bounded?"""

from __future__ import annotations

import pytest

from app.store.feed import FLOOR, KEY, WINDOW
from tests.support.workshop import NOW, at_once, failed
from tokenserver.clock import DAY
from tokenserver.domain.generation import Floor


def told(store, after=0):
    with store.reading() as tx:
        return tx.feed.since(after)


def tell(store, ours, ref, *floors, now=NOW):
    with store.writing() as tx:
        return tx.feed.tell_floors(ours, ref, floors, now)


class FeedConformance:
    backend: str

    def test_changes_are_told_in_order_with_what_they_end(self, store, ours):
        assert tell(store, ours, "first", Floor(2, 100), Floor(3, 200)) == 2
        with store.writing() as tx:
            assert tx.feed.tell_revoked_key(ours, "a kid", 300.9) == 3
        assert [(row.seq, row.kind, row.ref, row.floor, row.effective_at) for row in told(store)] == [
            (1, FLOOR, "first", 2, 100),
            (2, FLOOR, "first", 3, 200),
            (3, KEY, "a kid", 0, 300),
        ]
        assert [row.seq for row in told(store, after=2)] == [3]
        assert told(store, after=3) == []

    def test_nothing_to_tell_takes_no_number(self, store, ours):
        assert tell(store, ours, "first") is None
        with store.reading() as tx:
            assert tx.feed.last_seq() == 0

    def test_a_change_that_is_rolled_back_leaves_neither_number_nor_gap(self, store, ours):
        tell(store, ours, "first", Floor(2, 100))
        with pytest.raises(KeyError), store.writing() as tx:
            tx.feed.tell_floors(ours, "lost", [Floor(2, 100)], NOW)
            raise KeyError
        tell(store, ours, "second", Floor(2, 100))
        assert [(row.seq, row.ref) for row in told(store)] == [(1, "first"), (2, "second")]

    def test_a_change_is_seen_with_its_number_or_not_at_all(self, store, ours):
        with store.writing() as tx:
            tx.feed.tell_floors(ours, "first", [Floor(2, 100)], NOW)
            with store.reading() as before:
                assert before.feed.last_seq() == 0
                assert before.feed.since(0) == []
        with store.reading() as after:
            assert after.feed.last_seq() == 1
            assert len(after.feed.since(0)) == 1

    def test_reading_sees_one_state_whatever_is_committed_meanwhile(self, store, ours):
        with store.reading() as tx:
            assert tx.feed.last_seq() == 0
            tell(store, ours, "first", Floor(2, 100))
            assert tx.feed.last_seq() == 0
            assert tx.feed.since(0) == []

    def test_numbers_are_gapless_in_commit_order_however_many_write_at_once(self, workshop, ours):
        """Two processes, several threads; a reader that always asks after the last number it saw misses nothing."""
        first, second = workshop.services.store, workshop.beside().services.store
        seen: list[int] = []

        def writer(store, name):
            def run():
                for number in range(10):
                    tell(store, ours, f"{name}-{number}", Floor(2, 100), Floor(3, 200))

            return run

        def reader():
            while len(seen) < 80:
                seen.extend(row.seq for row in told(first, after=seen[-1] if seen else 0))

        writers = [writer(store, f"{place}{twin}") for place, store in enumerate((first, second)) for twin in "ab"]
        assert failed(at_once(reader, *writers)) == []
        assert seen == list(range(1, 81))

    def test_a_row_is_dropped_when_every_token_it_could_end_has_expired_and_not_before(self, store, ours):
        tell(store, ours, "old", Floor(2, int(NOW)))
        tell(store, ours, "coming", Floor(2, int(NOW) + 30 * DAY))
        later = NOW + WINDOW
        for number in range(3, 100):
            tell(store, ours, f"{number}", Floor(2, int(later)), now=later)
        tell(store, ours, "hundredth", Floor(2, int(later)), now=later)
        assert {"old", "coming", "3"} <= {row.ref for row in told(store)}
        for number in range(101, 201):
            tell(store, ours, f"{number}", Floor(2, int(later)), now=later + 1)
        left = {row.ref for row in told(store)}
        assert "old" not in left
        assert {"coming", "3", "200"} <= left

    def test_pruning_never_touches_the_numbers(self, store, ours):
        for number in range(1, 101):
            tell(store, ours, "old", Floor(number, 0), now=NOW)
        assert [row.seq for row in told(store)] == []
        assert tell(store, ours, "next", Floor(2, int(NOW))) == 101


class TestSQLite(FeedConformance):
    backend = "sqlite"


@pytest.mark.postgres
class TestPostgres(FeedConformance):
    backend = "postgres"

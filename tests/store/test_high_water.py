"""Is a database that went back in time found out, and one that did not left in peace?"""

from __future__ import annotations

import json
import threading

import pytest
from sqlalchemy import text

from app.store.high_water import HighWater, WentBack
from tests.support.workshop import NOW, at_once, failed
from tokenserver.domain.generation import Floor


@pytest.fixture
def path(tmp_path):
    return tmp_path / "high-water"


def reach(store, count=1):
    """So many changes."""
    for _ in range(count):
        with store.writing() as tx:
            tx.feed.tell_floors("", "ref", [Floor(2, int(NOW))], NOW)


def go_back(store, seq):
    with store.writing() as tx:
        tx.session.execute(text(f"UPDATE counter SET value = {seq} WHERE name = 'feed'"))


def last(store):
    with store.reading() as tx:
        return tx.feed.last_seq()


class HighWaterConformance:
    backend: str

    def test_a_database_that_goes_on_is_left_in_peace(self, store, path):
        mark = HighWater(store, path)
        for _ in range(3):
            mark.see(last(store))
            reach(store)
        mark.see(last(store))
        assert mark.reached() == 3

    def test_a_database_that_went_back_is_refused_until_it_catches_up(self, store, path):
        reach(store, 3)
        mark = HighWater(store, path)
        mark.see(3)
        go_back(store, 2)
        for _ in range(2):
            with pytest.raises(WentBack):
                mark.see(2)
        go_back(store, 3)
        mark.see(3)

    def test_it_is_refused_after_a_restart_as_well(self, store, path):
        reach(store, 3)
        HighWater(store, path).see(3)
        go_back(store, 2)
        with pytest.raises(WentBack):
            HighWater(store, path).see(2)

    def test_a_number_that_was_read_before_a_change_and_told_after_it_is_no_going_back(self, store, path):
        """Threads read and tell in any order: a busy node must not take itself for a restored one."""
        mark = HighWater(store, path)
        reach(store)
        read_before = last(store)
        reach(store)
        mark.see(last(store))
        mark.see(read_before)

    def test_a_busy_node_never_cries_wolf(self, workshop, store, path):
        mark, done = HighWater(store, path), threading.Event()

        def changing():
            other = workshop.beside().services.store
            for _ in range(40):
                reach(other)
                mark.see(last(other))
            done.set()

        def looking():
            while not done.is_set():
                mark.see(last(store))

        assert failed(at_once(changing, looking, looking, looking)) == []
        assert mark.reached() == 40

    def test_another_installation_in_the_same_place_starts_afresh(self, store, path):
        reach(store, 3)
        HighWater(store, path).see(3)
        with store.writing() as tx:
            tx.organizations.set_fact("installation_id", "another")
        go_back(store, 1)
        HighWater(store, path).see(1)


class TestSQLite(HighWaterConformance):
    backend = "sqlite"

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"seq": 3}', b'{"seq": {}}', b"\xff"])
    def test_a_damaged_file_costs_the_memory_and_nothing_else(self, store, path, content):
        path.write_bytes(content)
        reach(store, 2)
        HighWater(store, path).see(2)
        assert json.loads(path.read_text())["seq"] == 2

    def test_a_folder_that_cannot_be_written_costs_the_memory_of_restarts_only(self, store, tmp_path):
        mark = HighWater(store, tmp_path / "missing" / "high-water")
        reach(store)
        mark.see(1)
        with pytest.raises(WentBack):
            go_back(store, 0)
            mark.see(0)


@pytest.mark.postgres
class TestPostgres(HighWaterConformance):
    backend = "postgres"

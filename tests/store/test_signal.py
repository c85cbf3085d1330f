"""Is a waiting node woken by another one's change, and does it get over a lost connection?"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

import app.store.signal
from app.store.signal import Signal
from tests.support.workshop import NOW
from tokenserver.domain.generation import Floor


@pytest.fixture
def signal(store):
    made = Signal(store)
    yield made
    made._abandon()


def change(store):
    with store.writing() as tx:
        tx.feed.tell_floors("", "ref", [Floor(2, int(NOW))], NOW)


class SignalConformance:
    backend: str

    def test_a_wait_is_short_even_if_nothing_happens(self, signal):
        """So that whoever waits looks for himself, whatever was lost."""
        began = time.monotonic()
        for _ in range(3):
            signal.wait()
        assert time.monotonic() - began < 10


class TestSQLite(SignalConformance):
    backend = "sqlite"


@pytest.fixture
def patience(monkeypatch):
    """Whoever is not woken waits until the test fails."""
    monkeypatch.setattr(app.store.signal, "_POSTGRES_PAUSE", 30.0)


@pytest.mark.postgres
class TestPostgres(SignalConformance):
    backend = "postgres"

    def test_waiting_listens(self, signal):
        signal.wait()
        assert signal._connection is not None

    def test_a_change_of_another_node_ends_the_wait(self, workshop, signal, patience):
        other = workshop.beside().services.store
        signal._connection = signal._listen()
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(signal.wait)
            change(other)
            waiting.result(timeout=20)

    def test_a_change_that_is_rolled_back_wakes_nobody(self, workshop, signal, monkeypatch):
        monkeypatch.setattr(app.store.signal, "_POSTGRES_PAUSE", 0.3)
        other = workshop.beside().services.store
        signal._connection = signal._listen()
        with pytest.raises(KeyError), other.writing() as tx:
            tx.feed.tell_floors("", "ref", [Floor(2, int(NOW))], NOW)
            raise KeyError
        began = time.monotonic()
        signal.wait()
        assert time.monotonic() - began >= 0.25

    def test_a_connection_that_was_lost_is_made_anew(self, workshop, store, signal, monkeypatch):
        other = workshop.beside().services.store
        signal._connection = signal._listen()
        pid = signal._connection.info.backend_pid
        with store.writing() as tx:
            tx.session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        monkeypatch.setattr(app.store.signal, "_POSTGRES_PAUSE", 0.05)
        signal.wait()
        signal.wait()
        monkeypatch.setattr(app.store.signal, "_POSTGRES_PAUSE", 30.0)
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(signal.wait)
            change(other)
            waiting.result(timeout=20)

    def test_a_listener_takes_no_place_in_the_pool(self, store, signal):
        before = store.engine.pool.checkedout()
        signal._connection = signal._listen()
        assert store.engine.pool.checkedout() == before

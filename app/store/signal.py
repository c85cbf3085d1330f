"""Did another process change something? A wake-up, and never more than that: whoever is woken reads the database.

PostgreSQL tells by NOTIFY, on a connection of its own (LISTEN does not survive pooling); a broken one is made anew.
SQLite has no such thing, so that a short pause stands in. Either way the wait is bounded, which makes it polling as
well.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any

from app.store.database import Store
from app.store.feed import CHANNEL

_SQLITE_PAUSE = 0.05
_POSTGRES_PAUSE = 0.25


class Signal:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._pause = threading.Event()
        self._connection: Any = None

    def wait(self) -> None:
        """Return when something may have changed, or after a short while."""
        if self._store.on_sqlite:
            self._pause.wait(_SQLITE_PAUSE)
            return
        try:
            if self._connection is None:
                self._connection = self._listen()
            for _ in self._connection.notifies(timeout=_POSTGRES_PAUSE, stop_after=1):
                return
        except Exception:  # noqa: BLE001  a lost wake-up costs a moment; the reader reports what is wrong
            self._abandon()
            self._pause.wait(_POSTGRES_PAUSE)

    def _listen(self) -> Any:
        pooled: Any = self._store.engine.raw_connection()
        connection = pooled.driver_connection
        pooled.detach()
        connection.autocommit = True
        connection.execute(f"LISTEN {CHANNEL}")
        return connection

    def _abandon(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()

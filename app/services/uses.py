"""Do lists by last use keep up? The clock looks at some credentials at a time and moves those that were used since.

A hundred thousand credentials take some minutes, however much is issued meanwhile. What is shown beside a credential is
always its last use to the second; only its place in the list of a large organization may be some minutes behind.
"""

from __future__ import annotations

from app.store import Store

AT_ONCE = 1000
"""Credentials of one piece: some 10 ms of reading."""
_MOVED_AT_ONCE = 250


class Uses:
    """Where it has come to is forgotten when the process ends: it begins again then, and nothing is lost."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reached = ""

    def piece(self) -> None:
        """Look at the next ones; after the last one, begin again at the next run."""
        with self._store.reading() as tx:
            uses = tx.uses.after(self._reached, AT_ONCE)
        moved = [use for use in uses if use.at > use.listed_at]
        for start in range(0, len(moved), _MOVED_AT_ONCE):
            with self._store.writing() as tx:
                tx.uses.list_at(moved[start : start + _MOVED_AT_ONCE])
        self._reached = uses[-1].client_id if len(uses) == AT_ONCE else ""

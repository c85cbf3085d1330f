"""What does the audit log say, and is it whole? Reading, exporting and verifying what `audit` writes."""

from __future__ import annotations

from collections.abc import Iterator

from app.store import Store
from tokenserver.domain.audit import Flaw, verify


class AuditTrail:
    def __init__(self, store: Store) -> None:
        self._store = store

    def export(self) -> Iterator[str]:
        """Every line as JSON with its hash, chain by chain; one consistent state of the log."""
        with self._store.reading() as tx:
            for line in tx.audit.lines():
                yield line.exported()

    def verify(self) -> Flaw | None:
        """The first bad line of the log in the database, or None."""
        with self._store.reading() as tx:
            return verify((line.exported() for line in tx.audit.lines()), tx.audit.heads())

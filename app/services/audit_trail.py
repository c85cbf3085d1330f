"""What does the audit log say, and is it whole? Searching, exporting and verifying what `audit` writes.

Two exports. `export` is the whole log of the installation with its stubs and checkpoints, in one consistent state: what
can be verified without the server. `select` is what an organization may see of itself: the lines that a search would
find, oldest first, each with its hash; read in pieces of their own transactions, so that nobody who reads slowly holds
the database up. A few files at a time are written by a process, so that they do not take everybody's threads.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

from app.services.audit import Caller
from app.services.audit_files import in_pieces
from app.store import Store
from tokenserver.clock import Clock
from tokenserver.domain.audit import Head
from tokenserver.domain.audit_search import Found, Place, Wanted
from tokenserver.errors import InvalidToken, TokenServerError, Unavailable
from tokenserver.tokens.audit_record import Flaw, Record
from tokenserver.tokens.audit_statements import read_checkpoint
from tokenserver.tokens.keys import verifying_key

MOST_FILES = 4
Named = Callable[[Exception], TokenServerError]


class TooManyExports(Unavailable):
    public = "Other exports are being written at the moment. Try again shortly."
    retry_after = 10


class AuditTrail:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._places = threading.BoundedSemaphore(MOST_FILES)

    def search(
        self, caller: Caller, wanted: Wanted, after: Place | None, limit: int
    ) -> tuple[list[Found], Place | None]:
        """Newest first; a page may be shorter than `limit`, or empty, and yet not be the last."""
        with self._store.reading() as tx:
            return tx.audit_search.page(caller.organization_id, wanted, after, limit)

    def select(self, caller: Caller, wanted: Wanted) -> Iterator[Found]:
        """Oldest first, up to the present second: what is written meanwhile does not keep it from ending."""
        now = int(self._clock()) + 1
        wanted = replace(wanted, until=now if wanted.until is None else min(now, wanted.until))
        after: Place | None = None
        while True:
            with self._store.reading() as tx:
                found, after = tx.audit_search.ascending(caller.organization_id, wanted, after)
            yield from found
            if after is None:
                return

    def file(self, caller: Caller, wanted: Wanted, form: str, named: Named) -> Iterator[bytes]:
        """What `select` finds as a file, `jsonl` or `csv`, in pieces; raises TooManyExports.

        `named` says what a failure on the way is. What fails at once fails here.
        """
        if not self._places.acquire(blocking=False):
            raise TooManyExports
        pieces = self._written(self.select(caller, wanted), form, named)
        with suppress(StopIteration):
            next(pieces)
        return pieces

    def _written(self, found: Iterator[Found], form: str, named: Named) -> Iterator[bytes]:
        """Begins with an empty piece, when the first line was found."""
        try:
            first = list(itertools.islice(found, 1))
            yield b""
            yield from in_pieces(itertools.chain(first, found), form, named)
        finally:
            self._places.release()

    def export(self) -> Iterator[str]:
        """Every stub, line and checkpoint as JSON, in the order in which it is verified."""
        with self._store.reading() as tx:
            for item in tx.audit_record.items(_heads_of):
                yield item if isinstance(item, str) else item.exported()

    def checkpoints(self) -> Iterator[str]:
        """Every checkpoint that is kept, as it was signed, oldest first."""
        with self._store.reading() as tx:
            for kept in tx.audit_record.checkpoints():
                yield kept.statement

    def verify(self, kept: Iterable[str] = ()) -> Flaw | None:
        """The first bad line of the log in the database, with every signature in it; or None. `kept` are checkpoints
        that somebody put aside: each must still be there.
        """
        with self._store.reading() as tx:
            keys = {key.kid: key for key in map(verifying_key, (k.jwk for k in tx.keys.all())) if key is not None}
            record = Record(keys.get, kept)
            return record.verify(tx.audit_record.items(_heads_of), tx.audit_record.heads())


def _heads_of(statement: str) -> tuple[Head, ...]:
    """What it names, to know what it covers; whether it is to be believed, is asked when its turn comes."""
    try:
        return read_checkpoint(statement, None).heads
    except InvalidToken:
        return ()

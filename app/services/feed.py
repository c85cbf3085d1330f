"""Which floors moved? The generation feed as resource servers get it: a signed statement, fresh to the second.

Every request reads the last number from the database, so that no node ever tells an old state as a new one. What is
saved is the signature: a statement is signed anew when something changed or a second has passed, and is the same
bytes for everybody who asks after the same number.

A request may wait for a change; at most `feed_waiters` do so at a time in a process, the rest are answered at once.
While anybody waits, one thread watches the database for the changes of other processes; those of this one wake them
directly.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable

from app.services.keys import Ring, SigningKeys
from app.settings import Settings
from app.store import Store
from app.store.feed import FLOOR, KEY, TOKEN, WINDOW, FeedRow
from app.store.high_water import HighWater
from app.store.signal import Signal
from tokenserver.clock import Clock, monotonic
from tokenserver.domain.generation import Floor
from tokenserver.errors import TokenServerError
from tokenserver.tokens.statements import Statement

log = logging.getLogger("tokenserver.feed")

LONGEST_WAIT = 25.0
MOST_STATEMENTS_KEPT = 64

_Name = tuple[int, int, int, str, int]


class Feed:
    def __init__(
        self, store: Store, high_water: HighWater, keys: SigningKeys, settings: Settings, clock: Clock
    ) -> None:
        self._store = store
        self._high_water = high_water
        self._keys = keys
        self._issuer = settings.issuer
        self._clock = clock
        self._places = threading.BoundedSemaphore(settings.feed_waiters) if settings.feed_waiters else None
        self._watch = Watch(self.last_seq, Signal(store))
        self._lock = threading.Lock()
        self._signed: dict[_Name, str] = {}

    def last_seq(self) -> int:
        """The number of the last change; raises WentBack when it is below one that this node has seen."""
        with self._store.reading() as tx:
            seq = tx.feed.last_seq()
        self._high_water.see(seq)
        return seq

    def changed(self) -> None:
        """A change of this process was committed."""
        with contextlib.suppress(TokenServerError):
            self.last_seq()
        self._watch.wake()

    def end_waiting(self) -> None:
        """The server is about to end: answer those who wait, and let nobody wait any more."""
        self._watch.end()

    def statement(self, after: int = 0, wait: float = 0.0) -> str:
        """The signed statement of what changed after `after`; held up to `wait` seconds until something does."""
        seq = self.last_seq()
        if wait > 0 and seq == after and self._places is not None and self._places.acquire(blocking=False):
            try:
                seq = self._watch.beyond(after, min(wait, LONGEST_WAIT))
            finally:
                self._places.release()
        return self._sign(min(after, seq), seq)

    def _sign(self, after: int, seq: int) -> str:
        now, ring = self._clock(), self._keys.ring()
        with self._lock:
            signed = self._signed.get(_name(after, seq, now, ring))
        if signed is not None:
            return signed
        with self._store.reading() as tx:
            rows = [row for row in tx.feed.since(after) if row.seq <= seq]
        if any(row.kind == KEY and row.ref not in ring.revoked for row in rows):
            ring = self._keys.read_anew()  # another process has revoked a key: perhaps the one that we would sign with
        signed = ring.statement.sign(self._state(after, seq, rows, now, ring.revoked).payload())
        with self._lock:
            if len(self._signed) >= MOST_STATEMENTS_KEPT:
                self._signed.clear()
            return self._signed.setdefault(_name(after, seq, now, ring), signed)

    def _state(self, after: int, seq: int, rows: list[FeedRow], now: float, revoked: tuple[str, ...]) -> Statement:
        return Statement(
            issuer=self._issuer,
            issued_at=now,
            seq=seq,
            since=after,
            window=WINDOW,
            floors=tuple((row.ref, Floor(row.floor, row.effective_at)) for row in rows if row.kind == FLOOR),
            tokens={row.ref: row.effective_at for row in rows if row.kind == TOKEN},
            keys=revoked,
        )


def _name(after: int, seq: int, now: float, ring: Ring) -> _Name:
    return after, seq, int(now), ring.access.key.kid, len(ring.revoked)


class Watch:
    """Lets many threads wait for the feed to move, while one of them at most asks the database."""

    def __init__(self, last_seq: Callable[[], int], signal: Signal) -> None:
        self._last_seq = last_seq
        self._signal = signal
        self._moved = threading.Condition()
        self._seq = 0
        self._waiting = 0
        self._watching = False
        self._ended = False

    def end(self) -> None:
        """Let nobody wait any more: who does is answered with what there is."""
        with self._moved:
            self._ended = True
            self._moved.notify_all()

    def wake(self) -> None:
        """Make the waiting look now rather than a moment later."""
        with self._moved:
            if not self._waiting:
                return
        self._look()

    def beyond(self, seq: int, seconds: float) -> int:
        """The last number, as soon as it is above `seq` or when `seconds` have passed."""
        deadline = monotonic() + seconds
        with self._moved:
            self._waiting += 1
            if not self._watching:
                self._watching = True
                threading.Thread(target=self._run, name="feed-watch", daemon=True).start()
            try:
                while self._seq <= seq and not self._ended and (left := deadline - monotonic()) > 0:
                    self._moved.wait(left)
            finally:
                self._waiting -= 1
        return self._last_seq()

    def _run(self) -> None:
        try:
            while self._anybody_waits():
                self._look()
                self._signal.wait()
        except BaseException:
            with self._moved:
                self._watching = False  # the next who waits starts another watch
            raise

    def _anybody_waits(self) -> bool:
        with self._moved:
            self._watching = self._waiting > 0
            return self._watching

    def _look(self) -> None:
        try:
            seq = self._last_seq()
        except TokenServerError:
            return
        except Exception:
            log.exception("unexpected while watching the feed")  # the thread must live: others wait for it
            return
        with self._moved:
            if seq != self._seq:
                self._seq = seq
                self._moved.notify_all()

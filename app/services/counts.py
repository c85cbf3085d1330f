"""How many was that? Counts in periods that follow each other, of this process or of all nodes that share a Redis.

A request is counted in memory, in under a microsecond, and never waits for Redis: a thread tells Redis ten times a
second what was counted here since, and learns what all nodes have counted together. So a Redis that is slow or gone
costs no request anything: each node goes on with its own counts and what it knew, asks again after a moment, and
tells then what was not told. What all nodes admit in a tenth of a second can exceed a limit; that is the price.

The memory storage of `limits` was measured and left: 3.5 µs a hit, and while there are requests it starts a thread
every 10 ms that looks at all keys.

Memory is bounded: where more keys come than that, their counts begin anew. Who has so many addresses is not held up by
a limit on one of them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping

from app.quotas import Quota
from tokenserver.clock import Clock
from tokenserver.errors import Unavailable

log = logging.getLogger("tokenserver.limits")

MOST_KEYS = 50_000
"""Of one limit, in one process: some 10 MiB."""
MOST_AT_ONCE = 500
"""Keys that Redis is told of in one exchange."""
EVERY_SECONDS = 0.1
LONGEST_PAUSE = 2.0
"""Seconds before a Redis that did not answer is asked again."""

Told = tuple[str, int, int]
"""The name of a count, by how much it grew, and for how many seconds it is to be kept."""
Tell = Callable[[Iterable[Told]], Mapping[str, int]]
"""Adds to the counts that all nodes share, and returns what each has come to; raises Unavailable."""


class _Period:
    """The counts of one limit in one period. `untold`: what Redis has not been told; `others`: of all other nodes."""

    __slots__ = ("begins", "counts", "ends", "number", "others", "quota", "untold")

    def __init__(self, quota: Quota, number: int) -> None:
        self.quota = quota
        self.number = number
        self.begins, self.ends = number * quota.seconds, (number + 1) * quota.seconds
        self.counts: dict[str, int] = {}
        self.untold: dict[str, int] = {}
        self.others: dict[str, int] = {}


class Counts:
    """Used by any thread. `tell` None: this process counts for itself."""

    def __init__(self, clock: Clock, tell: Tell | None = None) -> None:
        self._clock = clock
        self._tell = tell
        self._lock = threading.Lock()
        self._periods: dict[str, _Period] = {}
        self._news = threading.Event()
        self._exchanging = False

    def hit(self, quota: Quota, key: str) -> tuple[int, int]:
        """One more; how many that makes, and in how many whole seconds (at least one) counting begins anew."""
        now = self._clock()
        with self._lock:
            period = self._periods.get(quota.name)
            if period is None or not period.begins <= now < period.ends:
                period = self._periods[quota.name] = _Period(quota, int(now) // quota.seconds)
            counts = period.counts
            count = counts.get(key, 0) + 1
            if count == 1 and len(counts) >= MOST_KEYS:
                counts.clear()
                period.others.clear()
            counts[key] = count
            if self._tell is not None:
                period.untold[key] = period.untold.get(key, 0) + 1
                count += period.others.get(key, 0)
        if self._tell is not None and not self._news.is_set():
            self._wake()
        return count, int(period.ends - now) + 1

    def exchange(self) -> None:
        """Tell what was counted here and learn what all have counted; raises Unavailable, and nothing is forgotten."""
        if self._tell is None:
            return
        with self._lock:
            taken = [(period, _some(period.untold)) for period in self._periods.values()]
        told = [
            (_name(period, key), amount, 2 * period.quota.seconds)
            for period, some in taken
            for key, amount in some.items()
        ]
        if not told:
            return
        try:
            totals = self._tell(told)
        except Unavailable:
            with self._lock:
                for period, some in taken:
                    for key, amount in some.items():
                        period.untold[key] = period.untold.get(key, 0) + amount
            raise
        with self._lock:
            for period, some in taken:
                for key in some:
                    own = period.counts.get(key, 0) - period.untold.get(key, 0)
                    period.others[key] = max(0, totals.get(_name(period, key), 0) - own)

    def _wake(self) -> None:
        self._news.set()
        with self._lock:
            begins, self._exchanging = not self._exchanging, True
        if begins:  # here and not in the constructor: a thread does not survive a fork
            threading.Thread(target=self._run, name="limits", daemon=True).start()

    def _run(self) -> None:
        pause, lost = EVERY_SECONDS, False
        while self._news.wait():
            self._news.clear()
            try:
                self.exchange()
            except Unavailable as fault:
                if not lost:
                    log.warning("each node counts for itself: %s", fault.detail)
                lost, pause = True, min(2 * pause, LONGEST_PAUSE)
                self._news.set()
            except Exception:
                log.exception("unexpected while sharing counts")  # the thread must live
                lost, pause = True, LONGEST_PAUSE
            else:
                if lost:
                    log.warning("nodes count together again")
                lost, pause = False, EVERY_SECONDS
            time.sleep(pause)


def _some(untold: dict[str, int]) -> dict[str, int]:
    """The first of them, taken out; the rest has its turn next."""
    if len(untold) <= MOST_AT_ONCE:
        taken = dict(untold)
        untold.clear()
        return taken
    return {key: untold.pop(key) for key in list(untold)[:MOST_AT_ONCE]}


def _name(period: _Period, key: str) -> str:
    return f"{period.quota.name}:{period.quota.seconds}:{period.number}:{key}"

"""What time is it? The only reader of time; everything else is given a clock or a moment.

A moment is seconds since 1970-01-01T00:00:00Z, without leap seconds (RFC 7519 `NumericDate`). Moments that rules are
made of (an expiry, the end of a grace period) are whole seconds; `now` has a fraction.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], float]

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
LEAP = 5
"""Seconds by which a wall clock may be ahead of the monotonic one without being doubted."""


def utc_now() -> float:
    """The wall clock, in seconds since the epoch."""
    return time.time()


def monotonic() -> float:
    """Seconds on a clock that never steps: for ages and pauses, not for dates."""
    return time.monotonic()


class Ratchet:
    """A clock that does not go back: while the wall clock is behind a moment it has shown, that moment goes on.

    A clock set back by a minute or an hour therefore revives nothing that this process has seen end. A clock set ahead
    is followed at once, and remembered only when it has stayed ahead for a minute by the monotonic clock: a moment of a
    wrong clock must not be held on to. A step back of over a day is taken for the repair of a clock that was wrong.
    """

    def __init__(self, clock: Clock, ticks: Clock = monotonic) -> None:
        self._clock = clock
        self._ticks = ticks
        self._lock = threading.Lock()
        self._latest, self._latest_at = clock(), ticks()
        self._ahead_since: float | None = None

    def __call__(self) -> float:
        with self._lock:
            now, at = self._clock(), self._ticks()
            if now < self._latest and self._latest - now <= DAY:
                self._ahead_since = None
                return self._latest
            leapt = now - self._latest > at - self._latest_at + LEAP
            if leapt and self._ahead_since is None:
                self._ahead_since = at
            if not leapt or at - (self._ahead_since or at) >= MINUTE or now < self._latest:
                self._latest, self._latest_at, self._ahead_since = now, at, None
            return now


def no_earlier(now: float, on_record: int | None) -> float:
    """`now`, or a later moment that is on record: what has ended by it is not revived by a clock that was set back.

    A record that is over a day ahead was made by a clock that was wrong, and counts for nothing.
    """
    return on_record if on_record is not None and now < on_record <= now + DAY else now


def rfc3339(moment: float | None) -> str | None:
    """`2027-11-21T00:00:00Z` (RFC 3339 §5.6), to the second; None stays None."""
    if moment is None:
        return None
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

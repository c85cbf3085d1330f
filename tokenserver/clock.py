"""What time is it? The only reader of time; everything else is given a clock or a moment.

A moment is seconds since 1970-01-01T00:00:00Z, without leap seconds (RFC 7519 `NumericDate`). Moments that rules are
made of (an expiry, the end of a grace period) are whole seconds; `now` has a fraction.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], float]

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def utc_now() -> float:
    """The wall clock, in seconds since the epoch."""
    return time.time()


def monotonic() -> float:
    """Seconds on a clock that never steps: for ages and pauses, not for dates."""
    return time.monotonic()


class Ratchet:
    """A clock that does not go back: while the wall clock is behind a moment it has shown, that moment goes on.

    A clock set back by a minute or an hour therefore revives nothing that has ended. A step back of over a day is taken
    for the repair of a clock that was wrong, because a server that stood still for a day would serve nobody.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest = 0.0

    def __call__(self) -> float:
        now = self._clock()
        if now >= self._latest or self._latest - now > DAY:
            self._latest = now
        return self._latest


def rfc3339(moment: float | None) -> str | None:
    """`2027-11-21T00:00:00Z` (RFC 3339 §5.6), to the second; None stays None."""
    if moment is None:
        return None
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

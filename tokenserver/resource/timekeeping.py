"""What time is it for a decision about a token, and how old is the news?

A decision must not depend on one clock that somebody may set. There are three sources: the wall clock, the monotonic
clock (which never steps, but knows no date), and the issuer's own clock, which is proven by each signed statement to
have come to `iat` (`Known.lead`).

- **Now** is the latest of: the wall clock; the issuer's time, carried on by the monotonic clock; and the latest *now*
  that was ever used here. So a wall clock that is behind, or is set back, revives no token whose expiry or grace period
  has passed. The last source is capped at the staleness bound beyond the issuer's time: a machine that starts with a
  clock that is hours ahead is well again as soon as its clock is set right, and not hours later.
- **The age of the feed** is its age when it was received, by whichever clock says more, plus the monotonic time since.
  A statement replayed from an hour ago is an hour old, and setting the wall clock back does not make it younger. A
  machine that slept (a monotonic clock may stand still meanwhile) sees the age on its wall clock.
"""

from __future__ import annotations

from tokenserver.clock import Clock
from tokenserver.resource.knowledge import NEVER, Known


class Timekeeper:
    """Reads both clocks at once. No lock: threads that race move `latest` back by what they raced for at most."""

    __slots__ = ("_clock", "_latest", "_tolerance", "ticks")

    def __init__(self, clock: Clock, ticks: Clock, tolerance: float) -> None:
        self._clock = clock
        self._tolerance = tolerance
        self._latest = NEVER
        self.ticks = ticks
        """The monotonic clock."""

    def wall(self) -> float:
        """The wall clock as it is, right or wrong."""
        return self._clock()

    def read(self, known: Known) -> tuple[float, float]:
        """Now, and the age of what is known."""
        wall, ticks = self._clock(), self.ticks()
        age, age_by_wall = ticks - known.born_at, wall - known.issued_at
        at_least = known.lead + ticks
        now = wall if wall > at_least else at_least  # noqa: FURB136  `max` costs three times as much
        if now > self._latest:
            self._latest = now
        elif known.seq is None:
            now = self._latest
        else:
            now = max(now, min(self._latest, at_least + self._tolerance))
        return now, age if age > age_by_wall else age_by_wall  # noqa: FURB136

"""How long can this token be used, and when is it time for the next?

The lifetime counts from the moment at which the token was asked for, not from when it came: so it is never taken for
younger than it is. The age is the larger of what two clocks say. The monotonic clock is not deceived when somebody sets
the wall clock back; the wall clock sees that a machine slept, through which a monotonic clock may stand still. A wall
clock that leaps forward costs one renewal too many and nothing else.

A token is due for renewal at a random point between 75 and 90 % of its lifetime, so that processes that were started
together do not come back together; and is no longer used when a tenth of it is left, at most 5 s.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import SystemRandom
from typing import Final, NamedTuple

EARLIEST, LATEST = 0.75, 0.9
MARGIN: Final = 5.0
UNSTATED: Final = 300.0
"""Seconds for which a token is used whose lifetime the server did not say (RFC 6749 §5.1 leaves that open)."""

_chance = SystemRandom()  # forked processes must not draw the same


class Moment(NamedTuple):
    """The same moment on two clocks."""

    wall: float
    ticks: float


@dataclass(frozen=True, slots=True)
class AccessToken:
    text: str = field(repr=False)
    asked_at: Moment
    lifetime: float = UNSTATED
    scope: str | None = None
    rotation_waits: bool = False
    """Whether the server says that a new secret waits to be claimed."""
    due_at_age: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "due_at_age", self.lifetime * _chance.uniform(EARLIEST, LATEST))

    def age(self, now: Moment) -> float:
        return max(now.wall - self.asked_at.wall, now.ticks - self.asked_at.ticks)

    def is_due(self, now: Moment) -> bool:
        """Time for the next one; this one can be used meanwhile."""
        return self.age(now) >= self.due_at_age

    def is_spent(self, now: Moment) -> bool:
        """Too late to be used: it might expire on its way."""
        return self.age(now) >= self.lifetime - min(MARGIN, self.lifetime / 10)

    def due_at_another_age(self) -> AccessToken:
        """The same with its own draw: for the child of a fork, whose siblings hold this one too."""
        return replace(self)

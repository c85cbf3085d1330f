"""Is this token still live? The rule of generations, which this product exists for.

A credential carries `Generation(current, floor, next_floor, next_floor_at)`, and so does an organization. Rules:

1. `0 < floor <= next_floor <= current`; no number ever goes down, and none is used for two different sets of terms.
2. A token carries `gen`. It is live while `gen >= floor_at(now)`, where `floor_at(now)` is `next_floor` once
   `next_floor_at` has come, else `floor`.
3. A *bump* (regenerate, disable, revoke, delete, any narrowing) lifts the floor above every number that is out.
   In a grace period two secrets live, so a bump takes two numbers: the retiring secret mints the lower (`floor`),
   the new one the higher (`current`).
4. *Rotate* opens a grace period: the new secret mints `current + 1`; the retiring one goes on minting `floor` until
   `next_floor_at`, when the floor moves by itself, on every machine, with no job having to run.
   A rotation on schedule opens it *without an end* (`next_floor_at` None): nothing is told to anybody, and the old
   secret goes on until the app has used the new one and the end is set.
5. *Cancel* withdraws the new secret. Its tokens must die and the old secret must go on; with one comparison that is a
   bump, so tokens of the old secret end as well and are fetched anew with it.

What others need to know about a change is a list of `Floor(number, effective_at)`; floors only rise, so the strictest
one that is in force decides, in whatever order they are learned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

from tokenserver.errors import Conflict

LARGEST = 2**53 - 1
"""The largest generation: what every JSON reader can hold without loss (RFC 8259 §6)."""


class Floor(NamedTuple):
    """From `effective_at` (seconds since the epoch) on, generations below `number` are dead."""

    number: int
    effective_at: int


class RotationOpen(Conflict):
    code = "rotation_open"
    public = (
        "A rotation is already in progress: finish or cancel it first, or regenerate to end the old secret"
        " and every token at once."
    )


class NoRotation(Conflict):
    code = "no_rotation"
    public = "No rotation is in progress."


@dataclass(frozen=True, slots=True)
class Generation:
    """See the rules above. A new credential starts at generation 1."""

    current: int = 1
    floor: int = 1
    next_floor: int = 1
    next_floor_at: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.floor <= self.next_floor <= self.current <= LARGEST:
            raise ValueError("a generation must satisfy 0 < floor <= next_floor <= current < 2**53")

    def floor_at(self, now: float) -> int:
        """The lowest generation that is live at `now`."""
        if self.next_floor_at is not None and now >= self.next_floor_at:
            return self.next_floor
        return self.floor

    def in_grace(self, now: float) -> bool:
        """Whether two secrets are live at `now`."""
        return self.next_floor > self.floor and (self.next_floor_at is None or now < self.next_floor_at)

    def settled(self, now: float) -> Generation:
        """The same generation with a grace period that is over written down as over."""
        if self.next_floor_at is None or self.in_grace(now):
            return self
        return replace(self, floor=self.next_floor, next_floor_at=None)

    def regenerated(self) -> Generation:
        """One new secret, and every token that is out dies; an open grace period ends with it."""
        return _single(self.current + 1)

    def bumped(self, now: float, by: int = 1) -> Generation:
        """The secrets stay, and every token that is out dies; `by` more numbers than needed may be passed over."""
        if not self.in_grace(now):
            return _single(self.current + by)
        following = self.current + by + 1
        return replace(self, floor=self.current + by, current=following, next_floor=following)

    def rotated(self, now: float, grace_seconds: int | None) -> Generation:
        """A new secret beside the old one, which goes on until the grace period ends. Nothing dies early.

        None: it has no end until `bounded` sets one.
        """
        if self.in_grace(now):
            raise RotationOpen
        here = self.settled(now)
        ends = None if grace_seconds is None else math.ceil(now) + grace_seconds
        number = here.current + 1
        return Generation(current=number, floor=here.current, next_floor=number, next_floor_at=ends)

    def bounded(self, now: float, grace_seconds: int) -> Generation:
        """The grace period that had no end gets one."""
        if not self.in_grace(now) or self.next_floor_at is not None:
            raise NoRotation
        return replace(self, next_floor_at=math.ceil(now) + grace_seconds)

    def finished(self, now: float) -> Generation:
        """The grace period ends now: the retiring secret and its tokens die, the new ones go on."""
        if not self.in_grace(now):
            raise NoRotation
        return _single(self.next_floor)

    def cancelled(self, now: float) -> Generation:
        """The new secret is withdrawn (rule 5); the old one mints the next number."""
        if not self.in_grace(now):
            raise NoRotation
        return _single(self.current + 1)

    def floors_to_tell(self, before: Generation, now: float) -> tuple[Floor, ...]:
        """What resource servers must learn when `before` became this: nothing, when no floor moved."""
        told: list[Floor] = []
        if self.floor > before.floor_at(now):
            told.append(Floor(self.floor, int(now)))
        if self.next_floor_at is not None and self.next_floor > self.floor:
            pending = Floor(self.next_floor, self.next_floor_at)
            if (before.next_floor, before.next_floor_at) != pending:
                told.append(pending)
        return tuple(told)


def _single(number: int) -> Generation:
    return Generation(current=number, floor=number, next_floor=number)

"""What did a request ask for that is not known here, and may it be fetched? Bounds what strangers can make us do.

A token may name a key that is not known: perhaps it is new, more likely somebody made it up. So all unknown names
together cost at most one fetch per cool-down, and requests of one moment share it. Names that a fetch has not brought
are remembered as absent for a while, and cost nothing at all.

A list of allowed addresses is asked for by tokens that *we* proved, one fetch per list; when one fails, that list rests
for a while.

An `Attempt` is done when the fetch has been tried, whatever came of it: look again. Everything here is bounded.
"""

from __future__ import annotations

import threading
from collections.abc import Container
from concurrent.futures import Future
from typing import Final

Attempt = Future[None]

LONGEST_KEY_ID: Final = 256
MOST_REMEMBERED: Final = 1024
MOST_AT_ONCE: Final = 64
ABSENT_FOR: Final = 30.0
"""Seconds in which a name that a fetch did not bring is not asked for again."""


def new_attempt() -> Attempt:
    """An attempt that nobody who waits for it can cancel."""
    attempt: Attempt = Future()
    attempt.set_running_or_notify_cancel()
    return attempt


class KeyWishes:
    """Unknown names of keys: one attempt for all, then a cool-down."""

    def __init__(self, cooldown: float) -> None:
        self._cooldown = cooldown
        self._lock = threading.Lock()
        self._attempt: Attempt | None = None
        self._names: set[str] = set()
        self._again_at = 0.0
        self._absent: dict[str, float] = {}

    def wish(self, name: str, ticks: float) -> Attempt | None:
        """What to wait for; None when the answer is known already: not there."""
        with self._lock:
            if len(name) > LONGEST_KEY_ID or self._absent.get(name, 0.0) > ticks:
                return None
            if self._attempt is None:
                if not self._may_fetch(ticks):
                    return None
                self._attempt = new_attempt()
            if len(self._names) < MOST_AT_ONCE:
                self._names.add(name)
            return self._attempt

    def may_fetch(self, ticks: float) -> bool:
        """Whether the cool-down is over; if so it begins again."""
        with self._lock:
            return self._may_fetch(ticks)

    def begin(self) -> frozenset[str]:
        """The names that the fetch which begins now answers for; none if nobody waits."""
        with self._lock:
            if self._attempt is None:
                return frozenset()
            names, self._names = frozenset(self._names), set()
            return names

    def end(self, names: frozenset[str], found: Container[str] | None, ticks: float) -> None:
        """The fetch brought `found`, or failed (None)."""
        with self._lock:
            for name in names if found is not None else ():
                if name not in (found or ()):
                    _remember(self._absent, name, ticks + ABSENT_FOR)
            attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.set_result(None)

    def _may_fetch(self, ticks: float) -> bool:
        if ticks < self._again_at:
            return False
        self._again_at = ticks + self._cooldown
        return True


class ListWishes:
    """Unknown lists of allowed addresses: one attempt for each."""

    def __init__(self, cooldown: float) -> None:
        self._cooldown = cooldown
        self._lock = threading.Lock()
        self._attempts: dict[str, Attempt] = {}
        self._again_at: dict[str, float] = {}

    def wish(self, digest: str, ticks: float) -> Attempt | None:
        """What to wait for; None while the list rests after a failure, or when too many are asked for at once."""
        with self._lock:
            if digest not in self._attempts:
                if self._again_at.get(digest, 0.0) > ticks or len(self._attempts) >= MOST_AT_ONCE:
                    return None
                self._attempts[digest] = new_attempt()
            return self._attempts[digest]

    def begin(self) -> tuple[str, ...]:
        """The lists that are waited for."""
        with self._lock:
            return tuple(self._attempts)

    def end(self, digest: str, ticks: float, *, found: bool) -> None:
        with self._lock:
            if not found:
                _remember(self._again_at, digest, ticks + self._cooldown)
            attempt = self._attempts.pop(digest, None)
        if attempt is not None:
            attempt.set_result(None)


def _remember(memory: dict[str, float], name: str, until: float) -> None:
    memory.pop(name, None)
    while len(memory) >= MOST_REMEMBERED:
        del memory[next(iter(memory))]
    memory[name] = until

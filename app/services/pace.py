"""How many rows at a time may the work of the clock change, so that nobody who waits to write waits long?

Tokens are issued meanwhile, and on SQLite a turn to write holds them all up. How long a row takes depends on the
machine and its disk, so the number follows what was measured.
"""

from __future__ import annotations

LONGEST_TURN = 0.015
"""Seconds; a turn that turns out longer than expected stays below 20 ms all the same."""


class Pace:
    """`size` rows a turn: fewer as soon as one took too long, slowly more while there is room.

    Never less than `least`: what a turn costs whatever it is about would take most of it.
    """

    def __init__(self, *, least: int = 8, first: int = 12, most: int = 32) -> None:
        self._least = least
        self._most = most
        self.size = first
        self.held = 0.0
        """Seconds of all turns together."""

    def took(self, seconds: float, rows: int) -> None:
        """What a turn about so many rows took, its commit included."""
        self.held += seconds
        if seconds > LONGEST_TURN:
            self.size = max(self._least, self.size * 2 // 3)
        elif rows >= self.size and seconds < LONGEST_TURN * 2 / 3:
            self.size = min(self._most, self.size + 1)

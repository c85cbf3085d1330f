"""Which core does what? The server has one to itself; the load generator and the database use another.

Linux only: elsewhere nothing is pinned, and the table says so. With three cores or more the database has its own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

Cores = frozenset[int]


@dataclass(frozen=True)
class Placing:
    """Sets of cores; an empty one pins nothing."""

    server: Cores = frozenset()
    generator: Cores = frozenset()
    database: Cores = frozenset()
    everything: Cores = frozenset()

    @property
    def apart(self) -> bool:
        """Whether the server and its load are on different cores."""
        return bool(self.server) and self.server.isdisjoint(self.generator)

    def in_words(self) -> str:
        if not self.server:
            return "nothing is pinned: the system decides"
        names = {"server": self.server, "generator": self.generator, "database": self.database}
        return ", ".join(f"{name} on core {'+'.join(map(str, sorted(cores)))}" for name, cores in names.items())


def placing_here() -> Placing:
    """The first cores that this process may use."""
    if not hasattr(os, "sched_getaffinity"):
        return Placing()
    everything = frozenset(os.sched_getaffinity(0))
    first, *others = sorted(everything)
    second = others[0] if others else first
    third = others[1] if len(others) > 1 else second
    return Placing(frozenset({first}), frozenset({second}), frozenset({third}), everything)


def stay_on(cores: Cores) -> None:
    """Pin this process; what it starts later inherits it."""
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)

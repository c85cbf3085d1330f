"""Who used a core meanwhile? Beside every rate, so that one sees what limited it, and whether others disturbed it.

Read from /proc, in ticks of 10 ms; where there is none, nothing is known and nothing is said.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scripts.bench_parts.placing import Cores

_PROC = Path("/proc")


@dataclass(frozen=True)
class Shares:
    """Shares of the watched cores, between 0 and 1: of the processes that are ours, of all others, of nobody."""

    ours: float
    others: float
    idle: float

    def in_words(self) -> str:
        return f"its own {self.ours:.0%}, others {self.others:.0%}, idle {self.idle:.0%}"


class Watch:
    """`shares()` tells who used `cores` since the watch was made; ours are `roots` and their descendants."""

    def __init__(self, cores: Cores, roots: Iterable[int]) -> None:
        self._cores = cores
        self._roots = tuple(roots)
        self._begun = time.perf_counter()
        self._busy, self._ours = _busy_seconds(cores), cpu_seconds(self._roots)

    def shares(self) -> Shares | None:
        busy, ours = _busy_seconds(self._cores), cpu_seconds(self._roots)
        available = (time.perf_counter() - self._begun) * len(self._cores)
        if not available or busy is None or self._busy is None or ours is None or self._ours is None:
            return None
        own_share = max(0.0, ours - self._ours) / available
        busy_share = min(1.0, (busy - self._busy) / available)
        return Shares(own_share, max(0.0, busy_share - own_share), 1.0 - max(busy_share, min(1.0, own_share)))


def family(roots: Iterable[int]) -> list[int]:
    """Process IDs: the roots and everything below them."""
    parents: dict[int, int] = {}
    for folder in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            parents[int(folder.name)] = int(_fields(int(folder.name))[1])
    found = [pid for pid in roots if pid in parents]
    for pid in found:  # grows while it is walked
        found += [child for child, parent in parents.items() if parent == pid and child not in found]
    return found


def cpu_seconds(roots: Iterable[int]) -> float | None:
    """Processor time that the processes and their descendants have used so far."""
    if not _PROC.is_dir():
        return None
    ticks = 0
    for pid in family(roots):
        with contextlib.suppress(OSError, IndexError, ValueError):
            fields = _fields(pid)
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_mebibytes(pid: int) -> float | None:
    """Memory that the process has in RAM."""
    with contextlib.suppress(OSError):
        for line in (_PROC / str(pid) / "status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return None


def _fields(pid: int) -> list[str]:
    """Of /proc/PID/stat, from the state on: the name before it may hold anything."""
    return (_PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()


def _busy_seconds(cores: Cores) -> float | None:
    try:
        lines = (_PROC / "stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    ticks = 0
    for line in lines:
        name, *numbers = line.split()
        if name.removeprefix("cpu").isdecimal() and int(name.removeprefix("cpu")) in cores:
            user, nice, system, _idle, _waiting, *interrupts = map(int, numbers[:8])
            ticks += user + nice + system + sum(interrupts)
    return ticks / os.sysconf("SC_CLK_TCK")

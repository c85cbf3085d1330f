"""How much is measured, where, and for how long? One frozen value that every part is given."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.bench_parts.figures import Figure
from scripts.bench_parts.placing import Placing

FEW = 1000
"""Credentials where the number does not matter."""
CONNECTIONS = (16, 64)


@dataclass(frozen=True)
class Plan:
    """`kept` outlives the run (the big database, the rivals); `scratch` does not. `seconds` is one measurement."""

    kept: Path
    scratch: Path
    placing: Placing
    seconds: float = 2.0
    rounds: int = 7
    credentials: int = 1_000_000
    smoke: bool = False
    full: bool = False
    wrk: bool = False

    def folder(self, name: str) -> Path:
        """A new folder in the scratch."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.scratch))

    def say(self, text: str) -> None:
        """Progress, for whoever waits."""
        print(f"   {text}", file=sys.stderr, flush=True)


Part = Callable[[Plan], Sequence[Figure]]


class Skipped(Exception):
    """The part cannot run here; the text says why."""

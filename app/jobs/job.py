"""What is work of the clock? A name, how often it is looked after, and what does a piece of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Job:
    """`run` is given the moment and does a bounded piece of what is due; True: there is more, do not pause.

    One thread runs all jobs in turn: a piece takes a second at the most, and holds the turn to write for some 20 ms at
    a time (some hundred rows), because tokens are issued meanwhile. A piece may be repeated or cut short at any moment,
    by a failure or by kill -9, so that what it does is claimed in rows.
    """

    name: str
    every_seconds: float
    run: Callable[[float], bool | None]
    end: Callable[[], None] = lambda: None
    """Called at a graceful end, after the last `run`, where the job has threads of its own."""

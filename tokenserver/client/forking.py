"""What does the child of a fork begin anew? Its locks, which a thread may have held that does not exist there."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Forked(Protocol):
    def after_fork(self) -> None:
        """Make locks, and forget what other threads were doing."""


_all: WeakSet[Forked] = WeakSet()


def begins_anew_after_fork(one: Forked) -> None:
    """Have `one.after_fork()` called in each child process, as long as there is `one`."""
    _all.add(one)


def _after_fork_in_child() -> None:
    for one in tuple(_all):
        one.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_after_fork_in_child)

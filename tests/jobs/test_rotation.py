"""Does the job leave others their turns, and say when there is more?"""

from __future__ import annotations

import time

from app.jobs.rotation import PIECE_SECONDS, SHARE, rotation_job


class Endless:
    """Rotations of which there are always more; each turn is held for a hundredth of a second."""

    held = 0.0
    turns = 0

    def work(self, _now):
        self.turns += 1
        self.held += 0.01
        return 5


class Done:
    held = 0.0

    def work(self, _now):
        return 0


def test_it_holds_the_turn_for_a_share_of_the_time_only_and_says_that_there_is_more():
    rotations = Endless()
    began = time.monotonic()
    assert rotation_job(rotations).run(0.0) is True  # type: ignore[arg-type]
    took = time.monotonic() - began
    assert took >= PIECE_SECONDS
    assert rotations.held <= took * SHARE + 0.01


def test_where_nothing_is_due_it_ends_at_once():
    assert rotation_job(Done()).run(0.0) is False  # type: ignore[arg-type]

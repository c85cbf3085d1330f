"""How much of its time does the clock's work give to rotations? A part, so that tokens go on being issued.

When a hundred thousand credentials come due at once, nobody waits for the last of them. So after each turn to write
there is a pause, until no more than a share of one processor's time was spent: the rest is for those who ask for
tokens. What counts is what this thread has worked, or how long it held the turn, not how long it waited for it.
"""

from __future__ import annotations

import time

from app.jobs.job import Job
from app.services.rotations import Rotations
from tokenserver.clock import monotonic

EVERY_SECONDS = 1.0
PIECE_SECONDS = 0.5
SHARE = 0.1
"""Of the time, while there is more to do."""


def rotation_job(rotations: Rotations) -> Job:
    def run(now: float) -> bool:
        """Turns and pauses for half a second; whether there may be more."""
        ends = monotonic() + PIECE_SECONDS
        while (began := monotonic()) < ends:
            worked, held = time.thread_time(), rotations.held
            if not rotations.work(now):
                return False
            spent = max(time.thread_time() - worked, rotations.held - held)
            time.sleep(max(0.0, began + spent / SHARE - monotonic()))
        return True

    return Job("rotation", EVERY_SECONDS, run)

"""Who does what is due? One thread in each process that serves; those of all processes but one wait for its lease.

Pauses are measured by the monotonic clock, so that a wall clock that is set back stops nothing; jobs are told the time
by the clock of the services. A job that fails is logged, noted and tried again, ever more seldom; it neither ends the
thread nor keeps others from their turns.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.jobs.job import Job
from app.services.clockwork import LEASE_SECONDS, OK, Clockwork, LastRun
from tokenserver.clock import MINUTE, Clock, monotonic
from tokenserver.errors import TokenServerError

log = logging.getLogger("tokenserver.jobs")

FOLLOWING_SECONDS = 2.0
"""How often a process that does not hold the lease asks for it."""
RENEWING_SECONDS = LEASE_SECONDS / 3
LONGEST_PAUSE = 5 * MINUTE
"""Before what failed is tried again."""
NOTED_EVERY = MINUTE
"""How often is noted that a job goes on as before; a row for each second would be a commit for each second."""


@dataclass(slots=True)
class _Plan:
    """A job, when it is due (by the monotonic clock), and how it went."""

    job: Job
    due_at: float = 0.0
    failures: int = 0
    noted: str = ""
    noted_at: float = 0.0


class Runner:
    def __init__(self, jobs: Iterable[Job], clockwork: Clockwork, clock: Clock, ticks: Clock = monotonic) -> None:
        self._clockwork = clockwork
        self._clock = clock
        self._ticks = ticks
        self._plans = [_Plan(job) for job in jobs]
        self._woken = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._leads = False
        self._renewed_at = 0.0

    # --- its thread ---

    def start(self) -> None:
        """Begin, in a thread of this process; to be called after forks, and once."""
        if self._plans:
            self._thread = threading.Thread(target=self.run, name="jobs", daemon=True)
            self._thread.start()

    def run(self) -> None:
        """Do what is due until `stop`; in the foreground for whoever calls it."""
        while not self._stopping:
            self._woken.clear()  # before the work, so that a wake-up that comes during it is heeded
            try:
                pause = self.turn()
            except Exception:
                log.exception("unexpected in the work of the clock")  # the thread must live
                pause = FOLLOWING_SECONDS
            self._woken.wait(pause)
        self._end()

    def stop(self) -> None:
        """Begin no further piece of work. Returns at once; may be called by a signal handler."""
        self._stopping = True
        self._woken.set()

    def join(self, seconds: float) -> None:
        """Wait until the piece that is being worked on is done and the lease handed back, or for so long."""
        if self._thread is not None:
            self._thread.join(seconds)

    def wake(self, *names: str) -> None:
        """Something is due before its time: look after the jobs of these names, or all, now."""
        for plan in self._plans:
            if not names or plan.job.name in names:
                plan.due_at = self._ticks()
        self._woken.set()

    # --- one round ---

    def turn(self) -> float:
        """One piece of each job that is due, where this process leads; returns the seconds until the next round."""
        for plan in self._plans:
            if self._stopping or not self._may_lead():
                return FOLLOWING_SECONDS
            if plan.due_at <= self._ticks():
                self._work(plan)
        if not self._may_lead():
            return FOLLOWING_SECONDS
        next_at = min([self._renewed_at + RENEWING_SECONDS, *(plan.due_at for plan in self._plans)])
        return max(0.0, next_at - self._ticks())

    def last_runs(self) -> Iterator[tuple[Job, LastRun | None]]:
        for plan in self._plans:
            yield plan.job, self._clockwork.last_run(plan.job.name)

    def leader(self) -> str | None:
        return self._clockwork.leader()

    def _may_lead(self) -> bool:
        if self._leads and self._ticks() - self._renewed_at < RENEWING_SECONDS:
            return True
        led, asked_at = self._leads, self._ticks()
        try:
            self._leads = self._clockwork.take()
        except TokenServerError as fault:
            self._leads = False
            log.warning("the lease of the jobs cannot be taken: %s", fault.public)
        if self._leads:
            self._renewed_at = asked_at
        if self._leads is not led:
            log.info("this process %s the work of the clock", "does" if self._leads else "no longer does")
        return self._leads

    def _work(self, plan: _Plan) -> None:
        began = self._ticks()
        plan.due_at = began + plan.job.every_seconds  # before the work: a wake-up that comes during it stays
        try:
            more = plan.job.run(self._clock())
        except TokenServerError as fault:
            self._failed(plan, fault.public)
            log.warning("job %s failed: %s %s", plan.job.name, fault.public, fault.detail)
        except Exception as fault:
            self._failed(plan, f"unexpected {type(fault).__name__}")
            log.exception("job %s failed", plan.job.name)
        else:
            plan.failures = 0
            if more:
                plan.due_at = began
            self._note(plan, OK)

    def _failed(self, plan: _Plan, outcome: str) -> None:
        plan.failures += 1
        pause = min(plan.job.every_seconds, MINUTE) * 2 ** min(plan.failures - 1, 10)
        plan.due_at = self._ticks() + min(pause, LONGEST_PAUSE)
        self._note(plan, f"failed {plan.failures} times in a row: {outcome}" if plan.failures > 1 else outcome)

    def _note(self, plan: _Plan, outcome: str) -> None:
        as_before = plan.noted != "" and (plan.noted == OK) is (outcome == OK)
        if as_before and self._ticks() - plan.noted_at < NOTED_EVERY:
            return
        try:
            self._clockwork.note(plan.job.name, outcome)
        except TokenServerError:
            return  # it is noted the next time
        plan.noted, plan.noted_at = outcome, self._ticks()

    def _end(self) -> None:
        for plan in self._plans:
            plan.job.end()
        if not self._leads:
            return
        self._leads = False
        try:
            self._clockwork.hand_back()
        except TokenServerError as fault:
            log.warning("the lease of the jobs cannot be handed back; it ends by itself: %s", fault.public)

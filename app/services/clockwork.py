"""Which process does the work of the clock, and how did each part of it last go?

Every process that serves could do it; one does, whoever holds the lease. It is renewed while its holder works, handed
back at a graceful end, and taken over when it has run out, or when it has not changed for as long by our own monotonic
clock: a holder whose clock was far ahead leaves no lease that outlives it. Clocks that differ by more than a lease may
let two processes work for a moment, so that what jobs do is claimed row by row as well.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass

from app.store import Store
from app.store.leases import Lease
from tokenserver.clock import Clock, monotonic

LEASE_SECONDS = 15
_LEASE = "jobs"


@dataclass(frozen=True, slots=True)
class LastRun:
    at: int
    outcome: str


class Clockwork:
    def __init__(self, store: Store, clock: Clock, ticks: Clock = monotonic) -> None:
        self._store = store
        self._clock = clock
        self._ticks = ticks
        self.holder = ""
        self._seen: Lease | None = None
        self._seen_at = 0.0

    def take(self) -> bool:
        """Whether this process holds the lease, which is taken or renewed when it can be."""
        if not self.holder:
            self.holder = f"{os.getpid()}-{secrets.token_hex(6)}"  # not before: a fork would share it
        now = int(self._clock())
        with self._store.reading() as tx:
            found = tx.leases.get(_LEASE)
        if found is not None and found.holder != self.holder and now < found.ends_at and not self._stands_still(found):
            return False
        with self._store.writing() as tx:
            return tx.leases.swap(Lease(_LEASE, self.holder, now + LEASE_SECONDS), was=found)

    def hand_back(self) -> None:
        """Let another process begin at once."""
        with self._store.writing() as tx:
            tx.leases.drop(_LEASE, self.holder)

    def leader(self) -> str | None:
        """Whoever holds the lease now."""
        with self._store.reading() as tx:
            found = tx.leases.get(_LEASE)
        return found.holder if found is not None and self._clock() < found.ends_at else None

    def note(self, job: str, outcome: str) -> None:
        """Remember how `job` went."""
        with self._store.writing() as tx:
            tx.organizations.set_fact(_fact(job), json.dumps({"at": int(self._clock()), "outcome": outcome}))

    def last_run(self, job: str) -> LastRun | None:
        with self._store.reading() as tx:
            noted = tx.organizations.fact(_fact(job))
        return None if noted is None else LastRun(**json.loads(noted))

    def _stands_still(self, found: Lease) -> bool:
        if found != self._seen:
            self._seen, self._seen_at = found, self._ticks()
        return self._ticks() - self._seen_at >= LEASE_SECONDS


def _fact(job: str) -> str:
    return f"job:{job}"

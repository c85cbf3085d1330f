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
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from app.store import Store, Transaction
from app.store.leases import Lease
from tokenserver.clock import Clock, monotonic

LEASE_SECONDS = 15
OK = "ok"
"""The outcome of a job that went well."""
_LEASE = "jobs"
_FACTS = "job:"


@dataclass(frozen=True, slots=True)
class LastRun:
    """`went_well_at` is when it last did; None where that is not known."""

    at: int
    outcome: str
    went_well_at: int | None = None


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
        now = int(self._clock())
        with self._store.writing() as tx:
            last = _last_run(tx.organizations.fact(_fact(job)))
            went_well_at = None if last is None else last.went_well_at
            run = LastRun(now, outcome, now if outcome == OK else went_well_at)
            tx.organizations.set_fact(_fact(job), json.dumps(asdict(run)))

    def last_run(self, job: str) -> LastRun | None:
        with self._store.reading() as tx:
            return _last_run(tx.organizations.fact(_fact(job)))

    def _stands_still(self, found: Lease) -> bool:
        if found != self._seen:
            self._seen, self._seen_at = found, self._ticks()
        return self._ticks() - self._seen_at >= LEASE_SECONDS


def last_runs(tx: Transaction) -> Mapping[str, LastRun]:
    """Of every job that ever ran, by name."""
    found = tx.organizations.facts(_FACTS)
    return {name.removeprefix(_FACTS): LastRun(**json.loads(noted)) for name, noted in found.items()}


def _fact(job: str) -> str:
    return f"{_FACTS}{job}"


def _last_run(noted: str | None) -> LastRun | None:
    return None if noted is None else LastRun(**json.loads(noted))

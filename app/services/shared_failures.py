"""How long must wait who was wrong, over all workers and restarts? As `failures` says, with rows in the database.

For what people guess: passwords and codes. Rows that each process had for itself would give whoever guesses as many
tries as there are workers, and new ones with each release. A row is written with a failure and gone with a proof, in
transactions that are there anyway; whoever waits is turned away by a look. Changes take turns (`store.database`), so
that a row cannot move between the look and what follows, where both are in one that writes.

A row is known by a digest of what was claimed, whether there is such an account or not, and of where from.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass

from app.services.failures import FREE, LONGEST_WAIT, refuse_until, waiting
from app.store import Transaction
from tokenserver.clock import DAY, MINUTE

_CLOCKS_DIFFER = 5 * MINUTE
"""What failed later than that was told by a clock that was wrong, and must not be waited for."""


MOST_ROWS = 100_000
"""What is beyond, the longest untouched, is forgotten."""


def prune_in(tx: Transaction, now: float) -> None:
    """Forget what was long ago."""
    tx.sign_in.prune_failures(int(now) - DAY, MOST_ROWS)


@dataclass(frozen=True, slots=True)
class SharedFailures:
    """`name` tells rows of one kind from those of another."""

    name: str
    free: int = FREE
    longest: int = LONGEST_WAIT
    """Seconds."""

    def refuse_hasty_in(self, tx: Transaction, claimed: str, place: str, now: float) -> None:
        """Raise TooManyFailures while this place has to wait for what is claimed."""
        failures, failed_at = self._row(tx, claimed, place, now)
        refuse_until(failed_at, waiting(failures, self.free, self.longest), now)

    def failed_in(self, tx: Transaction, claimed: str, place: str, now: float) -> None:
        failures, _ = self._row(tx, claimed, place, now)
        tx.sign_in.set_failures(self._key(claimed, place), failures + 1, math.ceil(now))

    def proven_in(self, tx: Transaction, claimed: str, place: str) -> None:
        tx.sign_in.forget_failures(self._key(claimed, place))

    def _row(self, tx: Transaction, claimed: str, place: str, now: float) -> tuple[int, int]:
        failures, failed_at = tx.sign_in.failures(self._key(claimed, place))
        return (failures, failed_at) if -_CLOCKS_DIFFER <= now - failed_at <= DAY else (0, 0)

    def _key(self, claimed: str, place: str) -> str:
        told = json.dumps([self.name, claimed, place])
        return hashlib.sha256(told.encode()).hexdigest()

"""How long must wait who was wrong? Failed authentications, counted in a row for each credential and address.

Ten are free. Then each one makes this address wait for this credential, twice as long each time, up to twenty minutes;
while it waits, nothing that it sends is looked at. So an address is wrong fewer than a hundred times in a row in a day,
which is the bound of NIST SP 800-63B for any credential, though nobody guesses 238 random bits. A secret that is right
ends the row. Nobody locks out anybody else: from any other address the right secret works at once.

What is counted is what was claimed, so that it is the same whether there is such a credential or not. A row is
forgotten a day after its last failure. Rows are of this process: nodes do not share them. For what people guess, they
do (`shared_failures`).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from tokenserver.clock import DAY, Clock
from tokenserver.errors import RateLimited

FREE = 10
LONGEST_WAIT = 1200
"""Seconds."""
MOST_ROWS = 10_000
"""What is beyond, the longest untouched, is forgotten."""


class TooManyFailures(RateLimited):
    public = "Too many failed authentications from this address. Wait as long as Retry-After says, then try again."


def waiting(failures: int, free: int, longest: int = LONGEST_WAIT) -> int:
    """Seconds to wait after the last of so many failures in a row, of which so many are free."""
    return 0 if failures < free else min(longest, 1 << min(failures - free, 20))


def refuse_until(failed_at: float, wait: int, now: float) -> None:
    """Raise TooManyFailures where there is to be waited so long after a failure, and it is not over."""
    left = failed_at + wait - now
    if wait and left > 0:
        raise TooManyFailures(int(left) + 1, detail="too many failures")


@dataclass(slots=True)
class _Row:
    failures: int = 0
    failed_at: float = 0.0


class Failures:
    """Used by any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.rows: OrderedDict[tuple[str, str], _Row] = OrderedDict()
        """By what was claimed and from where; empty while nobody has failed."""

    def refuse_hasty(self, claimed: str, address: str) -> None:
        """Raise TooManyFailures while this address has to wait for this credential."""
        row = self.rows.get((claimed, address))
        if row is None:
            return
        refuse_until(row.failed_at, waiting(row.failures, FREE), self._clock())

    def failed(self, claimed: str, address: str) -> None:
        now = self._clock()
        with self._lock:
            row = self.rows.pop((claimed, address), None)
            if row is None or now - row.failed_at > DAY:
                row = _Row()
            row.failures, row.failed_at = row.failures + 1, now
            self.rows[claimed, address] = row
            if len(self.rows) > MOST_ROWS:
                self.rows.popitem(last=False)

    def proven(self, claimed: str, address: str) -> None:
        """The secret was right."""
        with self._lock:
            self.rows.pop((claimed, address), None)

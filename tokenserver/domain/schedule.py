"""When does a secret rotate by itself? The schedule of a credential, and the moment that follows from it.

Credentials that were made on one day would all come due on another. So each is due a little before its interval is
over: by an amount that follows from its client ID, of at most a twenty-fourth of the interval and six hours.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from tokenserver.clock import DAY, HOUR

LONGEST_INTERVAL_DAYS = 3650
LONGEST_GRACE = 30 * DAY
USUAL_GRACE = 14 * DAY
_WIDEST_SPREAD = 6 * HOUR


class OnUnclaimed(StrEnum):
    """What becomes of a new secret that nobody has claimed when its time is over."""

    EXTEND = "extend"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True)
class RotationSchedule:
    """Every `interval_days`; the app has `grace_seconds` to claim the new secret, and as long to leave the old one."""

    interval_days: int
    grace_seconds: int
    on_unclaimed: OnUnclaimed = OnUnclaimed.EXTEND

    def __post_init__(self) -> None:
        if not 1 <= self.interval_days <= LONGEST_INTERVAL_DAYS:
            raise ValueError("an interval is 1 to 3650 days")
        if not 1 <= self.grace_seconds <= LONGEST_GRACE or self.grace_seconds >= self.interval_days * DAY:
            raise ValueError("a grace period is 1 second to 30 days, and shorter than the interval")

    def period(self, client_id: str) -> int:
        """Seconds from one rotation of this credential to the next."""
        interval = self.interval_days * DAY
        spread = min(interval // 24, _WIDEST_SPREAD)
        return interval - int.from_bytes(hashlib.sha256(client_id.encode()).digest()[:8]) % spread


def usual_grace(interval_days: int) -> int:
    """Fourteen days, or half of an interval for which that is too long."""
    return min(USUAL_GRACE, interval_days * DAY // 2)

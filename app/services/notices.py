"""Who is told that a credential is about to expire, and when? 90, 60, 30, 15, 7 and 1 days before, once each.

After a downtime, or at the first start, only the latest notice that is due is given, not all that were missed. One that
would have been due before the expiry was set is not given: whoever sets an expiry in twenty days knows of it, and is
told in five. See `store.expiries` for how it is remembered.
"""

from __future__ import annotations

from app.services.pace import Pace
from app.store import Store, Transaction
from app.store.expiries import Expiring, Place
from app.store.outbox import Owed
from tokenserver.clock import DAY, HOUR, monotonic, rfc3339

NOTICES = (90, 60, 30, 15, 7, 1)
EXPIRING = "credential.expiring"

_LAST = "\x7f"
"""Behind every client ID."""
_AT_LEAST_EVERY = HOUR
"""How far a notice is, is written down though nobody is told: what is set later is not taken for what was missed."""


class Notices:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._pace = Pace(first=50, most=500)

    def work(self, now: float) -> int:
        """At most one turn to write for each notice; how many credentials it was about."""
        return sum(self._give(days, closer, now) for days, closer in zip(NOTICES, (*NOTICES[1:], 0), strict=True))

    def _give(self, days: int, closer: int, now: float) -> int:
        """Tell those whose expiry has come within `days`; who is within the next notice already gets that one."""
        until = int(now) + days * DAY
        with self._store.reading() as tx:
            after = _reached(tx, days, now)
            is_written = after == tx.expiries.reached(days) and until - after.expires_at < _AT_LEAST_EVERY
            if is_written and not tx.expiries.between(after, until, 1):
                return 0
        limit = self._pace.size
        with self._store.writing() as tx:
            began = monotonic()
            found = tx.expiries.between(_reached(tx, days, now), until, limit)
            told = [one for one in found if one.expires_at > now + closer * DAY]
            tx.outbox.owe_all([_owed(one, days) for one in told], now)
            tx.expiries.reach(days, _place_of(found[-1]) if len(found) == limit else Place(until, _LAST))
        self._pace.took(monotonic() - began, len(found))
        return len(found)


def _reached(tx: Transaction, days: int, now: float) -> Place:
    """From where to go on: at the first start, from now; after a clock that was ahead by days, from where it should be.

    A clock that is set back by less gives no notice twice.
    """
    reached, until = tx.expiries.reached(days), int(now) + days * DAY
    if reached is None:
        return Place(int(now), _LAST)
    return reached if reached.expires_at <= until + DAY else Place(until, _LAST)


def _place_of(expiring: Expiring) -> Place:
    return Place(expiring.expires_at, expiring.client_id)


def _owed(expiring: Expiring, days: int) -> Owed:
    data = {
        "client_id": expiring.client_id,
        "name": expiring.name,
        "expires_at": rfc3339(expiring.expires_at),
        "days": days,
    }
    return Owed(expiring.organization_id, EXPIRING, data)

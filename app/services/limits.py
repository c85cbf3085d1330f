"""How much may whom? Requests of an address, tokens of a credential or organization, and who was wrong too often.

An address is an IPv4 address or the /64 of an IPv6 one: what one stranger can vary at will counts as one. Limits on
addresses are looked at before anything else of a request, on the event loop for tokens: they cost about a microsecond
and wait for nothing (see `counts`). Limits on tokens are looked at once the secret was proven.

Who is refused leaves a folded audit line, as strangers do: the first of a minute, and a count. A thread writes it, so
that refusing stays cheap.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import NamedTuple

from app.quotas import Quota
from app.services.audit import STRANGER, Folding, neighbourhood
from app.services.counts import Counts, Tell
from app.services.failures import Failures, TooManyFailures
from app.settings import Settings
from app.store import Store
from tokenserver.clock import Clock
from tokenserver.domain.audit import Entry, Event
from tokenserver.domain.secret import looks_like_client_id
from tokenserver.errors import RateLimited, Unavailable

log = logging.getLogger("tokenserver.limits")

MOST_REFUSALS = 500
"""Kinds of refusals (a limit and an address) that are told apart at a time; what is beyond counts as one."""
MOST_UNWRITTEN = 2000
"""Lines that are kept for a database that does not answer; the oldest go first."""
_MANY = ("many limits", "")


class Allowance(NamedTuple):
    """What is left of a quota, and in how many seconds it is whole again."""

    quota: Quota
    left: int
    reset: int


class Limits:
    """`periods` tells the periods in which is counted: it is asked for each request, and may go back."""

    def __init__(
        self, store: Store, settings: Settings, clock: Clock, tell: Tell | None = None, *, periods: Clock | None = None
    ) -> None:
        quotas = settings.quotas
        self._address, self._feed = quotas.get("address"), quotas.get("feed")
        self._of_tokens = tuple(quotas[name] for name in ("credential", "organization") if name in quotas)
        self._counts = Counts(periods or clock, tell)
        self._failures = Failures(clock) if quotas else None
        self.refusals = Refusals(store, clock)

    def admit(self, address: str) -> Allowance | None:
        """One more request of this address; what it may still do, None where there is no limit; raises RateLimited."""
        return None if self._address is None else self._admitted(self._address, address)

    def admit_to_feed(self, address: str) -> Allowance | None:
        """As `admit`, for the generation feed and what belongs to it."""
        return None if self._feed is None else self._admitted(self._feed, address)

    def take_token(self, organization_id: str, client_id: str) -> None:
        """One more token, of a secret that was proven; raises RateLimited."""
        for quota in self._of_tokens:
            key = client_id if quota.name == "credential" else organization_id
            count, reset = self._counts.hit(quota, key)
            if count > quota.amount:
                raise _reached(quota, reset)

    def refuse_hasty(self, client_id: str, address: str) -> None:
        """Raise TooManyFailures while this address was wrong about this credential too often; see `failures`."""
        if self._failures is not None and self._failures.rows:
            self._failures.refuse_hasty(_claimed(client_id), neighbourhood(address))

    def turn_away_hasty(self, client_id: str, address: str) -> None:
        """As `refuse_hasty`, for one whose refusal nobody else records."""
        try:
            self.refuse_hasty(client_id, address)
        except TooManyFailures:
            self.refusals.add("failures", neighbourhood(address))
            raise

    def failed(self, client_id: str, address: str) -> None:
        if self._failures is not None:
            self._failures.failed(_claimed(client_id), neighbourhood(address))

    def proven(self, client_id: str, address: str) -> None:
        if self._failures is not None and self._failures.rows:
            self._failures.proven(client_id, neighbourhood(address))

    def _admitted(self, quota: Quota, address: str) -> Allowance:
        if ":" in address:
            address = neighbourhood(address)
        count, reset = self._counts.hit(quota, address)
        if count > quota.amount:
            self.refusals.add(quota.name, address)
            raise _reached(quota, reset)
        return Allowance(quota, quota.amount - count, reset)


class Refusals:
    """Who was refused by a limit: counted at once, written by a thread."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], int] = {}
        self._folding = Folding()
        self._unwritten: list[Entry] = []
        self._writing = False

    def add(self, limit: str, address: str) -> None:
        with self._lock:
            key = (limit, address) if len(self._counts) < MOST_REFUSALS or (limit, address) in self._counts else _MANY
            self._counts[key] = self._counts.get(key, 0) + 1
            begins, self._writing = not self._writing, True
        if begins:
            threading.Thread(target=self._run, name="limits-audit", daemon=True).start()

    def write(self) -> None:
        """Everything that is to be told by now; raises Unavailable, and nothing is forgotten."""
        now = self._clock()
        with self._lock:
            counts, self._counts = self._counts, {}
        self._unwritten += self._folding.over(now)
        for (limit, address), times in counts.items():
            self._unwritten += self._folding.fold(_limited(limit, address, now), times=times)
        del self._unwritten[:-MOST_UNWRITTEN]
        if self._unwritten:
            with self._store.writing() as tx:
                tx.audit.append(*self._unwritten)
            self._unwritten = []

    def _run(self) -> None:
        while self._anything_to_tell():
            try:
                self.write()
            except Unavailable as fault:
                log.warning("refusals by limits were not recorded: %s", fault.detail)
            except Exception:
                log.exception("unexpected while recording refusals by limits")
            time.sleep(1)

    def _anything_to_tell(self) -> bool:
        with self._lock:
            self._writing = bool(self._counts or self._folding or self._unwritten)
            return self._writing


def _claimed(client_id: str) -> str:
    """What is no client ID counts as one: a stranger may send any text."""
    return client_id if looks_like_client_id(client_id) else ""


def _reached(quota: Quota, reset: int) -> RateLimited:
    return RateLimited(reset, (quota.name, quota.amount, quota.seconds), detail=f"limit: {quota.name}")


def _limited(limit: str, address: str, now: float) -> Entry:
    return Entry(
        event=Event.REQUEST_LIMITED,
        at=now,
        actor=STRANGER,
        address=address,
        outcome="refused",
        detail={"error": RateLimited.code, "reason": limit},
    )

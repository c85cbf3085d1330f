"""Who was wrong at the door of the console, and who has to wait? Counted and recorded for every proof alike.

What was typed as an address may be a password, so that only its digest is recorded; and as strangers vary it at will,
their refusals are folded (`audit.Folding`).
"""

from __future__ import annotations

import threading

from app.services.audit import STRANGER, Folding, neighbourhood
from app.services.failures import Failures
from app.services.sessions import Viewer, Visitor
from app.store import Store
from tokenserver.clock import Clock
from tokenserver.domain.audit import Entry, Event
from tokenserver.domain.liveness import reference

FREE_FOR_ALL = 100
"""How often in a row one address may be wrong, whoever it says it is: each password costs a tenth of a second."""
_ANYBODY = ""


class SignInRefusals:
    """Used by any thread."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._failures = Failures(clock)
        self._of_address = Failures(clock, FREE_FOR_ALL)
        self._folding = Folding()
        self._lock = threading.Lock()

    def refuse_hasty(self, account: str, visitor: Visitor) -> None:
        """Raise RateLimited while this address has to wait for this account."""
        place = neighbourhood(visitor.address)
        self._failures.refuse_hasty(account, place)
        self._of_address.refuse_hasty(_ANYBODY, place)

    def proven(self, account: str, visitor: Visitor) -> None:
        place = neighbourhood(visitor.address)
        self._failures.proven(account, place)
        self._of_address.proven(_ANYBODY, place)

    def failed(self, account: str, visitor: Visitor, reason: str) -> None:
        place = neighbourhood(visitor.address)
        self._failures.failed(account, place)
        self._of_address.failed(_ANYBODY, place)
        self._record(account, STRANGER, "", visitor, reason)

    # --- second steps: whoever gets here has proven a first one, or is signed in ---

    def refuse_hasty_second(self, viewer: Viewer) -> None:
        """Raise RateLimited while this operator has to wait, wherever they are: no stranger can make them."""
        self._failures.refuse_hasty(_second(viewer), "")

    def second_proven(self, viewer: Viewer) -> None:
        self._failures.proven(_second(viewer), "")

    def second_failed(self, viewer: Viewer, reason: str) -> None:
        self._failures.failed(_second(viewer), "")
        actor = f"operator:{viewer.operator.id}"
        self._record(viewer.operator.id, actor, viewer.organization.id, viewer.visitor, reason)

    def _record(self, account: str, actor: str, organization: str, visitor: Visitor, reason: str) -> None:
        entry = Entry(
            event=Event.SIGN_IN_REFUSED,
            at=self._clock(),
            actor=actor,
            organization=organization,
            address=visitor.address,
            request_id=visitor.request_id,
            outcome="refused",
            detail={"reason": reason, "account": reference(account)},
        )
        with self._lock:
            entries = list(self._folding.fold(entry, account))
        if entries:
            with self._store.writing() as tx:
                tx.audit.append(*entries)


def _second(viewer: Viewer) -> str:
    """Whoever knows a password and no more makes nobody wait who is signed in."""
    return f"{viewer.operator.id} {viewer.session.awaits or 'again'}"

"""Who was wrong at the door of the console, and who has to wait? Counted and recorded for every proof alike.

Who has to wait is asked before a proof is looked at, which costs nobody anything, and again in the transaction in which
it opens something: of many tries at once, what comes after too many that were wrong is refused, even if it is right.

What was typed as an address may be a password, so that only its digest is recorded; and as strangers vary it at will,
their refusals are folded (`audit.Folding`).
"""

from __future__ import annotations

import threading

from app.services.audit import STRANGER, Folding, neighbourhood
from app.services.failures import Failures
from app.services.sessions import Viewer, Visitor
from app.services.shared_failures import SharedFailures
from app.store import Store, Transaction
from tokenserver.clock import Clock
from tokenserver.domain.audit import Entry, Event
from tokenserver.domain.liveness import reference

FREE_FOR_ALL = 100
"""How often in a row one address may be wrong, whoever it says it is: each password costs a tenth of a second."""
LONGEST_FOR_ALL = 60
"""Seconds: others are behind this address, too, and everybody is where no proxy is trusted."""
_ANYBODY = ""
_OF_ACCOUNT, _OF_ADDRESS = SharedFailures("account"), SharedFailures("address", FREE_FOR_ALL, LONGEST_FOR_ALL)
_OF_SECOND = SharedFailures("second")


class SignInRefusals:
    """Used by any thread."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._folding = Folding()
        self._passkeys = Failures(clock)
        self._lock = threading.Lock()

    def refuse_hasty_in(self, tx: Transaction, account: str, visitor: Visitor) -> None:
        """Raise RateLimited while this address has to wait for this account."""
        place, now = neighbourhood(visitor.address), self._clock()
        _OF_ACCOUNT.refuse_hasty_in(tx, account, place, now)
        _OF_ADDRESS.refuse_hasty_in(tx, _ANYBODY, place, now)

    @staticmethod
    def proven_in(tx: Transaction, account: str, visitor: Visitor) -> None:
        place = neighbourhood(visitor.address)
        _OF_ACCOUNT.proven_in(tx, account, place)
        _OF_ADDRESS.proven_in(tx, _ANYBODY, place)

    def failed(self, account: str, visitor: Visitor, reason: str) -> None:
        place, now = neighbourhood(visitor.address), self._clock()
        with self._store.writing() as tx:
            _OF_ACCOUNT.failed_in(tx, account, place, now)
            _OF_ADDRESS.failed_in(tx, _ANYBODY, place, now)
            tx.audit.append(*self._lines(account, STRANGER, "", visitor, reason))

    # --- passkeys: nobody guesses a signature, so that strangers write nothing but a line that is folded ---

    def refuse_hasty_passkey(self, visitor: Visitor) -> None:
        """Raise RateLimited while this address has to wait."""
        self._passkeys.refuse_hasty(_ANYBODY, neighbourhood(visitor.address))

    def passkey_proven(self, visitor: Visitor) -> None:
        self._passkeys.proven(_ANYBODY, neighbourhood(visitor.address))

    def passkey_failed(self, visitor: Visitor, reason: str) -> None:
        self._passkeys.failed(_ANYBODY, neighbourhood(visitor.address))
        lines = self._lines("passkey", STRANGER, "", visitor, reason)
        if lines:
            with self._store.writing() as tx:
                tx.audit.append(*lines)

    # --- second steps: whoever gets here has proven a first one, or is signed in ---

    def refuse_hasty_second_in(self, tx: Transaction, viewer: Viewer) -> None:
        """Raise RateLimited while this operator has to wait, wherever they are: no stranger can make them."""
        _OF_SECOND.refuse_hasty_in(tx, _second(viewer), "", self._clock())

    @staticmethod
    def second_proven_in(tx: Transaction, viewer: Viewer) -> None:
        _OF_SECOND.proven_in(tx, _second(viewer), "")

    def second_failed_in(self, tx: Transaction, viewer: Viewer, reason: str) -> None:
        _OF_SECOND.failed_in(tx, _second(viewer), "", self._clock())
        actor = f"operator:{viewer.operator.id}"
        tx.audit.append(*self._lines(viewer.operator.id, actor, viewer.organization.id, viewer.visitor, reason))

    def _lines(self, account: str, actor: str, organization: str, visitor: Visitor, reason: str) -> list[Entry]:
        """What is to be recorded of it; nothing, where it is folded into a line to come."""
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
            return list(self._folding.fold(entry, account))


def _second(viewer: Viewer) -> str:
    """Whoever knows a password and no more makes nobody wait who is signed in."""
    return f"{viewer.operator.id} {viewer.session.awaits or 'again'}"

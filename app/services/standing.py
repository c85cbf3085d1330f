"""Does a token still stand, by the rows? And the caller of a change, at the moment of the change?

Admission looks at the token before the body of a request is read, and a body may take its time. So each change asks
again inside its own transaction: whoever was ended meanwhile changes nothing, and cannot outlive its end by a slow
request. Who is signed in is asked for in the same way; and what was done before, under the same `Idempotency-Key`, is
not done again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from app.services.audit import Caller
from app.store import Store, Transaction
from app.store.liveness import Standing
from tokenserver.clock import Clock
from tokenserver.errors import InvalidToken
from tokenserver.tokens.claims import AccessClaims
from tokenserver.tokens.verification import refuse_unless_live


@contextmanager
def changing(store: Store, caller: Caller, clock: Clock) -> Iterator[tuple[Transaction, float]]:
    """A transaction that writes, and now; raises InvalidToken when the caller's token has ended.

    Also InProgress, when the same request was carried out before, under the same `Idempotency-Key`.
    """
    with store.writing() as tx:
        now = clock()
        if caller.claims is not None:
            refuse_ended(tx, caller.claims, now)
        if caller.session_id is not None:
            _refuse_signed_out(tx, caller)
        if caller.attempt is not None:
            tx.idempotency.begin(caller.organization_id, caller.actor, caller.attempt, now)
        yield tx, now


def _refuse_signed_out(tx: Transaction, caller: Caller) -> None:
    """Raise InvalidToken unless the session is there and its operator may still do all that they could."""
    session = tx.sessions.get(caller.session_id or "")
    if session is None:
        raise InvalidToken("Your session has ended: sign in again.")
    if not caller.scopes <= tx.operators.rights(caller.organization_id, session.operator_id).permissions:
        raise InvalidToken("What you may do has changed: try again.")


def refuse_ended(tx: Transaction, claims: AccessClaims, now: float) -> Standing:
    """What the rows say of the token; raises InvalidToken unless it is live by them: nothing is polled here."""
    (standing,) = tx.liveness.of([claims], now)
    return live(standing, claims, now)


def live(standing: Standing | None, claims: AccessClaims, now: float) -> Standing:
    """What stands, if the token is live by it; raises InvalidToken."""
    if standing is None:
        raise InvalidToken(detail="the credential is gone")
    refuse_unless_live(claims, standing.endings, now)
    return standing

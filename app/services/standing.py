"""Does the caller of a change still stand, at the moment of the change?

Admission looks at the token before the body of a request is read, and a body may take its time. So each change asks
again inside its own transaction: whoever was ended meanwhile changes nothing, and cannot outlive its end by a slow
request.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from app.services.audit import Caller
from app.store import Store, Transaction
from tokenserver.clock import Clock
from tokenserver.domain.credential import Credential
from tokenserver.domain.generation import Floor
from tokenserver.domain.liveness import Endings
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
        if caller.attempt is not None:
            tx.idempotency.begin(caller.organization_id, caller.actor, caller.attempt, now)
        yield tx, now


def refuse_ended(tx: Transaction, claims: AccessClaims, now: float) -> Credential:
    """The token's credential; raises InvalidToken unless the token is live by the rows themselves: nothing is polled
    here.
    """
    credential = tx.credentials.get(claims.organization, claims.client_id)
    organization = tx.organizations.get(claims.organization)
    if credential is None or organization is None:
        raise InvalidToken(detail="the credential is gone")
    floors = {
        claims.credential_ref: (Floor(credential.generation.floor_at(now), 0),),
        claims.organization_ref: (Floor(organization.generation.floor_at(now), 0),),
    }
    revoked = frozenset(key.kid for key in tx.keys.all() if key.revoked_at is not None)
    refuse_unless_live(claims, Endings(floors, keys=revoked), now)
    return credential

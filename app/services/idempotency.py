"""Was this asked before? What a request under an `Idempotency-Key` came to is kept for a day, for its caller.

That it was carried out is written in the transaction of the change (`standing.changing`), so that neither is there
without the other, whenever the power fails. Its answer is kept right after that, without any secret. Should it be lost
in between, a repeated request is told so (409), and changes nothing.

Only what succeeds is kept: a request that was refused changed nothing, and may be repeated under the same key.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from app.services.audit import Caller
from app.store import Store
from app.store.idempotency import Attempt, InProgress, Kept
from tokenserver.clock import Clock
from tokenserver.errors import Refused, Unavailable

log = logging.getLogger("tokenserver.idempotency")

MOST_PRUNED = 5000
__all__ = ["Attempt", "Idempotency", "InProgress", "Kept", "KeyReused"]


class KeyReused(Refused):
    code = "idempotency_key_reused"
    status = 422
    public = "This Idempotency-Key was sent with another request before: take a new key for each request."


class Idempotency:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def kept(self, caller: Caller, attempt: Attempt) -> Kept | None:
        """The answer to the same request of before, if there was one; raises KeyReused, InProgress."""
        with self._store.reading() as tx:
            found = tx.idempotency.find(caller.organization_id, caller.actor, attempt.key, self._clock())
        if found is None:
            return None
        if found.request != attempt.request:
            raise KeyReused
        if found.status is None:
            raise InProgress
        return found

    def keep(
        self, caller: Caller, attempt: Attempt, status: int, headers: Sequence[tuple[str, str]], body: str | None
    ) -> None:
        """Keep an answer, which must hold no secret. It is given even if it cannot be kept: the change was made."""
        try:
            with self._store.writing() as tx:
                answered = (status, headers, body)
                tx.idempotency.answer(caller.organization_id, caller.actor, attempt, answered, self._clock())
        except Unavailable as fault:
            log.warning("an answer was not kept: %s", fault.detail, extra={"request_id": caller.request_id})

    def prune(self, now: float, most: int = MOST_PRUNED) -> int:
        """Forget what is over a day old, so much at most; returns how many were forgotten."""
        with self._store.writing() as tx:
            return tx.idempotency.prune(now, most)

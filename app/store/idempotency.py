"""What did a request under an `Idempotency-Key` come to? Begun in the transaction of the change, answered after it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select, tuple_
from sqlalchemy.orm import Session

from app.store.models import IdempotencyRow
from tokenserver.clock import DAY
from tokenserver.errors import Conflict

KEPT_SECONDS = DAY


class InProgress(Conflict):
    code = "idempotency_in_progress"
    public = (
        "The first request with this Idempotency-Key is not answered yet, or its answer was lost. Try again shortly; if"
        " that does not help, read the present state."
    )


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request that may be a repeated one: digests of its key and of all that it asks for, and its own ID."""

    key: str
    request: str
    id: str


@dataclass(frozen=True, slots=True)
class Kept:
    """`status` None: it is not answered yet."""

    request: str
    status: int | None
    headers: Sequence[tuple[str, str]]
    body: str | None


class IdempotencyStore:
    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, organization_id: str, caller: str, key: str, now: float) -> Kept | None:
        row = self._row(organization_id, caller, key, now)
        if row is None:
            return None
        return Kept(row.request, row.status, [(name, value) for name, value in json.loads(row.headers)], row.body)

    def begin(self, organization_id: str, caller: str, attempt: Attempt, now: float) -> None:
        """Remember that this attempt changes something; raises InProgress when another one has."""
        row = self._row(organization_id, caller, attempt.key, now)
        if row is not None and row.claim != attempt.id:
            raise InProgress
        if row is None:
            self._session.merge(_row(organization_id, caller, attempt, now))
            self._session.flush()

    def answer(
        self,
        organization_id: str,
        caller: str,
        attempt: Attempt,
        answered: tuple[int, Sequence[tuple[str, str]], str | None],
        now: float,
    ) -> None:
        """Keep the status, headers and body of its answer, unless another attempt has taken the key."""
        row = self._row(organization_id, caller, attempt.key, now)
        if row is None:
            row = self._session.merge(_row(organization_id, caller, attempt, now))
        if row.claim == attempt.id:
            row.status, row.headers, row.body = answered[0], json.dumps(list(answered[1])), answered[2]
            self._session.flush()

    def prune(self, now: float, most: int) -> int:
        """Forget so many, at most, of those whose day is over; how many they were."""
        key = (IdempotencyRow.organization_id, IdempotencyRow.caller, IdempotencyRow.key)
        old = select(*key).where(IdempotencyRow.created_at <= now - KEPT_SECONDS).limit(most)
        gone = [tuple(row) for row in self._session.execute(old)]
        for start in range(0, len(gone), 200):
            statement = delete(IdempotencyRow).where(tuple_(*key).in_(gone[start : start + 200]))
            self._session.execute(statement.execution_options(synchronize_session=False))
        return len(gone)

    def _row(self, organization_id: str, caller: str, key: str, now: float) -> IdempotencyRow | None:
        row = self._session.get(IdempotencyRow, (organization_id, caller, key))
        return row if row is not None and row.created_at > now - KEPT_SECONDS else None


def _row(organization_id: str, caller: str, attempt: Attempt, now: float) -> IdempotencyRow:
    return IdempotencyRow(
        organization_id=organization_id,
        caller=caller,
        key=attempt.key,
        request=attempt.request,
        claim=attempt.id,
        created_at=int(now),
        status=None,
        headers="[]",
        body=None,
    )

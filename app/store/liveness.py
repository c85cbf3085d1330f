"""What do the rows say about the end of one token? Everything that can end it, in one statement.

A subject that has been stopped (disabled, revoked, suspended) has its floor above every generation it has minted: the
change that stopped it has told so already, and saying it again here keeps the two from ever disagreeing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from tokenserver.domain.generation import Floor, Generation
from tokenserver.domain.liveness import Bearer, Endings

_SELECT = text("""
    SELECT c.owner_id, c.gen_current, c.gen_floor, c.gen_next_floor, c.gen_next_floor_at,
        CASE WHEN c.disabled_at IS NULL AND c.revoked_at IS NULL THEN 0 ELSE 1 END,
        o.gen_current, o.gen_floor, o.gen_next_floor, o.gen_next_floor_at,
        CASE WHEN o.suspended_at IS NULL THEN 0 ELSE 1 END,
        CASE WHEN EXISTS (SELECT 1 FROM generation_event e WHERE e.kind = 'token' AND e.ref = :token_id)
            THEN 1 ELSE 0 END,
        CASE WHEN EXISTS (SELECT 1 FROM signing_key k WHERE k.kid = :key_id AND k.revoked_at IS NOT NULL)
            THEN 1 ELSE 0 END
    FROM credential c JOIN organization o ON o.id = c.organization_id
    WHERE c.client_id = :client_id AND c.organization_id = :organization_id AND c.deleted_at IS NULL
""")


@dataclass(frozen=True, slots=True)
class Standing:
    """What the rows know of a token: who owns its credential, and what can end it."""

    owner_id: str | None
    endings: Endings


class LivenessStore:
    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, organization_id: str, client_id: str, bearer: Bearer, now: float) -> Standing | None:
        """None where the credential is gone, or is of another organization."""
        row = (
            self._session.connection()
            .execute(  # no entities: half the cost of asking the session
                _SELECT,
                {
                    "token_id": bearer.token_id,
                    "key_id": bearer.key_id,
                    "client_id": client_id,
                    "organization_id": organization_id,
                },
            )
            .first()
        )
        if row is None:
            return None
        floors = {
            bearer.credential_ref: (_floor(row[1:5], stopped=row[5], now=now),),
            bearer.organization_ref: (_floor(row[6:10], stopped=row[10], now=now),),
        }
        tokens = {bearer.token_id: 0} if row[11] else {}
        return Standing(row[0], Endings(floors, tokens, frozenset([bearer.key_id] if row[12] else [])))


def _floor(columns: Any, *, stopped: int, now: float) -> Floor:
    generation = Generation(*columns)
    return Floor(generation.current + 1 if stopped else generation.floor_at(now), 0)

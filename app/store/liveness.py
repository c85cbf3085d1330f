"""What do the rows say about the end of tokens? Everything that can end one, in one statement for as many as are asked.

A subject that has been stopped (disabled, revoked, suspended) has its floor above every generation it has minted: the
change that stopped it has told so already, and saying it again here keeps the two from ever disagreeing.

The statement is the driver's own: compiling it anew for each number of tokens would cost more than running it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.orm import Session

from tokenserver.domain.generation import Floor, Generation
from tokenserver.domain.liveness import Bearer, Endings

_SELECT = """
    WITH asked (place, client_id, organization_id, token_id, key_id) AS ({})
    SELECT asked.place, c.owner_id, c.gen_current, c.gen_floor, c.gen_next_floor, c.gen_next_floor_at,
        CASE WHEN c.disabled_at IS NULL AND c.revoked_at IS NULL THEN 0 ELSE 1 END,
        o.gen_current, o.gen_floor, o.gen_next_floor, o.gen_next_floor_at,
        CASE WHEN o.suspended_at IS NULL THEN 0 ELSE 1 END,
        CASE WHEN EXISTS (SELECT 1 FROM generation_event e WHERE e.kind = 'token' AND e.ref = asked.token_id)
            THEN 1 ELSE 0 END,
        CASE WHEN EXISTS (SELECT 1 FROM signing_key k WHERE k.kid = asked.key_id AND k.revoked_at IS NOT NULL)
            THEN 1 ELSE 0 END
    FROM asked
    JOIN credential c ON c.client_id = asked.client_id AND c.organization_id = asked.organization_id
    JOIN organization o ON o.id = c.organization_id
    WHERE c.deleted_at IS NULL
"""
_ON_POSTGRES = _SELECT.format("SELECT * FROM unnest(%s::int[], %s::text[], %s::text[], %s::text[], %s::text[])")


class Issued(Bearer, Protocol):
    """A token, as far as it says to whom it was issued, and what can end it."""

    @property
    def client_id(self) -> str: ...
    @property
    def organization(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """What the rows know of a token: who owns its credential, and what can end it."""

    owner_id: str | None
    endings: Endings


class LivenessStore:
    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, tokens: Sequence[Issued], now: float) -> list[Standing | None]:
        """For each, in their order; None where the credential is gone, or is of another organization."""
        found: list[Standing | None] = [None] * len(tokens)
        if tokens:
            connection = self._session.connection()
            asked = [(place, t.client_id, t.organization, t.token_id, t.key_id) for place, t in enumerate(tokens)]
            if connection.dialect.name == "sqlite":
                statement = _SELECT.format(f"VALUES {', '.join(['(?, ?, ?, ?, ?)'] * len(asked))}")
                values: tuple[Any, ...] = tuple(value for row in asked for value in row)
            else:
                statement, values = _ON_POSTGRES, tuple(map(list, zip(*asked, strict=True)))
            for place, *row in connection.exec_driver_sql(statement, values):
                found[place] = _standing(tokens[place], row, now)
        return found


def _standing(bearer: Bearer, row: Sequence[Any], now: float) -> Standing:
    floors = {
        bearer.credential_ref: (_floor(row[1:5], stopped=row[5], now=now),),
        bearer.organization_ref: (_floor(row[6:10], stopped=row[10], now=now),),
    }
    tokens = {bearer.token_id: 0} if row[11] else {}
    return Standing(row[0], Endings(floors, tokens, frozenset([bearer.key_id] if row[12] else [])))


def _floor(columns: Any, *, stopped: int, now: float) -> Floor:
    generation = Generation(*columns)
    return Floor(generation.current + 1 if stopped else generation.floor_at(now), 0)

"""Who is calling? What a route may know of the bearer of a token that passed every check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tokenserver.tokens.claims import AccessClaims


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller, as its token says. One value is shared by all requests of a token: read it, do not change it.

    `claims` has every claim as signed, for those that have no name here.
    """

    client_id: str
    organization: str
    project: str | None
    environment: str | None
    roles: frozenset[str]
    scopes: frozenset[str]
    generation: int
    token_id: str
    expires_at: float
    """Seconds since the epoch."""
    claims: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def of(cls, claims: AccessClaims) -> Principal:
        return cls(
            client_id=claims.client_id,
            organization=claims.organization,
            project=claims.project,
            environment=claims.environment,
            roles=claims.roles,
            scopes=claims.scopes,
            generation=claims.generation,
            token_id=claims.token_id,
            expires_at=claims.expires_at,
            claims=MappingProxyType(claims.raw),
        )

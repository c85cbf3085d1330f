"""Has anything ended this token before its time? The one function in which all sources combine, by the strictest.

Sources: the credential's generation, the organization's generation, the token's own identifier (RFC 7009), and the
signing key. `ended_by` is what the token endpoint's own API, introspection and every resource server ask; none of them
compares a floor by itself. (Keycloak's CVE-2026-18218 and CVE-2026-8922 each ignored one of two sources.)

A subject is known by its `reference`, the first 22 characters of base64url(SHA-256(ID)): strangers who read the feed
learn no IDs, and 132 bits do not collide.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from tokenserver.domain.generation import Floor


class Ending(StrEnum):
    """What ended a token."""

    GENERATION = "generation"
    ORGANIZATION = "organization"
    TOKEN = "token"
    KEY = "key"


class Bearer(Protocol):
    """What a token says of itself, as far as its end is concerned."""

    @property
    def credential_ref(self) -> str: ...
    @property
    def organization_ref(self) -> str: ...
    @property
    def generation(self) -> int: ...
    @property
    def organization_generation(self) -> int: ...
    @property
    def token_id(self) -> str: ...
    @property
    def key_id(self) -> str: ...


def reference(subject_id: str) -> str:
    """The name under which the feed speaks of a credential or an organization: 22 characters of base64url."""
    return base64.urlsafe_b64encode(hashlib.sha256(subject_id.encode()).digest())[:22].decode()


@dataclass(frozen=True, slots=True)
class Endings:
    """Everything known about what has ended or will: floors per reference, token identifiers, signing keys."""

    floors: Mapping[str, tuple[Floor, ...]] = field(default_factory=dict)
    tokens: Mapping[str, int] = field(default_factory=dict)
    keys: Collection[str] = frozenset()

    def floor_of(self, ref: str, now: float) -> int:
        """The strictest floor in force for `ref`; 0 when nothing moved."""
        told = self.floors.get(ref)
        if told is None:
            return 0
        return max((floor.number for floor in told if floor.effective_at <= now), default=0)

    def and_also(self, floors: Iterable[tuple[str, Floor]], tokens: Mapping[str, int], keys: Iterable[str]) -> Endings:
        """These and more: nothing that was known is forgotten, in whatever order it is learned."""
        more = dict(self.floors)
        for ref, floor in floors:
            known = more.get(ref, ())
            if floor not in known:
                more[ref] = (*known, floor)
        return Endings(more, {**self.tokens, **tokens}, frozenset((*self.keys, *keys)))

    def without_the_expired(self, now: float, window: int) -> Endings:
        """Forget floors that moved over `window` seconds ago: every token below them has expired."""
        kept = {ref: tuple(f for f in told if f.effective_at + window >= now) for ref, told in self.floors.items()}
        return Endings(
            {ref: told for ref, told in kept.items() if told},
            {jti: exp for jti, exp in self.tokens.items() if exp >= now},
            self.keys,
        )


def ended_by(bearer: Bearer, endings: Endings, now: float) -> Ending | None:
    """Why the token of `bearer` is dead at `now`, or None while it is live. A newer generation is newer, not wrong."""
    floors = endings.floors
    if floors:
        if bearer.credential_ref in floors and bearer.generation < endings.floor_of(bearer.credential_ref, now):
            return Ending.GENERATION
        if bearer.organization_ref in floors and bearer.organization_generation < endings.floor_of(
            bearer.organization_ref, now
        ):
            return Ending.ORGANIZATION
    if bearer.token_id in endings.tokens:
        return Ending.TOKEN
    if bearer.key_id in endings.keys:
        return Ending.KEY
    return None

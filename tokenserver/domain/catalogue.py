"""Which APIs, scopes and roles are there to be granted?

An API is a protected resource: an audience (an absolute URI without fragment, RFC 8707 §2) with scopes. A scope reads
or writes; a *sensitive* one is never part of "all". Roles say what a token's bearer is; they belong to the whole
platform or to one API. What they may be called is in `names`.

Each belongs to one organization. What is *shared* is in the catalogue of every other as well, unless that has one of
its own with the same audience or, for a role, the same name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a scope does."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Scope:
    name: str
    access: Kind
    sensitive: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class Api:
    id: str
    organization_id: str
    audience: str
    name: str
    scopes: tuple[Scope, ...] = ()
    created_at: int = 0
    version: int = 1
    shared: bool = False

    def scope_names(self) -> frozenset[str]:
        return frozenset(scope.name for scope in self.scopes)


@dataclass(frozen=True, slots=True)
class Role:
    id: str
    organization_id: str
    name: str
    description: str = ""
    audience: str | None = None
    created_at: int = 0
    version: int = 1
    shared: bool = False


Catalogue = Mapping[str, Api]
"""The APIs in force in one organization, by audience."""

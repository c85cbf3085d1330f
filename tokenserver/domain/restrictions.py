"""What may a credential ask for, from where and for how long, and does a change take anything away?

*Restrictions* are the terms a credential is used under. A change that *narrows* them ends what was issued under the
wider ones (it bumps the generation); a change that only widens disturbs nobody. What counts is what a token that is
out could still do: going from `all_read` to a custom list that holds every read scope of today takes nothing away from
any token. A shorter token lifetime and an earlier expiry narrow, since tokens never outlive what they rest on.

Grants: per API, `custom` (the listed scopes), `all_read` or `all_read_write` (all present *and future* scopes of that
kind, never the sensitive ones). They are resolved against the catalogue when a token is issued.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.domain.catalogue import Api, Catalogue, Kind

SHORTEST_LIFETIME = 60
LONGEST_LIFETIME = 3600
DEFAULT_LIFETIME = 900

__all__ = ["Access", "AllowedIPs", "Grant", "Restrictions", "narrows"]


class Access(StrEnum):
    """How the scopes of a grant are chosen."""

    CUSTOM = "custom"
    ALL_READ = "all_read"
    ALL_READ_WRITE = "all_read_write"


@dataclass(frozen=True, slots=True)
class Grant:
    """The scopes a credential may ask for at one API."""

    audience: str
    access: Access = Access.CUSTOM
    scopes: frozenset[str] = frozenset()

    def resolved(self, api: Api) -> frozenset[str]:
        """The names of the scopes this means today; a scope that left the catalogue is granted no more."""
        if self.access is Access.CUSTOM:
            return self.scopes & api.scope_names()
        kinds = {Kind.READ} if self.access is Access.ALL_READ else {Kind.READ, Kind.WRITE}
        return frozenset(scope.name for scope in api.scopes if scope.access in kinds and not scope.sensitive)


@dataclass(frozen=True, slots=True)
class Restrictions:
    """`allowed_ips` None means from anywhere; `expires_at` None means never; lifetime in seconds."""

    allowed_ips: AllowedIPs | None = None
    roles: frozenset[str] = frozenset()
    grants: tuple[Grant, ...] = ()
    token_lifetime: int = DEFAULT_LIFETIME
    expires_at: int | None = None

    def scopes_at(self, catalogue: Catalogue) -> dict[str, frozenset[str]]:
        """Audience to scope names: what may be asked for, at the APIs that exist."""
        return {
            grant.audience: grant.resolved(catalogue[grant.audience])
            for grant in self.grants
            if grant.audience in catalogue
        }


def narrows(old: Restrictions, new: Restrictions, catalogue: Catalogue, *, then: Catalogue | None = None) -> bool:
    """Whether a token issued under `old` could do or be something that one issued under `new` could not.

    `then` is the catalogue after the change, where the catalogue itself is what changes.
    """
    return (
        _addresses_narrow(old.allowed_ips, new.allowed_ips)
        or not old.roles <= new.roles
        or _scopes_narrow(old.scopes_at(catalogue), new.scopes_at(then if then is not None else catalogue))
        or new.token_lifetime < old.token_lifetime
        or _expiry_narrows(old.expires_at, new.expires_at)
    )


def _addresses_narrow(old: AllowedIPs | None, new: AllowedIPs | None) -> bool:
    if new is None:
        return False
    return old is None or not new.covers(old)


def _scopes_narrow(old: dict[str, frozenset[str]], new: dict[str, frozenset[str]]) -> bool:
    return any(audience not in new or not scopes <= new[audience] for audience, scopes in old.items())


def _expiry_narrows(old: int | None, new: int | None) -> bool:
    if new is None:
        return False
    return old is None or new < old

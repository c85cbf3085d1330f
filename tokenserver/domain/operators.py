"""Who may manage what? Operators, their roles, and the one table of permissions.

A permission is a scope of the admin API. An operator acts through personal credentials, whose tokens carry no more than
the operator's role allows at that moment (`rights_of`). A *platform admin* may do everything in every
organization; the other roles hold in the organization of the membership.

What a member may hand to a personal credential besides is bounded by the membership's `roles` and `grants`; None means
all that the organization has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tokenserver.domain.catalogue import Catalogue, Kind, Scope
from tokenserver.domain.names import ADMIN_AUDIENCE
from tokenserver.domain.restrictions import Grant, Restrictions

_OF_AN_ORGANIZATION: Mapping[str, tuple[Kind, ...]] = {
    "credentials": (Kind.READ, Kind.WRITE),
    "personal": (Kind.READ, Kind.WRITE),
    "apis": (Kind.READ, Kind.WRITE),
    "roles": (Kind.READ, Kind.WRITE),
    "projects": (Kind.READ, Kind.WRITE),
    "operators": (Kind.READ, Kind.WRITE),
    "webhooks": (Kind.READ, Kind.WRITE),
    "organization": (Kind.READ, Kind.WRITE),
    "audit": (Kind.READ,),
    "usage": (Kind.WRITE,),
}
_OF_THE_PLATFORM: Mapping[str, tuple[Kind, ...]] = {
    "organizations": (Kind.READ, Kind.WRITE),
    "signing-keys": (Kind.READ, Kind.WRITE),
}


def _scopes(subjects: Mapping[str, tuple[Kind, ...]], *, sensitive: bool) -> tuple[Scope, ...]:
    return tuple(
        Scope(f"{subject}:{kind.value}", kind, sensitive) for subject, kinds in subjects.items() for kind in kinds
    )


ADMIN_SCOPES = (*_scopes(_OF_AN_ORGANIZATION, sensitive=False), *_scopes(_OF_THE_PLATFORM, sensitive=True))
"""What the admin API can be granted. Those of the platform are sensitive: "all" never includes them."""


READ_ALL, WRITE_ALL = "organizations:read", "organizations:write"


class OperatorRole(StrEnum):
    PLATFORM_ADMIN = "platform_admin"
    OWNER = "owner"
    ADMIN = "admin"
    AUDITOR = "auditor"
    MEMBER = "member"


@dataclass(frozen=True, slots=True)
class Operator:
    """A person who manages."""

    id: str
    email: str
    name: str = ""
    platform_admin: bool = False
    created_at: int = 0


@dataclass(frozen=True, slots=True)
class Membership:
    """What an operator is in one organization, and what their personal credentials may hold there."""

    operator_id: str
    role: OperatorRole
    roles: frozenset[str] | None = None
    grants: tuple[Grant, ...] | None = None
    created_at: int = 0
    version: int = 1


Member = tuple[Operator, Membership]

_ALL = frozenset(scope.name for scope in ADMIN_SCOPES)
_PLATFORM = frozenset(scope.name for scope in _scopes(_OF_THE_PLATFORM, sensitive=True))
_READING = frozenset(scope.name for scope in ADMIN_SCOPES if scope.access is Kind.READ) - _PLATFORM

PERMISSIONS: Mapping[OperatorRole, frozenset[str]] = {
    OperatorRole.PLATFORM_ADMIN: _ALL,
    OperatorRole.OWNER: _ALL - _PLATFORM,
    OperatorRole.ADMIN: _ALL - _PLATFORM - {"organization:write"},
    OperatorRole.AUDITOR: _READING,
    OperatorRole.MEMBER: frozenset({"personal:read", "personal:write"}),
}
"""Operator role to scopes of the admin API."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What an operator holds in one organization, and so all that their personal credentials can have."""

    permissions: frozenset[str]
    roles: frozenset[str] | None = None
    grants: tuple[Grant, ...] | None = None

    def roles_of(self, roles: frozenset[str]) -> frozenset[str]:
        return roles if self.roles is None else roles & self.roles

    def scopes_of(self, scopes: Mapping[str, frozenset[str]], catalogue: Catalogue) -> dict[str, frozenset[str]]:
        """What is left of `scopes` (by audience); an API of which nothing is left is gone."""
        held = scopes if self.grants is None else Restrictions(grants=self.grants).scopes_at(catalogue)
        left = {}
        for audience, asked in scopes.items():
            if audience == ADMIN_AUDIENCE:
                if asked & self.permissions:
                    left[audience] = asked & self.permissions
            elif audience in held:
                left[audience] = asked & held[audience]
        return left

    def covers(self, terms: Restrictions, catalogue: Catalogue) -> bool:
        """Whether all of `terms` is held."""
        scopes = terms.scopes_at(catalogue)
        return self.roles_of(terms.roles) == terms.roles and self.scopes_of(scopes, catalogue) == scopes

    def shrinks_to(self, new: Rights, catalogue: Catalogue) -> bool:
        """Whether something that is held under these is not under `new`."""
        return (
            not self.permissions <= new.permissions
            or (new.roles is not None and (self.roles is None or not self.roles <= new.roles))
            or (new.grants is not None and not _holds(new, self.grants, catalogue))
        )


def _holds(rights: Rights, grants: tuple[Grant, ...] | None, catalogue: Catalogue) -> bool:
    return grants is not None and rights.covers(Restrictions(grants=grants), catalogue)


NO_RIGHTS = Rights(frozenset(), frozenset(), ())


def rights_of(operator: Operator, membership: Membership | None) -> Rights:
    """What the operator holds in the organization of `membership`; a platform admin all, who is no member nothing."""
    if operator.platform_admin:
        return Rights(PERMISSIONS[OperatorRole.PLATFORM_ADMIN])
    if membership is None:
        return NO_RIGHTS
    return Rights(PERMISSIONS[membership.role], membership.roles, membership.grants)

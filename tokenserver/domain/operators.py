"""Who may manage what? Operators, their roles, and the one table of permissions.

A permission is a scope of the admin API. An operator acts through personal credentials, whose tokens carry no more than
the operator's role allows at that moment (`permissions_of`). A *platform admin* may do everything in every
organization; the other roles hold in the organization of the membership.

What a member may hand to a personal credential besides is bounded by the membership's `roles` and `grants`; None means
all that the organization has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tokenserver.domain.catalogue import Kind, Scope
from tokenserver.domain.restrictions import Grant

ADMIN_AUDIENCE = "urn:tokenserver:admin"

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


_ALL = frozenset(scope.name for scope in ADMIN_SCOPES)
_PLATFORM = frozenset(scope.name for scope in _scopes(_OF_THE_PLATFORM, sensitive=True))
_READING = frozenset(scope.name for scope in ADMIN_SCOPES if scope.access is Kind.READ) - _PLATFORM

PERMISSIONS: Mapping[OperatorRole, frozenset[str]] = {
    OperatorRole.PLATFORM_ADMIN: _ALL,
    OperatorRole.OWNER: _ALL - _PLATFORM,
    OperatorRole.ADMIN: _ALL - _PLATFORM - {"organization:write", "operators:write"},
    OperatorRole.AUDITOR: _READING,
    OperatorRole.MEMBER: frozenset({"personal:read", "personal:write"}),
}
"""Operator role to scopes of the admin API."""


def permissions_of(operator: Operator, membership: Membership | None) -> frozenset[str]:
    """What the operator may do in the organization of `membership`; nothing without one, unless a platform admin."""
    if operator.platform_admin:
        return PERMISSIONS[OperatorRole.PLATFORM_ADMIN]
    return frozenset() if membership is None else PERMISSIONS[membership.role]

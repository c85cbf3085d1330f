"""What does a body about an API or a role mean? Bodies to domain values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from app.inputs.bodies import ApiChange, RoleChange, ScopeInput
from tokenserver.domain.catalogue import Api, Role, Scope


def changed(api: Api, change: ApiChange) -> Api:
    """`api` with the members that are present."""
    given = change.given()
    if "name" in given:
        api = replace(api, name=change.name)
    if "scopes" in given:
        api = replace(api, scopes=scopes_of(change.scopes))
    if "shared" in given:
        api = replace(api, shared=change.shared)
    return api


def changed_role(role: Role, change: RoleChange) -> Role:
    """`role` with the members that are present."""
    return replace(role, **change.given())


def scopes_of(asked: Iterable[ScopeInput]) -> tuple[Scope, ...]:
    return tuple(Scope(scope.name, scope.access, scope.sensitive, scope.description) for scope in asked)

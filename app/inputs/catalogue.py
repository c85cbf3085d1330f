"""What does a body about an API mean? Bodies to domain values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from app.inputs.bodies import ApiChange, ScopeInput
from tokenserver.domain.catalogue import Api, Scope


def changed(api: Api, change: ApiChange) -> Api:
    """`api` with the members that are present."""
    given = change.given()
    if "name" in given:
        api = replace(api, name=change.name)
    if "scopes" in given:
        api = replace(api, scopes=scopes_of(change.scopes))
    return api


def scopes_of(asked: Iterable[ScopeInput]) -> tuple[Scope, ...]:
    return tuple(Scope(scope.name, scope.access, scope.sensitive, scope.description) for scope in asked)

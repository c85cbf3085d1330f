"""What does a body about an operator mean? Bodies to domain values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from app.inputs.bodies import GrantInput, OperatorChange, OperatorCreation
from tokenserver.domain.operators import Member, Membership, OperatorRole
from tokenserver.domain.restrictions import Grant


def membership_of(asked: OperatorCreation) -> Membership:
    """Of nobody yet."""
    roles = None if asked.roles is None else frozenset(asked.roles)
    return Membership("", OperatorRole(asked.role), roles, _grants(asked.grants))


def changing(change: OperatorChange) -> Callable[[Member], Member]:
    """Sets the members that are present."""
    given = change.given()
    of_the_person = {name: given[name] for name in ("name", "platform_admin") if name in given}
    of_the_member: dict[str, Any] = {}
    if "role" in given:
        of_the_member["role"] = OperatorRole(change.role)
    if "roles" in given:
        of_the_member["roles"] = None if change.roles is None else frozenset(change.roles)
    if "grants" in given:
        of_the_member["grants"] = _grants(change.grants)
    return lambda member: (replace(member[0], **of_the_person), replace(member[1], **of_the_member))


def _grants(asked: list[GrantInput] | None) -> tuple[Grant, ...] | None:
    return None if asked is None else tuple(grant.value() for grant in asked)

"""How do operators look from outside? Bodies to domain values, and domain values to bodies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from app.api import outputs
from app.api.conditions import etag
from app.api.operation import Answer, Call
from app.inputs.bodies import GrantInput, OperatorChange
from app.inputs.fields import moment_text
from app.services.operators import Operators
from app.settings import Settings
from tokenserver.domain.operators import Member, Membership, OperatorRole, rights_of
from tokenserver.domain.restrictions import Grant

PATH = "/v1/operators"


class OperatorOperations:
    def __init__(self, operators: Operators, settings: Settings) -> None:
        self._operators = operators
        self._address = settings.issuer + PATH

    def create(self, call: Call) -> Answer:
        asked = call.body
        roles = None if asked.roles is None else frozenset(asked.roles)
        membership = Membership("", OperatorRole(asked.role), roles, _grants(asked.grants))
        made = self._operators.add(
            call.caller, asked.email, asked.name, membership, platform_admin=asked.platform_admin
        )
        return Answer(shown(made), [("Location", f"{self._address}/{made[0].id}"), *etag(made[1].version)])

    def list(self, call: Call) -> Answer:
        found = self._operators.list(call.caller, call.page.after_moment, call.page.limit + 1)
        items, cursor, headers = call.page.cut(found, lambda m: (m[1].created_at, m[0].id), self._address)
        return Answer(outputs.OperatorList(items=[shown(item) for item in items], next=cursor), headers)

    def read(self, call: Call) -> Answer:
        return _answer(self._operators.get(call.caller, call.subject))

    def update(self, call: Call) -> Answer:
        return _answer(self._operators.update(call.caller, call.subject, call.version, changing(call.body)))

    def delete(self, call: Call) -> Answer:
        self._operators.remove(call.caller, call.subject, call.version)
        return Answer(None)


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


def shown(member: Member) -> outputs.Operator:
    person, membership = member
    grants = membership.grants
    return outputs.Operator(
        id=person.id,
        email=person.email,
        name=person.name,
        platform_admin=person.platform_admin,
        role=membership.role,
        roles=None if membership.roles is None else sorted(membership.roles),
        grants=None
        if grants is None
        else [outputs.Grant(audience=g.audience, access=g.access, scopes=sorted(g.scopes)) for g in grants],
        permissions=sorted(rights_of(person, membership).permissions),
        created_at=moment_text(membership.created_at),
        version=membership.version,
    )


def _answer(member: Member) -> Answer:
    return Answer(shown(member), etag(member[1].version))


def _grants(asked: list[GrantInput] | None) -> tuple[Grant, ...] | None:
    return None if asked is None else tuple(grant.value() for grant in asked)

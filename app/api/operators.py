"""How do operators look from outside? Bodies to domain values, and domain values to bodies."""

from __future__ import annotations

from app.api import outputs
from app.api.conditions import etag
from app.api.operation import Answer, Call
from app.inputs.fields import moment_text
from app.inputs.operators import changing, membership_of
from app.services.operators import Operators
from app.settings import Settings
from tokenserver.domain.operators import Member, rights_of

PATH = "/v1/operators"


class OperatorOperations:
    def __init__(self, operators: Operators, settings: Settings) -> None:
        self._operators = operators
        self._address = settings.issuer + PATH

    def create(self, call: Call) -> Answer:
        asked = call.body
        made = self._operators.add(
            call.caller, asked.email, asked.name, membership_of(asked), platform_admin=asked.platform_admin
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

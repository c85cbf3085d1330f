"""How do roles look from outside? Bodies to domain values, and domain values to bodies."""

from __future__ import annotations

from app.api import outputs
from app.api.conditions import etag
from app.api.operation import Answer, Call
from app.inputs.bodies import RoleChange
from app.inputs.catalogue import changed_role
from app.inputs.fields import moment_text
from app.services.audit import Caller
from app.services.catalogue import CatalogueService, RoleDraft
from app.settings import Settings
from tokenserver.domain.catalogue import Role

PATH = "/v1/roles"


class RoleOperations:
    def __init__(self, catalogue: CatalogueService, settings: Settings) -> None:
        self._catalogue = catalogue
        self._address = settings.issuer + PATH

    def create(self, call: Call) -> Answer:
        draft = RoleDraft(call.body.name, call.body.description, call.body.audience, call.body.shared)
        role = self._catalogue.create_role(call.caller, draft)
        return Answer(role_shown(role, call.caller), [("Location", f"{self._address}/{role.id}"), *etag(role.version)])

    def list(self, call: Call) -> Answer:
        found = self._catalogue.list_roles(call.caller, call.page.after_moment, call.page.limit + 1)
        roles, cursor, headers = call.page.cut(found, lambda role: (role.created_at, role.id), self._address)
        return Answer(outputs.RoleList(items=[role_shown(role, call.caller) for role in roles], next=cursor), headers)

    def read(self, call: Call) -> Answer:
        return _answer(call, self._catalogue.get_role(call.caller, call.subject))

    def update(self, call: Call) -> Answer:
        """A change without members changes nothing, but meets the same conditions."""
        change: RoleChange = call.body
        return _answer(
            call,
            self._catalogue.update_role(
                call.caller, call.subject, call.version, lambda role: changed_role(role, change), cascade=call.cascade
            ),
        )

    def delete(self, call: Call) -> Answer:
        self._catalogue.delete_role(call.caller, call.subject, call.version, cascade=call.cascade)
        return Answer(None)


def role_shown(role: Role, caller: Caller) -> outputs.Role:
    return outputs.Role(
        id=role.id,
        name=role.name,
        description=role.description,
        audience=role.audience,
        shared=role.shared,
        own=role.organization_id == caller.organization_id,
        created_at=moment_text(role.created_at),
        version=role.version,
    )


def _answer(call: Call, role: Role) -> Answer:
    return Answer(role_shown(role, call.caller), etag(role.version))

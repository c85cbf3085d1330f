"""The pages of roles: what tokens say their bearers are."""

from __future__ import annotations

from functools import partial
from typing import Any

from app.console import words
from app.console.editing import MOST_CHOICES, MOST_NAMED, listed, meanwhile, refuse_other_name, version_of
from app.console.page import Page, Pages, Reply, Sent, Shown, Visit, form_pages
from app.inputs.bodies import RoleChange, RoleCreation
from app.inputs.catalogue import changed_role
from app.inputs.checking import check
from app.services.admission import Wanted
from app.services.catalogue import CatalogueService, RoleDraft, StillHeld
from tokenserver.errors import Conflict, TokenServerError

_READ, _WRITE = Wanted("roles:read"), Wanted("roles:write")
_ONE = "/roles/<role_id>"
_HELD = words.ROLE_HELD


class RolePages:
    def __init__(self, catalogue: CatalogueService) -> None:
        self._catalogue = catalogue

    def pages(self) -> Pages:
        return (
            Page(name="roles", path="/roles", handler=self.list, wants=_READ),
            *form_pages("create_role", "/roles/new", show=self.new, do=self.create, again=self.new_again, wants=_WRITE),
            Page(name="role", path=_ONE, handler=self.one, wants=_READ),
            Page(name="change_role", method="POST", path=_ONE, handler=self.change, again=self.one_again, wants=_WRITE),
            *form_pages(
                "delete_role",
                f"{_ONE}/delete",
                show=self.delete_asked,
                do=self.delete,
                again=self.delete_again,
                fresh=True,
                wants=_WRITE,
            ),
        )

    def list(self, visit: Visit) -> Reply:
        roles, cursor = listed(visit, partial(self._catalogue.list_roles, visit.caller), lambda r: (r.created_at, r.id))
        return Shown("roles/list.html", {"roles": roles, "cursor": cursor})

    def new(self, visit: Visit) -> Reply:
        return self._new(visit, {})

    def new_again(self, visit: Visit, _: TokenServerError) -> Reply:
        return self._new(visit, {name: visit.form.text(name) for name in ("name", "description", "audience")})

    def create(self, visit: Visit) -> Reply:
        form = visit.form
        body = {"name": form.text("name"), "description": form.text("description")}
        asked = check(RoleCreation, {**body, "audience": form.text("audience") or None})
        made = self._catalogue.create_role(visit.caller, RoleDraft(asked.name, asked.description, asked.audience))
        return Sent(f"/roles/{made.id}", "created")

    def one(self, visit: Visit) -> Reply:
        role = self._catalogue.get_role(visit.caller, visit.id)
        return Shown("roles/one.html", {"role": role, "typed": {"description": role.description}, "saved": {}})

    def one_again(self, visit: Visit, fault: TokenServerError) -> Reply:
        role = self._catalogue.get_role(visit.caller, visit.id)
        typed = {"description": visit.form.text("description")}
        return Shown(
            "roles/one.html",
            {"role": role, "typed": typed, **meanwhile(fault, {"description": role.description}, typed)},
        )

    def change(self, visit: Visit) -> Reply:
        change = check(RoleChange, {"description": visit.form.text("description")})
        self._catalogue.update_role(
            visit.caller, visit.id, version_of(visit.form), lambda role: changed_role(role, change)
        )
        return Sent(f"/roles/{visit.id}", "saved")

    def delete_asked(self, visit: Visit) -> Reply:
        return Shown("roles/delete.html", self._ending(visit))

    def delete_again(self, visit: Visit, fault: TokenServerError) -> Reply:
        held = {"fault": Conflict(_HELD), "faults": {"cascade": _HELD}} if isinstance(fault, StillHeld) else {}
        return Shown("roles/delete.html", {**self._ending(visit), **held})

    def delete(self, visit: Visit) -> Reply:
        form, role = visit.form, self._catalogue.get_role(visit.caller, visit.id)
        refuse_other_name(form, role.name)
        self._catalogue.delete_role(visit.caller, role.id, version_of(form), cascade=form.flag("cascade"))
        return Sent("/roles", "deleted")

    def _new(self, visit: Visit, typed: dict[str, str]) -> Reply:
        apis = self._catalogue.list_apis(visit.caller, None, MOST_CHOICES)
        return Shown("roles/new.html", {"typed": typed, "apis": apis})

    def _ending(self, visit: Visit) -> dict[str, Any]:
        role = self._catalogue.get_role(visit.caller, visit.id)
        holders = self._catalogue.holders_of_role(visit.caller, role.id)
        return {"role": role, "holders": holders[:MOST_NAMED], "count": len(holders)}

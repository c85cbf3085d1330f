"""The pages of roles: what tokens say their bearers are."""

from __future__ import annotations

from functools import partial
from typing import Any

from app.console import words
from app.console.editing import MOST_CHOICES, listed, meanwhile, refuse_other_name, version_of
from app.console.page import Page, Pages, Reply, Sent, Shown, Visit, form_pages
from app.console.sharing import Sharing, refuse_others
from app.inputs.bodies import RoleChange, RoleCreation
from app.inputs.catalogue import changed_role
from app.inputs.checking import check
from app.services.admission import Wanted
from app.services.catalogue import CatalogueService, RoleDraft, StillHeld
from tokenserver.domain.catalogue import Role
from tokenserver.domain.operators import WRITE_ALL
from tokenserver.errors import Conflict, TokenServerError

_READ, _WRITE, _SHARE = Wanted("roles:read"), Wanted("roles:write"), Wanted(WRITE_ALL)
_ONE = "/roles/<role_id>"
_HELD = words.ROLE_HELD


class RolePages:
    def __init__(self, catalogue: CatalogueService, sharing: Sharing) -> None:
        self._catalogue = catalogue
        self._sharing = sharing

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
            *form_pages(
                "unshare_role",
                f"{_ONE}/unshare",
                show=self.unshare_asked,
                do=self.unshare,
                again=self.unshare_again,
                fresh=True,
                wants=_SHARE,
            ),
        )

    def list(self, visit: Visit) -> Reply:
        roles, cursor = listed(visit, partial(self._catalogue.list_roles, visit.caller), lambda r: (r.created_at, r.id))
        return Shown("roles/list.html", {"roles": roles, "cursor": cursor})

    def new(self, visit: Visit) -> Reply:
        return self._new(visit, {})

    def new_again(self, visit: Visit, _: TokenServerError) -> Reply:
        return self._new(visit, {name: visit.form.text(name) for name in ("name", "description", "audience", "shared")})

    def create(self, visit: Visit) -> Reply:
        form = visit.form
        body: dict[str, Any] = {"name": form.text("name"), "description": form.text("description")}
        body |= {"audience": form.text("audience") or None, "shared": form.flag("shared")}
        asked = check(RoleCreation, body)
        draft = RoleDraft(asked.name, asked.description, asked.audience, asked.shared)
        made = self._catalogue.create_role(visit.caller, draft)
        return Sent(f"/roles/{made.id}", "created")

    def one(self, visit: Visit) -> Reply:
        role = self._catalogue.get_role(visit.caller, visit.id)
        return self._one(visit, role, {"description": role.description, "shared": ""}, {"saved": {}})

    def one_again(self, visit: Visit, fault: TokenServerError) -> Reply:
        role = self._catalogue.get_role(visit.caller, visit.id)
        typed = {name: visit.form.text(name) for name in ("description", "shared")}
        return self._one(visit, role, typed, meanwhile(fault, {"description": role.description}, typed))

    def change(self, visit: Visit) -> Reply:
        """What is shared already stays so: to share it no more is a page of its own."""
        shares = {"shared": True} if visit.form.flag("shared") else {}
        change = check(RoleChange, {"description": visit.form.text("description"), **shares})
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
        form, role = visit.form, self._changeable(visit)
        refuse_other_name(form, role.name)
        self._catalogue.delete_role(visit.caller, role.id, version_of(form), cascade=form.flag("cascade"))
        return Sent("/roles", "deleted")

    # --- shared no more ---

    def unshare_asked(self, visit: Visit) -> Reply:
        return Shown("roles/unshare.html", self._unsharing(visit))

    def unshare_again(self, visit: Visit, fault: TokenServerError) -> Reply:
        held = {"fault": Conflict(_HELD), "faults": {"cascade": _HELD}} if isinstance(fault, StillHeld) else {}
        return Shown("roles/unshare.html", {**self._unsharing(visit), **held})

    def unshare(self, visit: Visit) -> Reply:
        form, stop = visit.form, RoleChange(shared=False)
        self._catalogue.update_role(
            visit.caller,
            visit.id,
            version_of(form),
            lambda role: changed_role(role, stop),
            cascade=form.flag("cascade"),
        )
        return Sent(f"/roles/{visit.id}", "unshared")

    def _unsharing(self, visit: Visit) -> dict[str, Any]:
        """Its own organization keeps it."""
        role = self._changeable(visit)
        holders = self._catalogue.holders_of_role(visit.caller, role.id)
        others = [one for one in holders if one.organization_id != role.organization_id]
        return {"role": role, **self._sharing.named(visit, others)}

    def _changeable(self, visit: Visit) -> Role:
        role = self._catalogue.get_role(visit.caller, visit.id)
        refuse_others(visit, role)
        return role

    def _one(self, visit: Visit, role: Role, typed: dict[str, str], more: dict[str, Any]) -> Reply:
        return Shown("roles/one.html", {"role": role, "typed": typed, **self._sharing.shown(visit, role), **more})

    def _new(self, visit: Visit, typed: dict[str, str]) -> Reply:
        apis = self._catalogue.list_apis(visit.caller, None, MOST_CHOICES)
        return Shown("roles/new.html", {"typed": typed, "apis": apis})

    def _ending(self, visit: Visit) -> dict[str, Any]:
        role = self._changeable(visit)
        behind = self._catalogue.role_behind(role)
        keeps = behind is not None and behind.audience in {None, role.audience}
        losers = [] if keeps else self._catalogue.holders_of_role(visit.caller, role.id)
        return {"role": role, "behind": behind, **self._sharing.named(visit, losers)}

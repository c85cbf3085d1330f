"""The pages of operators: who manages the organization, what they may do and hand on, and the link for a password.

No mail is sent: the link is shown, once, to whoever asked for it, who hands it over.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from app.console import words
from app.console.editing import MOST_CHOICES, MOST_NAMED, listed, meanwhile, refuse_other_name, version_of
from app.console.operator_forms import OPEN, body_of, typed_in, typed_of
from app.console.page import Page, Pages, Reply, Sent, Shown, Visit, form_pages
from app.console.telling import in_words
from app.inputs.bodies import OperatorChange, OperatorCreation
from app.inputs.checking import check
from app.inputs.operators import changing, membership_of
from app.services.admission import Wanted
from app.services.catalogue import CatalogueService
from app.services.invitations import Invitations, Link
from app.services.operators import BeyondYou, Operators
from tokenserver.domain.names import ADMIN_AUDIENCE
from tokenserver.domain.operators import PERMISSIONS, WRITE_ALL, Member, Operator, OperatorRole
from tokenserver.errors import InsufficientScope, TokenServerError

_READ, _WRITE = Wanted("operators:read"), Wanted("operators:write")
_ONE = "/operators/<operator_id>"


class OperatorPages:
    def __init__(self, operators: Operators, invitations: Invitations, catalogue: CatalogueService) -> None:
        self._operators = operators
        self._invitations = invitations
        self._catalogue = catalogue

    def pages(self) -> Pages:
        form = partial(form_pages, fresh=True, wants=_WRITE)
        return (
            Page(name="operators", path="/operators", handler=self.list, wants=_READ),
            *form("add_operator", "/operators/new", show=self.new, do=self.add, again=self.new_again),
            Page(name="operator", path=_ONE, handler=self.one, wants=_READ),
            *form("change_operator", f"{_ONE}/edit", show=self.edit, do=self.change, again=self.edit_again),
            *form("new_link", f"{_ONE}/link", show=self.link_asked, do=self.link),
            *form("remove_operator", f"{_ONE}/remove", show=self.remove_asked, do=self.remove),
        )

    def list(self, visit: Visit) -> Reply:
        find = partial(self._operators.list, visit.caller)
        members, cursor = listed(visit, find, lambda member: (member[1].created_at, member[0].id))
        facts = self._operators.sign_ins(visit.caller, members)
        return Shown("operators/list.html", {"members": members, "facts": facts, "cursor": cursor})

    def one(self, visit: Visit) -> Reply:
        member = self._operators.get(visit.caller, visit.id)
        facts = self._operators.sign_ins(visit.caller, [member])[visit.id]
        return Shown("operators/one.html", {"operator": member[0], "membership": member[1], "facts": facts})

    # --- a new one ---

    def new(self, visit: Visit) -> Reply:
        return self._form(visit, "operators/new.html", {"typed": {"role": "", **OPEN}})

    def new_again(self, visit: Visit, fault: TokenServerError) -> Reply:
        return self._form(visit, "operators/new.html", {"typed": typed_in(visit.form), **_at_its_field(fault)})

    def add(self, visit: Visit) -> Reply:
        form = visit.form
        body = {"email": form.text("email"), **body_of(form)}
        asked = check(OperatorCreation, {**body, "platform_admin": form.flag("platform_admin")})
        made, _ = self._operators.add(
            visit.caller, asked.email, asked.name, membership_of(asked), platform_admin=asked.platform_admin
        )
        try:
            link = self._invitations.invite(visit.caller, made.id)
        except InsufficientScope:  # they may do things elsewhere that the viewer may not
            return self._linked(made, None)
        return self._linked(made, link)

    # --- a change ---

    def edit(self, visit: Visit) -> Reply:
        member = self._operators.get(visit.caller, visit.id)
        return self._edit(visit, member, {"typed": typed_of(member), "saved": {}})

    def edit_again(self, visit: Visit, fault: TokenServerError) -> Reply:
        member, typed = self._operators.get(visit.caller, visit.id), typed_in(visit.form)
        saved = typed_of(member)
        told = meanwhile(fault, _told(saved), _told(typed))
        return self._edit(visit, member, {"typed": typed, **_at_its_field(fault), **told})

    def change(self, visit: Visit) -> Reply:
        form, body = visit.form, body_of(visit.form)
        if visit.viewer.may(WRITE_ALL) or form.flag("platform_admin"):
            body["platform_admin"] = form.flag("platform_admin")
        change = check(OperatorChange, body)
        self._operators.update(visit.caller, visit.id, version_of(form), changing(change))
        return Sent(f"/operators/{visit.id}", "saved")

    def _edit(self, visit: Visit, member: Member, values: dict[str, Any]) -> Reply:
        owned = self._operators.owned(visit.caller, visit.id)
        about = {"operator": member[0], "version": member[1].version, "count": len(owned)}
        return self._form(visit, "operators/edit.html", {**about, **values})

    def _form(self, visit: Visit, template: str, values: dict[str, Any]) -> Reply:
        """What the viewer does not hold cannot be chosen; a platform admin holds all."""
        roles = [role for role in OperatorRole if role is not OperatorRole.PLATFORM_ADMIN]
        apis = self._catalogue.list_apis(visit.caller, None, MOST_CHOICES)
        choices = {
            "operator_roles": roles,
            "grantable": {role for role in roles if PERMISSIONS[role] <= visit.viewer.rights.permissions},
            "roles": self._catalogue.list_roles(visit.caller, None, MOST_CHOICES),
            "apis": [api for api in apis if api.audience != ADMIN_AUDIENCE],
        }
        return Shown(template, {**choices, **values})

    # --- the link for a password ---

    def link_asked(self, visit: Visit) -> Reply:
        member = self._operators.get(visit.caller, visit.id)
        facts = self._operators.sign_ins(visit.caller, [member])[visit.id]
        return Shown("operators/new_link.html", {"operator": member[0], "facts": facts})

    def link(self, visit: Visit) -> Reply:
        operator, _ = self._operators.get(visit.caller, visit.id)
        forgets = visit.form.text("second_factor") == "forget"
        link = self._invitations.invite(visit.caller, visit.id, without_second_factor=forgets)
        return self._linked(operator, link, forgot=forgets)

    @staticmethod
    def _linked(operator: Operator, link: Link | None, *, forgot: bool = False) -> Reply:
        return Shown("operators/link.html", {"operator": operator, "link": link, "forgot": forgot}, 201)

    # --- their end ---

    def remove_asked(self, visit: Visit) -> Reply:
        member = self._operators.get(visit.caller, visit.id)
        owned = self._operators.owned(visit.caller, visit.id)
        about = {"operator": member[0], "version": member[1].version}
        return Shown("operators/remove.html", {**about, "owned": owned[:MOST_NAMED], "count": len(owned)})

    def remove(self, visit: Visit) -> Reply:
        operator, _ = self._operators.get(visit.caller, visit.id)
        refuse_other_name(visit.form, operator.email)
        self._operators.remove(visit.caller, operator.id, version_of(visit.form))
        return Sent("/" if operator.id == visit.viewer.operator.id else "/operators", "operator_removed")


def _at_its_field(fault: TokenServerError) -> dict[str, Any]:
    return {"faults": {fault.part: in_words(fault)}} if isinstance(fault, BeyondYou) else {}


def _told(typed: dict[str, Any]) -> dict[str, str]:
    """In words, for who compares."""
    grants = [f"{audience}: {access} {' '.join(scopes)}".strip() for audience, (access, scopes) in typed["at"].items()]
    return {
        "name": typed["name"],
        "role": typed["role"],
        "platform_admin": words.YES if typed["platform_admin"] else words.NO,
        "roles": words.ALL if typed["all_roles"] else ", ".join(sorted(typed["roles"])) or words.NONE,
        "grants": words.ALL if typed["all_grants"] else "; ".join(sorted(grants)) or words.NONE,
    }

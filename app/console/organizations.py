"""The pages of organizations: one's own with its policy, and all of them for whoever runs the server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from app.console.editing import listed, meanwhile, refuse_other_name, version_of
from app.console.forms import Form
from app.console.page import Page, Pages, Reply, Sent, Shown, Visit, form_pages
from app.inputs.bodies import OrganizationChange, OrganizationCreation
from app.inputs.checking import check
from app.inputs.organizations import changing, policy_of
from app.services.admission import Wanted
from app.services.organizations import Organizations
from tokenserver.domain.operators import READ_ALL, WRITE_ALL
from tokenserver.domain.organizations import Organization
from tokenserver.errors import TokenServerError

_READ, _WRITE, _WRITE_ALL = Wanted("organization:read"), Wanted("organization:write"), Wanted(WRITE_ALL)
_ONE = "/organizations/<organization_id>"


@dataclass(frozen=True, slots=True)
class Deed:
    """What is done to all of an organization at once. `by_name`: whether its name must be typed."""

    name: str
    path: str
    wants: Wanted
    by_name: bool = True


SUSPEND = Deed("suspend", "/suspend", _WRITE_ALL)
RESUME = Deed("resume", "/resume", _WRITE_ALL, by_name=False)
END_EVERYTHING = Deed("end_everything", "/end-everything", _WRITE)


class OrganizationPages:
    def __init__(self, organizations: Organizations) -> None:
        self._organizations = organizations

    def pages(self) -> Pages:
        return (
            Page(name="organizations", path="/organizations", handler=self.list, wants=_READ),
            *form_pages(
                "create_organization",
                "/organizations/new",
                show=self.new,
                do=self.create,
                again=self.new_again,
                wants=_WRITE_ALL,
            ),
            Page(name="organization", path=_ONE, handler=self.one, wants=_READ),
            Page(
                name="change_organization",
                method="POST",
                path=_ONE,
                handler=self.change,
                again=self.one_again,
                fresh=True,
                wants=_WRITE,
            ),
            *self._deed(SUSPEND, self._organizations.suspend),
            *self._deed(RESUME, self._organizations.resume),
            *self._deed(END_EVERYTHING, self._organizations.end_everything),
        )

    def list(self, visit: Visit) -> Reply:
        """Who has one only is shown that one."""
        if not visit.viewer.may(READ_ALL):
            return self._shown(visit.viewer.organization)
        find = partial(self._organizations.list, visit.caller)
        found, cursor = listed(visit, find, lambda one: (one.created_at, one.id))
        return Shown("organizations/list.html", {"found": found, "cursor": cursor})

    def new(self, _: Visit) -> Reply:
        return Shown("organizations/new.html", {"typed": {}})

    def new_again(self, visit: Visit, _: TokenServerError) -> Reply:
        return Shown("organizations/new.html", {"typed": _typed(visit.form)})

    def create(self, visit: Visit) -> Reply:
        asked = check(OrganizationCreation, {**_body(visit.form), "credential_quota": _quota(visit.form)})
        made = self._organizations.create(visit.caller, asked.name, policy_of(asked))
        return Sent(f"/organizations/{made.id}", "organization_created")

    def one(self, visit: Visit) -> Reply:
        return self._shown(self._organizations.get(visit.caller, visit.id))

    def one_again(self, visit: Visit, fault: TokenServerError) -> Reply:
        found, typed = self._organizations.get(visit.caller, visit.id), _typed(visit.form)
        if not visit.viewer.may(WRITE_ALL):
            typed["credential_quota"] = _saved(found)["credential_quota"]
        return Shown(
            "organizations/one.html", {"organization": found, "typed": typed, **meanwhile(fault, _saved(found), typed)}
        )

    def change(self, visit: Visit) -> Reply:
        body = _body(visit.form)
        if visit.viewer.may(WRITE_ALL) or visit.form.text("credential_quota"):
            body["credential_quota"] = _quota(visit.form)
        change = check(OrganizationChange, body)
        self._organizations.update(visit.caller, visit.id, version_of(visit.form), changing(change))
        return Sent(f"/organizations/{visit.id}", "saved")

    @staticmethod
    def _shown(organization: Organization) -> Shown:
        values = {"organization": organization, "typed": _saved(organization), "saved": {}}
        return Shown("organizations/one.html", values)

    # --- all of it at once ---

    def _deed(self, deed: Deed, do: Callable[..., Organization]) -> Pages:
        ask, act = partial(self.ask, deed), partial(self.do, deed, do)
        return form_pages(deed.name, _ONE + deed.path, show=ask, do=act, fresh=True, wants=deed.wants)

    def ask(self, deed: Deed, visit: Visit) -> Reply:
        found = self._organizations.get(visit.caller, visit.id)
        return Shown(f"organizations/{deed.name}.html", {"organization": found})

    def do(self, deed: Deed, do: Callable[..., Organization], visit: Visit) -> Reply:
        found = self._organizations.get(visit.caller, visit.id)
        if deed.by_name:
            refuse_other_name(visit.form, found.name)
        do(visit.caller, found.id)
        return Sent(f"/organizations/{found.id}", deed.name)


def _body(form: Form) -> dict[str, Any]:
    return {
        "name": form.text("name"),
        "longest_expiry_days": form.number("longest_expiry_days"),
        "names_are_fixed": form.flag("names_are_fixed"),
    }


def _quota(form: Form) -> int | None:
    return form.number("credential_quota")


def _typed(form: Form) -> dict[str, str]:
    return {
        "name": form.text("name"),
        "longest_expiry_days": form.text("longest_expiry_days"),
        "credential_quota": form.text("credential_quota"),
        "names_are_fixed": "yes" if form.flag("names_are_fixed") else "",
    }


def _saved(organization: Organization) -> dict[str, str]:
    policy = organization.policy
    return {
        "name": organization.name,
        "longest_expiry_days": "" if policy.longest_expiry_days is None else str(policy.longest_expiry_days),
        "credential_quota": "" if policy.credential_quota is None else str(policy.credential_quota),
        "names_are_fixed": "yes" if policy.names_are_fixed else "",
    }

"""A new credential, on one page: with good defaults, and addresses read while they are typed.

What is typed becomes the body that the API would be sent, so that the same is refused for the same reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.console.allowed_ips_read import read_ranges
from app.console.credentials import WRITE
from app.console.forms import Form
from app.console.page import Page, Pages, Reply, Shown, Visit
from app.console.revealing import reveal
from app.inputs.bodies import CredentialCreation
from app.inputs.checking import check
from app.inputs.credentials import draft_of
from app.services.catalogue import CatalogueService
from app.services.credentials import Credentials
from app.services.organizations import Organizations
from app.settings import Settings
from tokenserver.clock import DAY, rfc3339
from tokenserver.domain.catalogue import Api, Scope
from tokenserver.domain.operators import Rights
from tokenserver.domain.restrictions import Access
from tokenserver.errors import Fault, InvalidInput, TokenServerError

_MOST_CHOICES = 200
_PATH = "/credentials/new"


@dataclass(frozen=True, slots=True)
class OfferedApi:
    """An API and those of its scopes that the viewer may hand on."""

    api: Api
    scopes: tuple[Scope, ...]


class NewCredentialPages:
    def __init__(
        self, credentials: Credentials, catalogue: CatalogueService, organizations: Organizations, settings: Settings
    ) -> None:
        self._credentials = credentials
        self._catalogue = catalogue
        self._organizations = organizations
        self._settings = settings

    def pages(self) -> Pages:
        return (
            Page(name="new_credential", path=_PATH, handler=self.new, fresh=True, wants=WRITE),
            Page(
                name="create_credential",
                method="POST",
                path=_PATH,
                handler=self.create,
                again=self.new_again,
                fresh=True,
                wants=WRITE,
            ),
            Page(name="read_ranges", method="POST", path="/credentials/ranges", handler=self.ranges, wants=WRITE),
        )

    def new(self, visit: Visit) -> Reply:
        return self._form(visit, Form())

    def new_again(self, visit: Visit, _: TokenServerError) -> Reply:
        return self._form(visit, visit.form)

    def create(self, visit: Visit) -> Reply:
        apis = self._catalogue.list_apis(visit.caller, None, _MOST_CHOICES)
        asked = check(CredentialCreation, body_of(visit.form, apis, visit.viewer.operator.id))
        draft = draft_of(asked, self._settings.token_lifetime, visit.now)
        return reveal(self._credentials.create(visit.caller, draft), self._settings, 201)

    def ranges(self, visit: Visit) -> Reply:
        """What the addresses mean that are typed: a piece of the form for a script, else the form once more."""
        if not visit.partly:
            return self._form(visit, visit.form)
        ranges = read_ranges(visit.form.text("allowed_ips"), visit.visitor.address)
        return Shown("credentials/ranges.html", {"ranges": ranges})

    def _form(self, visit: Visit, form: Form) -> Reply:
        caller, rights = visit.caller, visit.viewer.rights
        roles = self._catalogue.list_roles(caller, None, _MOST_CHOICES)
        held = rights.roles_of(frozenset(role.name for role in roles))
        values = {
            "form": form,
            "roles": sorted((role for role in roles if role.name in held), key=lambda role: role.name),
            "apis": offered(self._catalogue.list_apis(caller, None, _MOST_CHOICES), rights),
            "projects": self._organizations.list_projects(caller, None, _MOST_CHOICES),
            "ranges": read_ranges(form.text("allowed_ips"), visit.visitor.address),
            "lifetime": self._settings.token_lifetime,
            "longest_expiry_days": visit.viewer.organization.policy.longest_expiry_days,
            "tomorrow": str(rfc3339(visit.now + DAY))[:10],
            "only_own": caller.only_own,
        }
        return Shown("credentials/new.html", values)


def offered(apis: list[Api], rights: Rights) -> list[OfferedApi]:
    """In the order of names; without those of which the viewer may hand on nothing."""
    catalogue = {api.audience: api for api in apis}
    held = rights.scopes_of({api.audience: api.scope_names() for api in apis}, catalogue)
    found = [
        OfferedApi(api, tuple(scope for scope in api.scopes if scope.name in held[api.audience]))
        for api in apis
        if held.get(api.audience)
    ]
    return sorted(found, key=lambda one: one.api.name)


def body_of(form: Form, apis: list[Api], operator_id: str) -> dict[str, Any]:
    """As the API would be sent it."""
    return {
        "name": form.text("name"),
        "description": form.text("description"),
        "roles": form.all("roles"),
        "grants": list(filter(None, (_grant(form, api) for api in apis))),
        "allowed_ips": form.text("allowed_ips") or None,
        "project": form.text("project") or None,
        "environment": form.text("environment") or None,
        "rotation_schedule": _schedule(form),
        **({"owner": operator_id} if form.text("owner") == "me" else {}),
        **_lifetime(form),
        **_expiry(form),
    }


def _grant(form: Form, api: Api) -> dict[str, Any] | None:
    """None where nothing is ticked and nothing else is chosen."""
    access, scopes = form.text(f"access:{api.id}", Access.CUSTOM), form.all(f"scopes:{api.id}")
    if access == Access.CUSTOM and not scopes:
        return None
    return {"audience": api.audience, "access": access, "scopes": scopes}


def _lifetime(form: Form) -> dict[str, int]:
    seconds = form.number("token_lifetime")
    return {} if seconds is None else {"token_lifetime": seconds}


def _expiry(form: Form) -> dict[str, str | None]:
    """Missing means twelve months; a day lasts until its end (UTC)."""
    match form.text("expiry"):
        case "never":
            return {"expires_at": None}
        case "day":
            day = form.day("expires_at")
            if day is None:
                raise InvalidInput([Fault("/expires_at", "Choose the day.")])
            return {"expires_at": rfc3339(day + DAY - 1)}
        case _:
            return {}


def _schedule(form: Form) -> dict[str, Any] | None:
    days = form.number("rotation_schedule")
    if days is None:
        return None
    grace = form.number("grace_days")
    unclaimed = form.text("on_unclaimed")
    return {
        "interval_days": days,
        **({} if grace is None else {"grace_seconds": grace * DAY}),
        **({"on_unclaimed": unclaimed} if unclaimed else {}),
    }

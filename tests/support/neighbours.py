"""Three organizations of one workshop: a vendor with an API and roles, and two who know nothing of each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from app.services.audit import Caller
from app.services.credentials import NewSecret
from app.services.terms import Draft
from tests.support.names import a_name
from tests.support.workshop import REPORTS, Workshop
from tokenserver.domain.catalogue import Api, Role
from tokenserver.domain.credential import Credential
from tokenserver.domain.operators import PERMISSIONS, OperatorRole
from tokenserver.domain.organizations import Policy
from tokenserver.domain.restrictions import Access, Grant, Restrictions

READS = Grant(REPORTS, Access.CUSTOM, frozenset({"reports:read"}))
EVERYTHING = Grant(REPORTS, Access.CUSTOM, frozenset({"reports:read", "reports:write"}))


class Neighbours:
    """`vendor`, `ours` and `theirs` are a platform admin in each of them; `vendor_owner`, `owner` and `stranger` may do
    all that owners may, and nothing for the platform.
    """

    def __init__(self, workshop: Workshop) -> None:
        self.workshop, self.own = workshop, workshop.services
        self.catalogue = workshop.services.catalogue
        self.vendor = workshop.caller
        self.ours, self.theirs = (
            replace(self.vendor, organization_id=self.own.organizations.create(self.vendor, name, Policy()).id)
            for name in ("Ours", "Theirs")
        )
        self.vendor_owner, self.owner, self.stranger = map(_owner, (self.vendor, self.ours, self.theirs))

    def api(self, audience: str = REPORTS, at: Caller | None = None) -> Api:
        return next(a for a in self.catalogue.list_apis(at or self.vendor, None, 50) if a.audience == audience)

    def role(self, name: str = "auditor", at: Caller | None = None) -> Role:
        return next(r for r in self.catalogue.list_roles(at or self.vendor, None, 50) if r.name == name)

    def share(self, audience: str = REPORTS) -> Api:
        return self.catalogue.update_api(
            self.vendor, self.api(audience).id, None, lambda api: replace(api, shared=True)
        )

    def share_role(self, name: str = "auditor") -> Role:
        return self.catalogue.update_role(
            self.vendor, self.role(name).id, None, lambda role: replace(role, shared=True)
        )

    def credential(self, at: Caller, *grants: Grant, **terms: Any) -> NewSecret:
        return self.own.credentials.create(at, Draft(a_name("app"), "", Restrictions(grants=grants, **terms)))

    def now_of(self, made: NewSecret) -> Credential:
        credential = made.view.credential
        there = replace(self.vendor, organization_id=credential.organization_id)
        return self.own.credentials.get(there, credential.client_id).credential

    def scopes(self, made: NewSecret) -> set[str]:
        """Of a token that it fetches now."""
        return set(self.workshop.issue(made).scope.split())


def client_id(made: NewSecret) -> str:
    return made.view.credential.client_id


def _owner(caller: Caller) -> Caller:
    return replace(caller, actor="credential:owner", scopes=PERMISSIONS[OperatorRole.OWNER])

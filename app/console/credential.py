"""One credential, with everything about it on one screen."""

from __future__ import annotations

from app.console.audit import Told, told_of
from app.console.credentials import READ
from app.console.page import Page, Pages, Reply, Shown, Visit
from app.console.snippets import snippets_of
from app.console.usage_shown import Applied, applied_shown, usage_shown
from app.services.actors import Actors
from app.services.audit_trail import AuditTrail
from app.services.catalogue import CatalogueService
from app.services.credentials import Credentials, CredentialView
from app.services.usage import Usage
from app.settings import Settings
from tokenserver.domain.audit_search import Wanted as WantedLines
from tokenserver.domain.catalogue import Api

MOST_LINES = 20
_MOST_APIS = 200


class OneCredentialPages:
    def __init__(
        self,
        *,
        credentials: Credentials,
        catalogue: CatalogueService,
        usage: Usage,
        audit_trail: AuditTrail,
        actors: Actors,
        settings: Settings,
    ) -> None:
        self._credentials = credentials
        self._catalogue = catalogue
        self._usage = usage
        self._audit_trail = audit_trail
        self._actors = actors
        self._issuer = settings.issuer

    def pages(self) -> Pages:
        return (Page(name="credential", path="/credentials/<client_id>", handler=self.one, wants=READ),)

    def one(self, visit: Visit) -> Reply:
        view = self._credentials.get(visit.caller, visit.id)
        for_apps, for_apis = snippets_of(view.credential, self._issuer)
        apis = {api.audience: api for api in self._catalogue.list_apis(visit.caller, None, _MOST_APIS)}
        values = {
            "view": view,
            "may_write": _may_write(visit, view),
            "names": self._actors.names(visit.caller, *_people_of(view)),
            "apis": apis,
            "usage": usage_shown(self._usage.of_credential(visit.caller, visit.id)),
            "applied": self._applied(visit, view, apis) if visit.viewer.may("apis:read") else [],
            "lines": self._lines(visit) if visit.viewer.may("audit:read") else None,
            "for_apps": for_apps,
            "for_apis": for_apis,
        }
        return Shown("credentials/one.html", values)

    def _lines(self, visit: Visit) -> list[Told]:
        wanted = WantedLines(credential=visit.id, without_tokens=True)
        found, _ = self._audit_trail.search(visit.caller, wanted, None, MOST_LINES)
        return told_of(found, self._actors, visit.caller)

    def _applied(self, visit: Visit, view: CredentialView, apis: dict[str, Api]) -> list[Applied]:
        """Of each API that it has a grant at and whose resource servers report."""
        audiences = [grant.audience for grant in view.credential.restrictions.grants if grant.audience in apis]
        found = (
            applied_shown(audience, self._usage.proof(visit.caller, apis[audience].id, None)) for audience in audiences
        )
        return [one for one in found if one.total]


def _may_write(visit: Visit, view: CredentialView) -> bool:
    if visit.viewer.may("credentials:write"):
        return True
    return visit.viewer.may("personal:write") and view.credential.owner_id == visit.viewer.operator.id


def _people_of(view: CredentialView) -> tuple[list[str], list[str]]:
    """Who made it, and whose it is."""
    owner = view.credential.owner_id
    return [view.credential.created_by], [] if owner is None else [f"operator:{owner}"]

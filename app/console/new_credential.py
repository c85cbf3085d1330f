"""A new credential, on one page: with good defaults, and addresses read while they are typed.

What is typed becomes the body that the API would be sent, so that the same is refused for the same reason.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.console.allowed_ips_read import read_ranges
from app.console.credentials import WRITE
from app.console.forms import Form
from app.console.page import Page, Pages, Reply, Shown, Visit, form_pages
from app.console.revealing import reveal
from app.console.terms import Body, all_of, body_of, offered_apis, offered_roles
from app.inputs.bodies import CredentialCreation
from app.inputs.checking import check
from app.inputs.credentials import draft_of
from app.services.catalogue import CatalogueService
from app.services.credentials import Credentials
from app.services.organizations import Organizations
from app.settings import Settings
from tokenserver.clock import DAY, rfc3339
from tokenserver.domain.catalogue import Api
from tokenserver.errors import TokenServerError

_PATH = "/credentials/new"


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
            *form_pages(
                "create_credential",
                _PATH,
                show=self.new,
                do=self.create,
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
        apis = list(all_of(self._catalogue.list_apis, visit.caller))
        asked = check(CredentialCreation, _body_of(visit.form, apis, visit.viewer.operator.id))
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
        values = {
            "form": form,
            "roles": offered_roles(list(all_of(self._catalogue.list_roles, caller)), rights),
            "apis": offered_apis(list(all_of(self._catalogue.list_apis, caller)), rights),
            "projects": list(all_of(self._organizations.list_projects, caller)),
            "ranges": read_ranges(form.text("allowed_ips"), visit.visitor.address),
            "lifetime": self._settings.token_lifetime,
            "longest_expiry_days": visit.viewer.organization.policy.longest_expiry_days,
            "tomorrow": str(rfc3339(visit.now + DAY))[:10],
            "only_own": caller.only_own,
        }
        return Shown("credentials/new.html", values)


def _body_of(form: Form, apis: Sequence[Api], operator_id: str) -> Body:
    return {**body_of(form, apis), **({"owner": operator_id} if form.text("owner") == "me" else {})}

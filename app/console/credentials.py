"""The pages of credentials: the list, one on one screen, a new one, and its secret, shown this once."""

from __future__ import annotations

from typing import Any

from app.console.forms import Form
from app.console.page import Page, Pages, Reply, Shown, Visit
from app.inputs.bodies import CredentialCreation
from app.inputs.checking import check
from app.inputs.credentials import draft_of
from app.inputs.paging import cursor_at, read_page
from app.inputs.selecting import FILTERS, read_selection
from app.services.admission import Wanted
from app.services.catalogue import CatalogueService
from app.services.credentials import Credentials
from app.settings import Settings
from tokenserver.clock import rfc3339
from tokenserver.errors import TokenServerError

_READ = Wanted("credentials:read", own="personal:read")
_WRITE = Wanted("credentials:write", own="personal:write")


class CredentialPages:
    def __init__(self, credentials: Credentials, catalogue: CatalogueService, settings: Settings) -> None:
        self._credentials = credentials
        self._catalogue = catalogue
        self._settings = settings

    def pages(self) -> Pages:
        return (
            Page(name="credentials", path="/credentials", handler=self.list, wants=_READ),
            Page(name="new_credential", path="/credentials/new", handler=self.new, fresh=True, wants=_WRITE),
            Page(
                name="create_credential",
                method="POST",
                path="/credentials/new",
                handler=self.create,
                again=self.new_again,
                fresh=True,
                wants=_WRITE,
            ),
            Page(name="credential", path="/credentials/<client_id>", handler=self.one, wants=_READ),
        )

    def list(self, visit: Visit) -> Reply:
        selects = {name: visit.query[name] for name in FILTERS if visit.query.get(name)}
        selection = read_selection(selects)
        page = read_page(None, visit.query.get("cursor"), selection.order.value, selects)
        placed = self._credentials.list(visit.caller, selection, page.after, page.limit + 1)
        shown = placed[: page.limit]
        cursor = cursor_at(shown[-1][1], page.order) if len(placed) > page.limit else None
        views = [view for view, _ in shown]
        return Shown("credentials/list.html", {"views": views, "query": selects, "cursor": cursor})

    def one(self, visit: Visit) -> Reply:
        return Shown("credentials/one.html", {"view": self._credentials.get(visit.caller, visit.id)})

    def new(self, visit: Visit) -> Reply:
        return self._form(visit, {})

    def new_again(self, visit: Visit, _: TokenServerError) -> Reply:
        return self._form(visit, _typed(visit.form))

    def create(self, visit: Visit) -> Reply:
        asked = check(CredentialCreation, _body(visit.form))
        draft = draft_of(asked, self._settings.token_lifetime, visit.now)
        made = self._credentials.create(visit.caller, draft)
        return Shown("credentials/secret.html", {"view": made.view, "secret": made.secret.reveal()}, 201)

    def _form(self, visit: Visit, typed: dict[str, Any]) -> Reply:
        values = {
            "typed": typed,
            "roles": self._catalogue.list_roles(visit.caller, None, 200),
            "apis": self._catalogue.list_apis(visit.caller, None, 200),
            "lifetime": self._settings.token_lifetime,
        }
        return Shown("credentials/new.html", values)


def _body(form: Form) -> dict[str, Any]:
    """As the API would be sent it, so that the same is refused for the same reason."""
    body: dict[str, Any] = {
        "name": form.text("name"),
        "description": form.text("description"),
        "roles": form.all("roles"),
        "grants": [
            {"audience": audience, "scopes": form.all(f"scopes {audience}")}
            for audience in form.all("audiences")
            if form.all(f"scopes {audience}")
        ],
        "allowed_ips": form.text("allowed_ips") or None,
    }
    expiry = form.text("expiry", "year")
    if expiry == "never":
        body["expires_at"] = None
    elif expiry == "day":
        day = form.day("expires_on")
        body["expires_at"] = None if day is None else rfc3339(day)
    return body


def _typed(form: Form) -> dict[str, Any]:
    return {name: form.all(name) for name, _ in form.fields}

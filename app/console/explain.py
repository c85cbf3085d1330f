"""Why is a token good, or refused? Pasted here it is checked as a resource server would, and neither kept nor shown."""

from __future__ import annotations

from app.console.page import Page, Pages, Reply, Shown, Visit
from app.services.admission import Wanted
from app.services.catalogue import CatalogueService
from app.services.explaining import Explaining
from tokenserver.errors import Fault, InvalidInput, TokenServerError

_READ = Wanted("credentials:read", own="personal:read")
_TYPED = ("address", "role", "scope", "audience")


class ExplainPages:
    def __init__(self, explaining: Explaining, catalogue: CatalogueService) -> None:
        self._explaining = explaining
        self._catalogue = catalogue

    def pages(self) -> Pages:
        return (
            Page(name="explain", path="/explain", handler=self.ask, wants=_READ),
            Page(name="explained", method="POST", path="/explain", handler=self.explain, again=self.again, wants=_READ),
        )

    def ask(self, visit: Visit) -> Reply:
        return self._page(visit)

    def again(self, visit: Visit, _: TokenServerError) -> Reply:
        return self._page(visit)

    def explain(self, visit: Visit) -> Reply:
        form = visit.form
        token = "".join(form.text("token").split())
        if not token:
            raise InvalidInput([Fault("/token", "Paste an access token.")])
        found = self._explaining.explain(
            visit.caller,
            token.removeprefix("Bearer"),
            form.text("address") or None,
            form.text("role").split(),
            form.text("scope").split(),
            form.text("audience") or None,
        )
        return self._page(visit, found)

    def _page(self, visit: Visit, found: object = None) -> Reply:
        apis = [] if visit.caller.only_own else self._catalogue.list_apis(visit.caller, None, 200)
        typed = {name: visit.form.text(name) for name in _TYPED}
        return Shown("explain.html", {"found": found, "apis": apis, "typed": typed})

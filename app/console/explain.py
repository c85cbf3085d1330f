"""Why is a token good, or refused? Pasted here it is checked as a resource server would, and neither kept nor shown."""

from __future__ import annotations

from app.console import words
from app.console.page import Page, Pages, Reply, Shown, Visit
from app.console.telling import actors_in
from app.services.actors import Actors
from app.services.admission import Wanted
from app.services.catalogue import CatalogueService
from app.services.explaining import Explaining, Explanation
from tokenserver.errors import Fault, InvalidInput, TokenServerError

_READ = Wanted("credentials:read", own="personal:read")
_TYPED = ("address", "role", "scope", "audience")


class ExplainPages:
    def __init__(self, explaining: Explaining, catalogue: CatalogueService, actors: Actors) -> None:
        self._explaining = explaining
        self._catalogue = catalogue
        self._actors = actors

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
            raise InvalidInput([Fault("/token", words.PASTE_A_TOKEN)])
        found = self._explaining.explain(
            visit.caller,
            token.removeprefix("Bearer"),
            form.text("address") or None,
            form.text("role").split(),
            form.text("scope").split(),
            form.text("audience") or None,
        )
        return self._page(visit, found)

    def _page(self, visit: Visit, found: Explanation | None = None) -> Reply:
        apis = [] if visit.caller.only_own else self._catalogue.list_apis(visit.caller, None, 200)
        typed = {name: visit.form.text(name) for name in _TYPED}
        actors = [] if found is None else [actor for check in found.checks for actor in actors_in(check.reason)]
        names = self._actors.names(visit.caller, actors) if actors else {}
        return Shown("explain.html", {"found": found, "names": names, "apis": apis, "typed": typed})

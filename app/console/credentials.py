"""The list of credentials: what is selected, in which order, and which part of it; or those of the viewer alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.console import words
from app.console.forms import Form
from app.console.page import Page, Pages, Reply, Shown, Visit
from app.inputs.paging import cursor_at, read_page
from app.inputs.selecting import read_selection
from app.services.actors import Actors
from app.services.admission import Wanted
from app.services.catalogue import CatalogueService
from app.services.credentials import Credentials, CredentialView
from app.services.operators import Operators
from app.services.organizations import Organizations
from tokenserver.clock import DAY, rfc3339
from tokenserver.domain.selection import Selection
from tokenserver.errors import Fault, InvalidInput, TokenServerError

READ = Wanted("credentials:read", own="personal:read")
WRITE = Wanted("credentials:write", own="personal:write")
FILTERS = ("q", "status", "role", "project", "environment", "owner", "unused", "expires", "sort")
"""Parameters of the list, as people fill them in: `unused` is a number of days, `expires` a date."""
_AS_THE_API = {"q", "status", "role", "project", "environment", "owner", "sort"}
_LONGEST_UNUSED = 3650
_MOST_CHOICES = 200


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the list, and the cursors of the parts before and after it."""

    views: Sequence[CredentialView] = ()
    before: str | None = None
    after: str | None = None


class CredentialPages:
    def __init__(
        self,
        credentials: Credentials,
        catalogue: CatalogueService,
        organizations: Organizations,
        operators: Operators,
        actors: Actors,
    ) -> None:
        self._credentials = credentials
        self._catalogue = catalogue
        self._organizations = organizations
        self._operators = operators
        self._actors = actors

    def pages(self) -> Pages:
        return (Page(name="credentials", path="/credentials", handler=self.list, again=self.list_again, wants=READ),)

    def list(self, visit: Visit) -> Reply:
        asked = _asked(visit)
        return self._shown(visit, asked, self._part(visit, selection_of(asked, visit.now)))

    def list_again(self, visit: Visit, _: TokenServerError) -> Reply:
        return self._shown(visit, _asked(visit), Part())

    def _part(self, visit: Visit, selection: Selection) -> Part:
        """The page after a cursor or, read backwards, the one before another."""
        back, cursor = visit.query.get("before"), visit.query.get("cursor")
        page = read_page(None, back or cursor or None, selection.order.value)
        order = selection.order.opposite if back else selection.order
        placed = self._credentials.list(visit.caller, replace(selection, order=order), page.after, page.limit + 1)
        more, placed = len(placed) > page.limit, placed[: page.limit]
        if not placed:
            return Part()
        if back:
            placed.reverse()
        first, last = (cursor_at(place, page.order) for place in (placed[0][1], placed[-1][1]))
        has_before, has_after = (more, True) if back else (bool(cursor), more)
        return Part([view for view, _ in placed], first if has_before else None, last if has_after else None)

    def _shown(self, visit: Visit, asked: Mapping[str, str], part: Part) -> Reply:
        credentials = [view.credential for view in part.views]
        actors = {credential.created_by for credential in credentials}
        owners = {f"operator:{credential.owner_id}" for credential in credentials if credential.owner_id}
        values = {
            "part": part,
            "query": asked,
            "only_own": visit.caller.only_own,
            "names": self._actors.names(visit.caller, actors, owners),
            **self._choices(visit),
        }
        return Shown("credentials/list.html", values)

    def _choices(self, visit: Visit) -> dict[str, Any]:
        """What can be chosen in the filters, value and text; nothing where the viewer may not see it."""
        caller, viewer = visit.caller, visit.viewer
        roles = self._catalogue.list_roles(caller, None, _MOST_CHOICES) if viewer.may("roles:read") else []
        projects = self._organizations.list_projects(caller, None, _MOST_CHOICES) if viewer.may("projects:read") else []
        members = self._operators.list(caller, None, _MOST_CHOICES) if viewer.may("operators:read") else []
        return {
            "roles": sorted((role.name, role.name) for role in roles),
            "projects": sorted((project.name, project.name) for project in projects),
            "operators": [(operator.id, operator.name or operator.email) for operator, _ in members],
        }


def selection_of(asked: Mapping[str, str], now: float) -> Selection:
    """Which credentials are meant by what was filled in; raises InvalidRequest or InvalidInput."""
    selects = {name: value for name, value in asked.items() if name in _AS_THE_API}
    form = Form(tuple(asked.items()))
    days, day = form.number("unused"), form.day("expires")
    if days is not None and not 1 <= days <= _LONGEST_UNUSED:
        raise InvalidInput([Fault("/unused", words.DAYS_UP_TO.format(_LONGEST_UNUSED))])
    if days is not None:
        selects["unused_since"] = str(rfc3339(now - days * DAY))
    if day is not None:
        selects["expires_before"] = str(rfc3339(day))
    return read_selection(selects)


def _asked(visit: Visit) -> dict[str, str]:
    return {name: visit.query[name] for name in FILTERS if visit.query.get(name)}

"""One change of many credentials: what it would do to each, shown first, and what it has done.

What is confirmed is what was shown: the credentials are named in the form, whatever the filters would select by then.
Those to which it cannot be done are shown with the reason, and left out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from app.console import words
from app.console.credentials import FILTERS, selection_of
from app.console.forms import Form
from app.console.page import Page, Pages, Reply, Shown, Visit
from app.inputs.bodies import BulkChange
from app.inputs.checking import check
from app.inputs.paging import cursor_at, read_page
from app.services.actors import Actors
from app.services.admission import Wanted
from app.services.bulk import MOST_AT_ONCE, Action, Bulk, Outcome, Task
from app.settings import Settings
from tokenserver.clock import HOUR
from tokenserver.domain.selection import Selection
from tokenserver.errors import Fault, InvalidInput, TokenServerError

MOST_SHOWN = 100
"""Rows; the others are counted."""
_WRITE = Wanted("credentials:write")


class ManyCredentialsPages:
    def __init__(self, bulk: Bulk, actors: Actors, settings: Settings) -> None:
        self._bulk = bulk
        self._actors = actors
        self._settings = settings

    def pages(self) -> Pages:
        path = "/credentials/bulk"
        return (
            Page(name="preview_bulk", method="POST", path=path, handler=self.preview, again=self.unclear, wants=_WRITE),
            Page(
                name="apply_bulk",
                method="POST",
                path=f"{path}/apply",
                handler=self.apply,
                again=self.preview_again,
                fresh=True,
                wants=_WRITE,
            ),
        )

    def preview(self, visit: Visit) -> Reply:
        """What it would do. Nothing changes, so it may be asked as often as one likes."""
        return self._would(visit, _chosen(visit))

    def preview_again(self, visit: Visit, _: TokenServerError) -> Reply:
        action, named = action_in(visit.form), visit.form.text("client_ids").split()
        check(BulkChange, {"action": action.value, "client_ids": named})
        return self._would(visit, Task(action, tuple(named), Selection()), visit.form.text("rest"))

    def unclear(self, visit: Visit, _: TokenServerError) -> Reply:
        """It cannot even be said what it would do."""
        action = visit.form.text("action")
        values = {"action": action if action in set(Action) else Action.DISABLE.value, "typed": {}}
        nothing = {"outcomes": [], "doable": [], "names": {}, "most": 0, "filters": {}, "rest": "", "count_of_all": 0}
        return Shown("credentials/bulk.html", {**values, **nothing})

    def apply(self, visit: Visit) -> Reply:
        form, action = visit.form, action_in(visit.form)
        named = form.text("client_ids").split()
        body: dict[str, Any] = {"action": action.value, "client_ids": named, "reason": form.text("reason")}
        hours = form.number("grace_hours")
        if action is Action.ROTATE and hours is not None:
            body["grace_seconds"] = hours * HOUR
        asked = check(BulkChange, body)
        if action is Action.REVOKE and form.number("confirmed") != len(named):
            raise InvalidInput([Fault("/confirmed", words.TYPE_THEIR_NUMBER.format(len(named)))])
        task = Task(action, tuple(named), Selection(), asked.reason, asked.grace_seconds)
        outcomes = self._bulk.apply(visit.caller, task)
        values = {
            "action": action.value,
            "outcomes": outcomes,
            "names": self._names(visit, outcomes),
            "filters": filters_in(form),
            "rest": form.text("rest"),
            "as_json": _secrets_as_json(self._settings.issuer, outcomes),
        }
        return Shown("credentials/bulk_done.html", values)

    def _would(self, visit: Visit, task: Task, rest: str = "") -> Reply:
        outcomes, after = self._bulk.part(replace(visit.caller, attempt=None), replace(task, dry_run=True))
        form = visit.form
        count, begin = form.number("total") or 0, form.text("begin")
        if after is not None and task.action is not Action.ROTATE and not form.text("rest"):
            count, first = self._bulk.extent(visit.caller, task.selection)
            begin = "" if first is None else cursor_at(first, task.selection.order.value)
        values = {
            "action": task.action.value,
            "outcomes": outcomes,
            "doable": [outcome.client_id for outcome in outcomes if outcome.changes],
            "names": self._names(visit, outcomes[:MOST_SHOWN]),
            "most": MOST_SHOWN,
            "filters": filters_in(form),
            "rest": rest if after is None else cursor_at(after, task.selection.order.value),
            "count_of_all": count,
            "begin": begin,
            "typed": {name: form.text(name) for name in ("reason", "grace_hours")},
        }
        return Shown("credentials/bulk.html", values)

    def _names(self, visit: Visit, outcomes: Sequence[Outcome]) -> dict[str, str]:
        return self._actors.names(visit.caller, [outcome.client_id for outcome in outcomes])


def _chosen(visit: Visit) -> Task:
    """Those that are ticked or, on request, all that match the filters."""
    form, action = visit.form, action_in(visit.form)
    if form.flag("all"):
        filters = filters_in(form)
        if not filters:
            raise InvalidInput([Fault("/all", words.FILTER_FIRST)])
        selection = selection_of(filters, visit.now)
        after = read_page(None, form.text("rest") or None, selection.order.value).after
        return Task(action, None, selection, in_parts=True, after=after)
    named = form.all("client_ids")
    if not named:
        raise InvalidInput([Fault("/client_ids", words.TICK_SOME)])
    if len(named) > MOST_AT_ONCE:
        raise InvalidInput([Fault("/client_ids", words.TICK_FEWER.format(MOST_AT_ONCE))])
    check(BulkChange, {"action": action.value, "client_ids": named})
    return Task(action, tuple(named), Selection())


def filters_in(form: Form) -> dict[str, str]:
    return {name: form.text(name) for name in FILTERS if name != "sort" and form.text(name)}


def action_in(form: Form) -> Action:
    try:
        return Action(form.text("action"))
    except ValueError:
        raise InvalidInput([Fault("/action", words.CHOOSE_WHAT_TO_DO)]) from None


def _secrets_as_json(issuer: str, outcomes: Sequence[Outcome]) -> str:
    made = [(outcome.client_id, outcome.made) for outcome in outcomes if outcome.made is not None]
    told = [{"issuer": issuer, "client_id": client_id, "client_secret": new.secret.reveal()} for client_id, new in made]
    return json.dumps(told, indent=2) + "\n" if told else ""

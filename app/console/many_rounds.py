"""One change of all that match, however many: a thousand in each round, and every page says how far it has come.

A round is one transaction, and one page that sends itself on to the next; without script, a button does. So no request
takes longer than a round, nobody else waits longer for the database, and whoever stops, or loses the connection, has
seen what is done: the rest is as it was. It is confirmed once, with their number. It goes on behind the place of the
last one that was looked at, from the newest to the oldest, so that none is looked at twice and none that is made
meanwhile is drawn in. Those to which it cannot be done are left out, counted, and the first of them named.

Rotations do not go on by themselves: each round's secrets are shown this once, and stored by somebody.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from app.console import words
from app.console.credentials import selection_of
from app.console.forms import Form
from app.console.many_credentials import action_in, filters_in
from app.console.page import Again, Page, Pages, Reply, Shown, Visit
from app.inputs.bodies import BulkChange
from app.inputs.checking import check
from app.inputs.paging import cursor_at, read_page
from app.services.admission import Wanted
from app.services.bulk import Action, Bulk, Outcome, Task
from tokenserver.domain.secret import looks_like_client_id
from tokenserver.errors import Fault, InvalidInput, TokenServerError

MOST_NAMED = 50
"""Of those that are left out."""
_WRITE = Wanted("credentials:write")


@dataclass(frozen=True, slots=True)
class Progress:
    """How many were confirmed, changed, left as they were, and looked at; and who was refused, with the code of why."""

    total: int
    changed: int = 0
    left: int = 0
    seen: int = 0
    refused: tuple[tuple[str, str], ...] = ()

    def with_round(self, outcomes: list[Outcome]) -> Progress:
        changed = sum(outcome.changes for outcome in outcomes)
        refused = [(outcome.client_id, outcome.refusal) for outcome in outcomes if outcome.refusal is not None]
        return Progress(
            self.total,
            self.changed + changed,
            self.left + len(outcomes) - changed,
            self.seen + len(outcomes),
            (*self.refused, *refused)[:MOST_NAMED],
        )


class ManyRoundsPages:
    def __init__(self, bulk: Bulk, confirming: Again) -> None:
        """`confirming` is the page on which it is confirmed."""
        self._bulk = bulk
        self._confirming = confirming

    def pages(self) -> Pages:
        page = Page(
            name="apply_bulk_to_all",
            method="POST",
            path="/credentials/bulk/all",
            handler=self.round,
            again=self.stopped,
            fresh=True,
            wants=_WRITE,
        )
        return (page,)

    def round(self, visit: Visit) -> Reply:
        """The next thousand."""
        form, progress = visit.form, _progress(visit.form)
        task = _task(visit)
        if task.action is Action.REVOKE and form.number("confirmed") != progress.total:
            raise InvalidInput([Fault("/confirmed", words.TYPE_THEIR_NUMBER_FOR_ALL.format(progress.total))])
        outcomes, after = self._bulk.part(visit.caller, task)
        rest = "" if after is None else cursor_at(after, task.selection.order.value)
        return _shown(form, progress.with_round(outcomes), rest)

    def stopped(self, visit: Visit, fault: TokenServerError) -> Reply:
        """Refused: what is done stays told, and it can be tried again from there; where nothing is, confirmed anew."""
        if visit.form.text("begin") or visit.form.text("action") not in words.BULK:
            return self._confirming(visit, fault)
        return _shown(visit.form, _progress(visit.form), visit.form.text("rest"))


def _task(visit: Visit) -> Task:
    form, action, filters = visit.form, action_in(visit.form), filters_in(visit.form)
    if action is Action.ROTATE:
        raise InvalidInput([Fault("/action", words.CHOOSE_WHAT_TO_DO)])
    if not filters:
        raise InvalidInput([Fault("/all", words.FILTER_FIRST)])
    selection = selection_of(filters, visit.now)
    after = read_page(None, form.text("begin") or form.text("rest") or None, selection.order.value).after
    body = {"action": action.value, "filter": {"environment": "any"}, "reason": form.text("reason")}
    asked = check(BulkChange, body)  # what is selected is read as the list reads it
    return Task(action, None, selection, asked.reason, in_parts=True, leaves_out=True, after=after)


def _progress(form: Form) -> Progress:
    total, changed, left, seen = (form.number(name) or 0 for name in ("total", "changed", "left", "seen"))
    pairs = [one.partition(" ")[::2] for one in form.all("refused")[:MOST_NAMED]]
    refused = tuple((client_id, code) for client_id, code in pairs if looks_like_client_id(client_id))
    return replace(Progress(total), changed=changed, left=left, seen=seen, refused=refused)


def _shown(form: Form, progress: Progress, rest: str) -> Shown:
    values: dict[str, Any] = {name: getattr(progress, name) for name in Progress.__slots__}
    about = {"action": form.text("action"), "reason": form.text("reason"), "filters": filters_in(form), "rest": rest}
    return Shown("credentials/bulk_rounds.html", {**values, **about})

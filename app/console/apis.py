"""The pages of APIs and their scopes. Whoever changes scopes sees first which credentials gain or lose by it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from app.console import words
from app.console.editing import MOST_NAMED, listed, meanwhile, refuse_other_name, version_of
from app.console.forms import Form
from app.console.page import Page, Pages, Reply, Sent, Shown, Visit, form_pages
from app.console.scope_rows import Row, ScopeRows
from app.inputs.bodies import ApiChange, ApiCreation
from app.inputs.catalogue import changed, scopes_of
from app.inputs.checking import check
from app.services.admission import Wanted
from app.services.catalogue import ApiDraft, BelongsToTheServer, CatalogueService, Gain, StillHeld
from tokenserver.domain.catalogue import Api
from tokenserver.domain.names import ADMIN_AUDIENCE
from tokenserver.errors import Conflict, InvalidInput, PreconditionFailed, TokenServerError

_READ, _WRITE = Wanted("apis:read"), Wanted("apis:write")
_ONE = "/apis/<api_id>"
_HELD = words.SCOPES_HELD


class ApiPages:
    def __init__(self, catalogue: CatalogueService) -> None:
        self._catalogue = catalogue

    def pages(self) -> Pages:
        return (
            Page(name="apis", path="/apis", handler=self.list, wants=_READ),
            *form_pages("create_api", "/apis/new", show=self.new, do=self.create, again=self.new_again, wants=_WRITE),
            Page(name="api", path=_ONE, handler=self.one, wants=_READ),
            *form_pages(
                "change_api",
                f"{_ONE}/edit",
                show=self.edit,
                do=self.change,
                again=self.edit_again,
                fresh=True,
                wants=_WRITE,
            ),
            *form_pages(
                "delete_api",
                f"{_ONE}/delete",
                show=self.delete_asked,
                do=self.delete,
                again=self.delete_again,
                fresh=True,
                wants=_WRITE,
            ),
        )

    def list(self, visit: Visit) -> Reply:
        apis, cursor = listed(visit, partial(self._catalogue.list_apis, visit.caller), lambda a: (a.created_at, a.id))
        return Shown("apis/list.html", {"apis": apis, "cursor": cursor, "own": ADMIN_AUDIENCE})

    def one(self, visit: Visit) -> Reply:
        api = self._catalogue.get_api(visit.caller, visit.id)
        return Shown("apis/one.html", {"api": api, "is_own": api.audience == ADMIN_AUDIENCE})

    # --- a new one ---

    def new(self, _: Visit) -> Reply:
        return Shown("apis/new.html", {"typed": {}, "rows": ScopeRows((Row(),))})

    def new_again(self, visit: Visit, fault: TokenServerError) -> Reply:
        rows = ScopeRows.typed(visit.form)
        return Shown("apis/new.html", {"typed": _typed(visit.form), "rows": rows, **_row_faults(rows, fault)})

    def create(self, visit: Visit) -> Reply:
        form, rows = visit.form, ScopeRows.typed(visit.form)
        if form.text("do", "save") != "save":
            return Shown("apis/new.html", {"typed": _typed(form), "rows": rows.pressed(form.text("do"))})
        body = {"audience": form.text("audience"), "name": form.text("name"), "scopes": rows.body()}
        asked = check(ApiCreation, body)
        made = self._catalogue.create_api(visit.caller, ApiDraft(asked.audience, asked.name, scopes_of(asked.scopes)))
        return Sent(f"/apis/{made.id}", "created")

    # --- a change, and whom it concerns ---

    def edit(self, visit: Visit) -> Reply:
        api = self._changeable(visit)
        values = {"typed": {"name": api.name}, "rows": ScopeRows.of(api.scopes), "effects": []}
        return Shown("apis/edit.html", {"api": api, "version": api.version, "saved": {}, **values})

    def edit_again(self, visit: Visit, fault: TokenServerError) -> Reply:
        api = self._changeable(visit)
        rows, typed = ScopeRows.typed(visit.form), _typed(visit.form)
        if isinstance(fault, StillHeld):
            shown = self._previewed(visit, api, self._effects(visit, _edit(visit.form, rows)))
            return Shown(shown.template, {**shown.values, "fault": Conflict(_HELD), "faults": {"cascade": _HELD}})
        theirs = {"name": api.name, "scopes": _scopes_told(ScopeRows.of(api.scopes))}
        mine = {"name": typed["name"], "scopes": _scopes_told(rows)}
        values = {"typed": typed, "rows": rows, "effects": [], **_row_faults(rows, fault)}
        return Shown("apis/edit.html", {"api": api, "version": api.version, **values, **meanwhile(fault, theirs, mine)})

    def change(self, visit: Visit) -> Reply:
        form, rows = visit.form, ScopeRows.typed(visit.form)
        api = self._changeable(visit)
        button = form.text("do", "save")
        if button != "save":
            return self._rows_shown(visit, api, rows.pressed(button))
        if api.version != version_of(form):
            raise PreconditionFailed
        edit = _edit(form, rows)
        effects = self._effects(visit, edit)
        if effects and form.text("seen") != _digest(effects):
            return self._previewed(visit, api, effects)
        self._catalogue.update_api(visit.caller, api.id, version_of(form), edit, cascade=form.flag("cascade"))
        return Sent(f"/apis/{api.id}", "saved")

    def _rows_shown(self, visit: Visit, api: Api, rows: ScopeRows) -> Shown:
        """The form after a button of its rows. What is faulty is said when it is saved."""
        try:
            effects: Sequence[Gain] = self._effects(visit, _edit(visit.form, rows))
        except InvalidInput:
            effects = []
        values = {"typed": _typed(visit.form), "rows": rows, "effects": effects[:MOST_NAMED], "count": len(effects)}
        version = visit.form.number("version")
        return Shown("apis/edit.html", {"api": api, "version": version, "saved": {}, **values})

    def _effects(self, visit: Visit, edit: Callable[[Api], Api]) -> Sequence[Gain]:
        return self._catalogue.preview_api(visit.caller, visit.id, edit)

    def _changeable(self, visit: Visit) -> Api:
        api = self._catalogue.get_api(visit.caller, visit.id)
        if api.audience == ADMIN_AUDIENCE:
            raise BelongsToTheServer
        return api

    @staticmethod
    def _previewed(visit: Visit, api: Api, effects: Sequence[Gain]) -> Shown:
        own = {"do", "seen", "cascade", "version"}
        values = {
            "api": api,
            "effects": effects[:MOST_NAMED],
            "count": len(effects),
            "losing": sum(1 for effect in effects if effect.loses),
            "gaining": sum(1 for effect in effects if effect.gains),
            "seen": _digest(effects),
            "version": visit.form.text("version"),
            "kept": [(name, value) for name, value in visit.form.to_keep() if name not in own],
        }
        return Shown("apis/preview.html", values)

    # --- its end ---

    def delete_asked(self, visit: Visit) -> Shown:
        api = self._changeable(visit)
        holders = self._catalogue.holders_of_api(visit.caller, api.id)
        return Shown("apis/delete.html", {"api": api, "holders": holders[:MOST_NAMED], "count": len(holders)})

    def delete_again(self, visit: Visit, fault: TokenServerError) -> Reply:
        shown = self.delete_asked(visit)
        if isinstance(fault, StillHeld):
            return Shown(shown.template, {**shown.values, "fault": Conflict(_HELD), "faults": {"cascade": _HELD}})
        return shown

    def delete(self, visit: Visit) -> Reply:
        api = self._changeable(visit)
        refuse_other_name(visit.form, api.audience)
        form = visit.form
        self._catalogue.delete_api(visit.caller, api.id, version_of(form), cascade=form.flag("cascade"))
        return Sent("/apis", "deleted")


def _edit(form: Form, rows: ScopeRows) -> Callable[[Api], Api]:
    change = check(ApiChange, {"name": form.text("name"), "scopes": rows.body()})
    return lambda api: changed(api, change)


def _typed(form: Form) -> dict[str, str]:
    return {name: form.text(name) for name in ("audience", "name")}


def _row_faults(rows: ScopeRows, fault: TokenServerError) -> dict[str, Any]:
    return {"faults": rows.faults(fault)} if isinstance(fault, InvalidInput) else {}


def _scopes_told(rows: ScopeRows) -> str:
    """In words, for who compares."""
    told = [f"{row.name} ({row.access}{', sensitive' if row.sensitive else ''})" for row in rows.rows if row.name]
    return ", ".join(told) or "none"


def _digest(effects: Sequence[Gain]) -> str:
    """Of what somebody has seen before they agreed to it."""
    told = [(one.credential.client_id, sorted(one.gains), sorted(one.loses)) for one in effects]
    return hashlib.sha256(repr(told).encode()).hexdigest()

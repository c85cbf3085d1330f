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
from app.console.sharing import Sharing, refuse_others
from app.inputs.bodies import ApiChange, ApiCreation
from app.inputs.catalogue import changed, scopes_of
from app.inputs.checking import check
from app.services.admission import Wanted
from app.services.catalogue import ApiDraft, BelongsToTheServer, CatalogueService, Gain, StillHeld
from tokenserver.domain.catalogue import Api
from tokenserver.domain.names import ADMIN_AUDIENCE
from tokenserver.domain.operators import WRITE_ALL
from tokenserver.errors import Conflict, InvalidInput, PreconditionFailed, TokenServerError

_READ, _WRITE = Wanted("apis:read"), Wanted("apis:write")
_ONE = "/apis/<api_id>"
_HELD = words.SCOPES_HELD


class ApiPages:
    def __init__(self, catalogue: CatalogueService, sharing: Sharing) -> None:
        self._catalogue = catalogue
        self._sharing = sharing

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
        values = {"api": api, "is_own": api.audience == ADMIN_AUDIENCE, **self._sharing.shown(visit, api)}
        return Shown("apis/one.html", values)

    # --- a new one ---

    def new(self, _: Visit) -> Reply:
        return Shown("apis/new.html", {"typed": {}, "rows": ScopeRows((Row(),))})

    def new_again(self, visit: Visit, fault: TokenServerError) -> Reply:
        rows = ScopeRows.typed(visit.form)
        lacks = {"fault": Conflict(words.LACKS_WHAT_IS_SHARED)} if isinstance(fault, StillHeld) else {}
        return Shown("apis/new.html", {"typed": _typed(visit.form), "rows": rows, **lacks, **_row_faults(rows, fault)})

    def create(self, visit: Visit) -> Reply:
        form, rows = visit.form, ScopeRows.typed(visit.form)
        if form.text("do", "save") != "save":
            return Shown("apis/new.html", {"typed": _typed(form), "rows": rows.pressed(form.text("do"))})
        body = {"audience": form.text("audience"), "name": form.text("name"), "scopes": rows.body()}
        asked = check(ApiCreation, {**body, "shared": form.flag("shared")})
        draft = ApiDraft(asked.audience, asked.name, scopes_of(asked.scopes), asked.shared)
        made = self._catalogue.create_api(visit.caller, draft)
        return Sent(f"/apis/{made.id}", "created")

    # --- a change, and whom it concerns ---

    def edit(self, visit: Visit) -> Reply:
        api = self._changeable(visit)
        typed = {"name": api.name, "shared": _yes(api.shared)}
        values = {"typed": typed, "rows": ScopeRows.of(api.scopes), **self._affected(visit, [])}
        return Shown("apis/edit.html", {"api": api, "version": api.version, "saved": {}, **values})

    def edit_again(self, visit: Visit, fault: TokenServerError) -> Reply:
        api = self._changeable(visit)
        rows, typed = ScopeRows.typed(visit.form), _typed(visit.form)
        if isinstance(fault, StillHeld):
            shown = self._previewed(visit, api, self._effects(visit, _edit(visit, rows)))
            return Shown(shown.template, {**shown.values, "fault": Conflict(_HELD), "faults": {"cascade": _HELD}})
        theirs = _told(api.name, ScopeRows.of(api.scopes), shared=api.shared)
        mine = _told(typed["name"], rows, shared=visit.form.flag("shared"))
        values = {"typed": typed, "rows": rows, **self._affected(visit, []), **_row_faults(rows, fault)}
        return Shown("apis/edit.html", {"api": api, "version": api.version, **values, **meanwhile(fault, theirs, mine)})

    def change(self, visit: Visit) -> Reply:
        form, rows = visit.form, ScopeRows.typed(visit.form)
        api = self._changeable(visit)
        button = form.text("do", "save")
        if button != "save":
            return self._rows_shown(visit, api, rows.pressed(button))
        if api.version != version_of(form):
            raise PreconditionFailed
        edit = _edit(visit, rows)
        effects = self._effects(visit, edit)
        if effects and form.text("seen") != _digest(effects):
            return self._previewed(visit, api, effects)
        self._catalogue.update_api(visit.caller, api.id, version_of(form), edit, cascade=form.flag("cascade"))
        return Sent(f"/apis/{api.id}", "saved")

    def _rows_shown(self, visit: Visit, api: Api, rows: ScopeRows) -> Shown:
        """The form after a button of its rows. What is faulty is said when it is saved."""
        try:
            effects: Sequence[Gain] = self._effects(visit, _edit(visit, rows))
        except InvalidInput:
            effects = []
        values = {"typed": _typed(visit.form), "rows": rows, **self._affected(visit, effects)}
        version = visit.form.number("version")
        return Shown("apis/edit.html", {"api": api, "version": version, "saved": {}, **values})

    def _effects(self, visit: Visit, edit: Callable[[Api], Api]) -> Sequence[Gain]:
        return self._catalogue.preview_api(visit.caller, visit.id, edit)

    def _changeable(self, visit: Visit) -> Api:
        api = self._catalogue.get_api(visit.caller, visit.id)
        if api.audience == ADMIN_AUDIENCE:
            raise BelongsToTheServer
        refuse_others(visit, api)
        return api

    def _affected(self, visit: Visit, effects: Sequence[Gain]) -> dict[str, Any]:
        """The first of the credentials that gain or lose, and how many there are."""
        first = effects[:MOST_NAMED]
        elsewhere = self._sharing.elsewhere(visit, (effect.credential for effect in first))
        return {"effects": first, "count": len(effects), "elsewhere": elsewhere}

    def _previewed(self, visit: Visit, api: Api, effects: Sequence[Gain]) -> Shown:
        own = {"do", "seen", "cascade", "version"}
        values = {
            "api": api,
            **self._affected(visit, effects),
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
        behind = self._catalogue.api_behind(api)
        if behind is None:
            losers = self._catalogue.holders_of_api(visit.caller, api.id)
        else:
            losers = [one.credential for one in self._effects(visit, lambda _: behind) if one.loses]
        return Shown("apis/delete.html", {"api": api, "behind": behind, **self._sharing.named(visit, losers)})

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


def _edit(visit: Visit, rows: ScopeRows) -> Callable[[Api], Api]:
    """The box that shares it is there for platform admins only: of others, its absence says nothing."""
    form = visit.form
    sharing = {"shared": form.flag("shared")} if visit.viewer.may(WRITE_ALL) else {}
    change = check(ApiChange, {"name": form.text("name"), "scopes": rows.body(), **sharing})
    return lambda api: changed(api, change)


def _typed(form: Form) -> dict[str, str]:
    return {name: form.text(name) for name in ("audience", "name", "shared")}


def _yes(flag: bool) -> str:  # noqa: FBT001  as a box that is ticked says it
    return "yes" if flag else ""


def _told(name: str, rows: ScopeRows, *, shared: bool) -> dict[str, str]:
    """For who compares."""
    return {"name": name, "scopes": _scopes_told(rows), "shared": words.SHARED if shared else words.NOT_SHARED}


def _row_faults(rows: ScopeRows, fault: TokenServerError) -> dict[str, Any]:
    return {"faults": rows.faults(fault)} if isinstance(fault, InvalidInput) else {}


def _scopes_told(rows: ScopeRows) -> str:
    told = [f"{row.name} ({row.access}{', sensitive' if row.sensitive else ''})" for row in rows.rows if row.name]
    return ", ".join(told) or "none"


def _digest(effects: Sequence[Gain]) -> str:
    """Of what somebody has seen before they agreed to it."""
    told = [(one.credential.client_id, sorted(one.gains), sorted(one.loses)) for one in effects]
    return hashlib.sha256(repr(told).encode()).hexdigest()

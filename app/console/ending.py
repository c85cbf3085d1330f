"""How is a credential ended, for a while or for good? The danger zone, and a page that asks once more for each deed.

Finishing and cancelling a rotation are such deeds as well: each ends a secret and its tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from app.console.changing import PATH, afterwards
from app.console.credentials import WRITE
from app.console.editing import refuse_other_name, version_of
from app.console.forms import Form
from app.console.page import Page, Pages, Reply, Sent, Shown, Visit, form_pages
from app.inputs.bodies import Revocation
from app.inputs.checking import check
from app.services.audit import Caller
from app.services.credentials import Credentials, CredentialView

Change = Callable[[Credentials, Caller, str, Form], CredentialView | None]
"""What is done; None where nothing is left to look at."""


@dataclass(frozen=True, slots=True)
class Deed:
    """`path` is below the credential's, and where `notice` is what it is called once it is done. `is_open`: whether
    there is anything to do. `by_name`: whether the name must be typed.
    """

    name: str
    path: str
    notice: str
    change: Change
    is_open: Callable[[CredentialView], bool]
    by_name: bool = False


def _delete(credentials: Credentials, caller: Caller, client_id: str, form: Form) -> None:
    credentials.delete(caller, client_id, version_of(form))


def _revoke(credentials: Credentials, caller: Caller, client_id: str, form: Form) -> CredentialView:
    asked = check(Revocation, {"reason": form.text("reason")})
    return credentials.revoke(caller, client_id, asked.reason, version_of(form))


def _is_disabled(view: CredentialView) -> bool:
    return view.credential.disabled_at is not None


def _can_change(view: CredentialView) -> bool:
    return view.credential.revoked_at is None and not view.credential.has_expired(view.now)


def _in_grace(view: CredentialView) -> bool:
    return _can_change(view) and view.credential.generation.in_grace(view.now)


DEEDS = (
    Deed(
        name="disable",
        path="/disable",
        notice="disabled",
        change=lambda all_, caller, client_id, form: all_.disable(caller, client_id, version_of(form)),
        is_open=lambda view: _can_change(view) and not _is_disabled(view),
    ),
    Deed(
        name="enable",
        path="/enable",
        notice="enabled",
        change=lambda all_, caller, client_id, form: all_.enable(caller, client_id, version_of(form)),
        is_open=lambda view: _can_change(view) and _is_disabled(view),
    ),
    Deed(
        name="revoke",
        path="/revoke",
        notice="revoked",
        change=_revoke,
        is_open=lambda view: view.credential.revoked_at is None,
        by_name=True,
    ),
    Deed(
        name="delete", path="/delete", notice="credential_deleted", change=_delete, is_open=lambda _: True, by_name=True
    ),
    Deed(
        name="finish",
        path="/rotation/finish",
        notice="rotation_finished",
        change=lambda all_, caller, client_id, form: all_.finish_rotation(caller, client_id, version_of(form)),
        is_open=_in_grace,
    ),
    Deed(
        name="cancel",
        path="/rotation/cancel",
        notice="rotation_cancelled",
        change=lambda all_, caller, client_id, form: all_.cancel_rotation(caller, client_id, version_of(form)),
        is_open=lambda view: _in_grace(view) or (_can_change(view) and view.credential.waiting is not None),
    ),
)


class EndingPages:
    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def pages(self) -> Pages:
        zone = Page(name="danger_zone", path=f"{PATH}/end", handler=self.zone, wants=WRITE)
        return (zone, *(page for deed in DEEDS for page in self._of(deed)))

    def zone(self, visit: Visit) -> Reply:
        view = self._credentials.get(visit.caller, visit.id)
        return Shown(
            "credentials/end.html", {"view": view, "open": {deed.name for deed in DEEDS if deed.is_open(view)}}
        )

    def ask(self, deed: Deed, visit: Visit) -> Reply:
        view = self._credentials.get(visit.caller, visit.id)
        values = {
            "view": view,
            "deed": deed,
            "is_open": deed.is_open(view),
            "old": view.retiring,
            "reason": visit.form.text("reason"),
        }
        return Shown(f"credentials/{deed.name}.html", values)

    def do(self, deed: Deed, visit: Visit) -> Reply:
        if deed.by_name:
            refuse_other_name(visit.form, self._credentials.get(visit.caller, visit.id).credential.name)
        view = deed.change(self._credentials, visit.caller, visit.id, visit.form)
        return Sent("/credentials", deed.notice) if view is None else afterwards(view, deed.notice)

    def _of(self, deed: Deed) -> Pages:
        ask, do = partial(self.ask, deed), partial(self.do, deed)
        return form_pages(deed.name, PATH + deed.path, show=ask, do=do, fresh=True, wants=WRITE)

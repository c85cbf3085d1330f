"""How do people sign in elsewhere? They are sent to the provider, and come back with what it says of them.

What was typed before somebody had to sign in goes with them, sealed, in a cookie (`kept_forms`). A form cannot be sent
on to another site (`form-action`), so that such a one is answered by a page that leads there.
"""

from __future__ import annotations

from app.console.door import LEAVE, RETURN, way
from app.console.forms import KEPT
from app.console.page import Left, Page, Pages, Reply, Shown, Visit
from app.console.proving import ProvingPages
from app.services.single_sign_on import SingleSignOn
from tokenserver.errors import TokenServerError


class SingleSignOnPages:
    """`single_sign_on` None: no provider is set, and there are no such pages."""

    def __init__(self, single_sign_on: SingleSignOn | None, proving: ProvingPages) -> None:
        self._single_sign_on = single_sign_on
        self._proving = proving

    def pages(self) -> Pages:
        if self._single_sign_on is None:
            return ()
        return _pages(self._single_sign_on, self._proving)


def _pages(single_sign_on: SingleSignOn, proving: ProvingPages) -> Pages:
    def leave(visit: Visit) -> Reply:
        asked = visit.query
        leaving = single_sign_on.begin(way(asked.get("to", "")), again=asked.get("again") == "1")
        return Left(leaving.url, leaving.cookie)

    def leave_keeping(visit: Visit) -> Reply:
        form = visit.form
        leaving = single_sign_on.begin(way(form.text("to")), form.text(KEPT), again=form.flag("again"))
        return Left(leaving.url, leaving.cookie, by_link=True)

    def stay(visit: Visit, _: TokenServerError) -> Reply:
        to, kept = way(visit.form.text("to")), visit.form.text(KEPT)
        if visit.signed_in is not None:
            return proving.asking(visit, to, kept)
        return Shown("sign_in.html", {"to": to, "kept": kept})

    def arrive(visit: Visit) -> Reply:
        viewer = None if visit.signed_in is None else visit.signed_in[0]
        arrived = single_sign_on.finish(visit.away, visit.query, visit.visitor, viewer)
        opened = arrived.opened
        stayed = viewer is not None and viewer.operator.id == opened.operator_id
        return proving.go_on(opened.token, opened.operator_id, way(arrived.then), arrived.kept, by_itself=stayed)

    def not_arrived(_: Visit, __: TokenServerError) -> Reply:
        return Shown("sign_in.html", {"to": "/", "kept": ""})

    return (
        Page(name="leave", path=LEAVE, handler=leave, open=True),
        Page(name="leave_keeping", method="POST", path=LEAVE, handler=leave_keeping, again=stay, open=True),
        Page(name="return", path=RETURN, handler=arrive, again=not_arrived, open=True),
    )

"""The pages before all others: signing in and out, and the link for a first password."""

from __future__ import annotations

from app.console import words
from app.console.door import SIGN_IN, way
from app.console.forms import KEPT
from app.console.page import Page, Pages, Reply, Sent, Shown, Visit
from app.console.proving import ProvingPages, answered, asked
from app.services.invitations import Invitations
from app.services.passkeys import Passkeys
from app.services.sessions import Sessions
from app.services.signing_in import Opened, SigningIn
from tokenserver.errors import Fault, InvalidInput, TokenServerError


class SigningInPages:
    def __init__(
        self,
        signing_in: SigningIn,
        invitations: Invitations,
        sessions: Sessions,
        passkeys: Passkeys,
        proving: ProvingPages,
    ) -> None:
        self._signing_in = signing_in
        self._invitations = invitations
        self._sessions = sessions
        self._passkeys = passkeys
        self._proving = proving

    def pages(self) -> Pages:
        return (
            Page(name="sign_in", path=SIGN_IN, handler=self.sign_in, open=True),
            Page(
                name="signed_in",
                method="POST",
                path=SIGN_IN,
                handler=self.signed_in,
                again=self.sign_in_again,
                open=True,
            ),
            Page(name="passkey_asked", path=f"{SIGN_IN}/passkey", handler=self.passkey_asked, open=True),
            Page(
                name="signed_in_by_passkey",
                method="POST",
                path=f"{SIGN_IN}/passkey",
                handler=self.signed_in_by_passkey,
                again=self.sign_in_again,
                open=True,
            ),
            Page(name="sign_out", method="POST", path="/sign-out", handler=self.sign_out, also_suspended=True),
            Page(name="switch", method="POST", path="/organization", handler=self.switch, also_suspended=True),
            Page(name="set_up", path="/set-up/<token>", handler=self.set_up, open=True),
            Page(
                name="set_up_done",
                method="POST",
                path="/set-up/<token>",
                handler=self.set_up_done,
                again=self.set_up_again,
                open=True,
            ),
        )

    def sign_in(self, visit: Visit) -> Reply:
        to = way(visit.query.get("to", ""))
        if visit.signed_in is not None:
            return Sent(to)
        return Shown("sign_in.html", {"to": to, "kept": ""})

    def passkey_asked(self, _: Visit) -> Reply:
        return asked(self._passkeys.ask())

    def signed_in_by_passkey(self, visit: Visit) -> Reply:
        return self._let_in(visit, self._signing_in.by_passkey(*answered(visit), visit.visitor))

    def signed_in(self, visit: Visit) -> Reply:
        form = visit.form
        opened = self._signing_in.by_password(form.text("email"), form.exactly("password"), visit.visitor)
        return self._let_in(visit, opened)

    def sign_in_again(self, visit: Visit, _: TokenServerError) -> Reply:
        form = visit.form
        return Shown(
            "sign_in.html", {"to": way(form.text("to")), "kept": form.text(KEPT), "email": form.text("email")[:254]}
        )

    def sign_out(self, visit: Visit) -> Reply:
        self._sessions.sign_out(visit.viewer)
        return Sent(SIGN_IN, "signed_out", cookie="")

    def switch(self, visit: Visit) -> Reply:
        self._sessions.switch(visit.viewer, visit.form.text("organization"))
        return Sent("/")

    def set_up(self, visit: Visit) -> Reply:
        return Shown("set_up.html", {"operator": self._invitations.invited(visit.id)})

    def set_up_done(self, visit: Visit) -> Reply:
        form = visit.form
        if form.exactly("password") != form.exactly("repeated"):
            raise InvalidInput([Fault("/repeated", words.NOT_THE_SAME)])
        return self._let_in(visit, self._invitations.accept(visit.id, form.exactly("password"), visit.visitor))

    def set_up_again(self, visit: Visit, fault: TokenServerError) -> Reply:
        if not isinstance(fault, InvalidInput):
            raise fault
        return self.set_up(visit)

    def _let_in(self, visit: Visit, opened: Opened) -> Reply:
        if opened.awaits is not None:
            return self._proving.begin_second_step(visit, opened.token)
        form = visit.form
        return self._proving.go_on(opened.token, opened.operator_id, way(form.text("to")), form.text(KEPT))

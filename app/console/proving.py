"""The pages that ask who it is once more: for the second factor after a password, and before what must not be done by
somebody who found the screen unlocked.
"""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import quote

from app.console import words
from app.console.door import PROVE, SECOND_STEP, way
from app.console.forms import KEPT
from app.console.page import Attached, Page, Pages, Reply, Sent, Shown, Visit
from app.services.kept_forms import KeptForms
from app.services.passkeys import Asked, Passkeys
from app.services.proving_again import ProvingAgain
from app.services.sessions import SECOND_FACTOR, Sessions, Viewer
from tokenserver.errors import InvalidRequest, TokenServerError


class ProvingPages:
    def __init__(
        self, proving_again: ProvingAgain, passkeys: Passkeys, sessions: Sessions, kept_forms: KeptForms
    ) -> None:
        self._proving_again = proving_again
        self._passkeys = passkeys
        self._sessions = sessions
        self._kept_forms = kept_forms

    def pages(self) -> Pages:
        return (
            Page(name="second_step", path=SECOND_STEP, handler=self.second_step, open=True),
            Page(
                name="second_step_done",
                method="POST",
                path=SECOND_STEP,
                handler=self.second_step_done,
                again=self.second_step_again,
                open=True,
            ),
            Page(name="second_passkey", path=f"{SECOND_STEP}/passkey", handler=self.second_passkey, open=True),
            Page(name="prove", path=PROVE, handler=self.prove, also_suspended=True),
            Page(
                name="proven",
                method="POST",
                path=PROVE,
                handler=self.proven,
                again=self.prove_again,
                also_suspended=True,
            ),
            Page(name="prove_passkey", path=f"{PROVE}/passkey", handler=self.prove_passkey, also_suspended=True),
        )

    # --- the second factor ---

    def second_step(self, visit: Visit) -> Reply:
        to = way(visit.query.get("to", ""))
        return Sent(to) if visit.signed_in is not None else self._second(visit, to, "")

    def begin_second_step(self, visit: Visit, cookie: str) -> Reply:
        """After the password: with what had been typed, which no redirect can carry."""
        to, kept = way(visit.form.text("to")), visit.form.text(KEPT)
        if kept:
            return replace(self._second(replace(visit, token=cookie), to, kept), cookie=cookie)
        return Sent(SECOND_STEP if to == "/" else f"{SECOND_STEP}?to={quote(to, safe='')}", cookie=cookie)

    def second_step_done(self, visit: Visit) -> Reply:
        someone = self._half_open(visit)
        return self.go_on(self._proof(someone, visit), someone.operator.id, *_way_on(visit))

    def second_step_again(self, visit: Visit, _: TokenServerError) -> Reply:
        return self._second(visit, *_way_on(visit))

    def second_passkey(self, visit: Visit) -> Reply:
        return asked(self._passkeys.ask(self._half_open(visit)))

    def _second(self, visit: Visit, to: str, kept: str) -> Shown:
        someone = self._half_open(visit)
        means = self._proving_again.means(someone)
        values = {"to": to, "kept": kept, "means": means, "someone": someone.operator, "tried": visit.form.text("by")}
        return Shown("second_step.html", values)

    def _half_open(self, visit: Visit) -> Viewer:
        return self._sessions.viewer(visit.token, visit.visitor, awaiting=SECOND_FACTOR, also_suspended=True)

    # --- once more ---

    def asking(self, visit: Visit, to: str, kept: str) -> Shown:
        means = self._proving_again.means(visit.viewer)
        return Shown("prove.html", {"to": to, "kept": kept, "means": means, "tried": visit.form.text("by")})

    def prove(self, visit: Visit) -> Reply:
        return self.asking(visit, way(visit.query.get("to", "")), "")

    def proven(self, visit: Visit) -> Reply:
        token = self._proof(visit.viewer, visit)
        return self.go_on(token, visit.viewer.operator.id, *_way_on(visit), by_itself=True)

    def prove_again(self, visit: Visit, _: TokenServerError) -> Reply:
        return self.asking(visit, *_way_on(visit))

    def prove_passkey(self, visit: Visit) -> Reply:
        return asked(self._passkeys.ask(visit.viewer))

    # --- afterwards ---

    def go_on(self, cookie: str, operator_id: str, to: str, kept: str, *, by_itself: bool = False) -> Reply:
        """To where this operator was before they were asked who they are, with what they had typed.

        `by_itself`: it is sent at once, where there is script. Only for who was signed in all the while: who comes
        back after a while, to a screen that others may have used, looks first.
        """
        if not kept:
            return Sent(to, cookie=cookie)
        typed = self._kept_forms.open(kept, operator_id)
        if typed is None:
            return Sent("/", "typed_is_gone", cookie=cookie)
        values = {"to": way(typed.path), "fields": typed.fields, "by_itself": by_itself}
        return Shown("go_on.html", values, cookie=cookie)

    def _proof(self, viewer: Viewer, visit: Visit) -> str:
        """What the cookie holds from now on."""
        match visit.form.text("by"):
            case "password":
                return self._proving_again.by_password(viewer, visit.form.exactly("password"))
            case "code":
                return self._proving_again.by_code(viewer, visit.form.text("code"))
            case "recovery_code":
                return self._proving_again.by_recovery_code(viewer, visit.form.text("recovery_code"))
            case "passkey":
                return self._proving_again.by_passkey(viewer, *answered(visit))
            case _:
                raise InvalidRequest(words.NO_PROOF)


def _way_on(visit: Visit) -> tuple[str, str]:
    """Where somebody was before they were asked who they are, and what they had typed, sealed."""
    return way(visit.form.text("to")), visit.form.text(KEPT)


def asked(challenge: Asked) -> Attached:
    """For the script, which hands the options to the browser and sends `sealed` back with the answer."""
    content = {"options": json.loads(challenge.options), "sealed": challenge.sealed}
    return Attached("passkey.json", "application/json", json.dumps(content).encode())


def answered(visit: Visit) -> tuple[str, str]:
    return visit.form.text("sealed"), visit.form.text("answer")

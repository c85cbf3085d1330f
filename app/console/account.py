"""Your account: with what you sign in, and where you are signed in.

What is shown or ended here could let somebody in, or keep you out: all but ending sessions asks for a fresh proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote, urlsplit

from app.console import words
from app.console.agents import browser_of
from app.console.door import PROVE
from app.console.moments import lasting
from app.console.page import Again, Handler, Page, Pages, Reply, Sent, Shown, Visit
from app.console.proving import answered, asked
from app.services.one_time_codes import NothingBegun, OneTimeCodes
from app.services.own_proofs import OwnProofs
from app.services.passkeys import Passkeys
from app.services.recovery_codes import RecoveryCodes
from app.services.sessions import Sessions
from app.settings import Settings
from tokenserver.errors import Fault, InvalidInput, NotFound, TokenServerError

ACCOUNT = "/account"
_CODES, _PASSKEYS, _SESSIONS = f"{ACCOUNT}/codes", f"{ACCOUNT}/passkeys", f"{ACCOUNT}/sessions"
_RECOVERY, _PASSWORD = f"{ACCOUNT}/recovery-codes", f"{ACCOUNT}/password"


class AccountPages:
    def __init__(
        self,
        *,
        own_proofs: OwnProofs,
        one_time_codes: OneTimeCodes,
        recovery_codes: RecoveryCodes,
        passkeys: Passkeys,
        sessions: Sessions,
        settings: Settings,
    ) -> None:
        self._own_proofs = own_proofs
        self._one_time_codes = one_time_codes
        self._recovery_codes = recovery_codes
        self._passkeys = passkeys
        self._sessions = sessions
        self._host = urlsplit(settings.issuer).netloc

    def pages(self) -> Pages:
        """All of them are about a person, whatever has become of the organization that they look at."""
        table = (
            Page(name="account", path=ACCOUNT, handler=self.account),
            Page(name="password", path=_PASSWORD, handler=self.password),
            _doing("password_set", _PASSWORD, self.password_set, self.password_again, fresh=False),
            Page(name="codes", path=_CODES, handler=self.codes, fresh=True),
            _doing("codes_begun", f"{_CODES}/begin", self.codes_begun),
            _doing("codes_confirmed", _CODES, self.codes_confirmed, self.codes_again),
            _doing("codes_off", f"{_CODES}/off", self.codes_off),
            _doing("recovery_codes", _RECOVERY, self.recovery_codes),
            Page(name="passkey_new", path=f"{_PASSKEYS}/new", handler=self.passkey_new, fresh=True),
            Page(name="passkey_offered", path=f"{_PASSKEYS}/offer", handler=self.passkey_offered, fresh=True),
            _doing("passkey_added", f"{_PASSKEYS}/new", self.passkey_added, self.passkey_again),
            Page(name="passkey_name", path=f"{_PASSKEYS}/name", handler=self.passkey_name),
            _doing("passkey_named", f"{_PASSKEYS}/name", self.passkey_named, self.passkey_name_again, fresh=False),
            _doing("passkey_removed", f"{_PASSKEYS}/remove", self.passkey_removed),
            _doing("session_ended", f"{_SESSIONS}/end", self.session_ended, fresh=False),
            _doing("sessions_ended", f"{_SESSIONS}/end-others", self.sessions_ended, fresh=False),
        )
        return tuple(replace(page, also_suspended=True) for page in table)

    def account(self, visit: Visit) -> Reply:
        viewer = visit.viewer
        sessions = [(one, browser_of(one.agent)) for one in self._sessions.list(viewer)]
        proofs = self._own_proofs.list(viewer)
        values = {
            "proofs": proofs,
            "sessions": sessions,
            "no_passkeys": self._passkeys.unavailable,
            "idle": lasting(self._sessions.idle),
            "longest": lasting(self._sessions.longest),
        }
        return Shown("account/account.html", values)

    # --- the password ---

    def password(self, visit: Visit) -> Reply:
        has_one = self._own_proofs.list(visit.viewer).password_set_at is not None
        if not has_one and not self._sessions.is_fresh(visit.viewer):
            return Sent(f"{PROVE}?to={quote(_PASSWORD, safe='')}")
        return Shown("account/password.html", {"has_one": has_one})

    def password_set(self, visit: Visit) -> Reply:
        form = visit.form
        if form.exactly("password") != form.exactly("repeated"):
            raise InvalidInput([Fault("/repeated", words.NOT_THE_SAME)])
        token = self._own_proofs.set_password(visit.viewer, form.exactly("old_password"), form.exactly("password"))
        return Sent(ACCOUNT, "password_set", cookie=token)

    def password_again(self, visit: Visit, _: TokenServerError) -> Reply:
        return self.password(visit)

    # --- one-time codes, and what stands in for them ---

    def codes(self, visit: Visit) -> Reply:
        try:
            return Shown("account/codes.html", {"made": self._one_time_codes.setting_up(visit.viewer)})
        except NothingBegun:
            return Sent(ACCOUNT)

    def codes_begun(self, visit: Visit) -> Reply:
        self._one_time_codes.begin(visit.viewer)
        return Sent(_CODES)

    def codes_confirmed(self, visit: Visit) -> Reply:
        codes = self._one_time_codes.confirm(visit.viewer, visit.form.text("code"))
        return self._shown_once(codes, words.CODES_ON)

    def codes_again(self, visit: Visit, fault: TokenServerError) -> Reply:
        return self.codes(visit) if isinstance(fault, InvalidInput) else Sent(ACCOUNT)

    def codes_off(self, visit: Visit) -> Reply:
        confirmed = self._own_proofs.list(visit.viewer).one_time_codes_since is not None
        self._one_time_codes.disable(visit.viewer)
        return Sent(ACCOUNT, "codes_off" if confirmed else "codes_dropped")

    def recovery_codes(self, visit: Visit) -> Reply:
        return self._shown_once(self._recovery_codes.renew(visit.viewer, visit.caller.attempt), words.CODES_RENEWED)

    def _shown_once(self, codes: Sequence[str], done: str) -> Reply:
        """In the answer itself: nobody can come back to it."""
        if not codes:
            return Sent(ACCOUNT)
        return Shown("account/recovery_codes.html", {"codes": codes, "done": done, "host": self._host}, 201)

    # --- passkeys ---

    def passkey_new(self, _: Visit) -> Reply:
        return Shown("account/passkey.html", {"no_passkeys": self._passkeys.unavailable, "name": ""})

    def passkey_offered(self, visit: Visit) -> Reply:
        return asked(self._passkeys.offer(visit.viewer))

    def passkey_added(self, visit: Visit) -> Reply:
        codes = self._passkeys.add(visit.viewer, *answered(visit), visit.form.text("name"))
        return self._shown_once(codes, words.NOTICES["passkey_added"]) if codes else Sent(ACCOUNT, "passkey_added")

    def passkey_again(self, visit: Visit, _: TokenServerError) -> Reply:
        values = {"no_passkeys": self._passkeys.unavailable, "name": visit.form.text("name")[:100]}
        return Shown("account/passkey.html", values)

    def passkey_name(self, visit: Visit) -> Reply:
        return self._passkey_name(visit, visit.query.get("passkey", ""))

    def passkey_named(self, visit: Visit) -> Reply:
        self._passkeys.rename(visit.viewer, visit.form.text("passkey"), visit.form.text("name"))
        return Sent(ACCOUNT, "passkey_named")

    def passkey_name_again(self, visit: Visit, _: TokenServerError) -> Reply:
        return self._passkey_name(visit, visit.form.text("passkey"), visit.form.text("name")[:100])

    def _passkey_name(self, visit: Visit, passkey_id: str, typed: str | None = None) -> Reply:
        theirs = {one.id: one for one in self._passkeys.list(visit.viewer)}
        if passkey_id not in theirs:
            raise NotFound
        passkey = theirs[passkey_id]
        return Shown(
            "account/passkey_name.html", {"passkey": passkey, "name": passkey.name if typed is None else typed}
        )

    def passkey_removed(self, visit: Visit) -> Reply:
        self._passkeys.remove(visit.viewer, visit.form.text("passkey"))
        return Sent(ACCOUNT, "passkey_removed")

    # --- sessions ---

    def session_ended(self, visit: Visit) -> Reply:
        self._sessions.end(visit.viewer, visit.form.text("session"))
        return Sent(ACCOUNT, "session_ended")

    def sessions_ended(self, visit: Visit) -> Reply:
        self._sessions.end_others(visit.viewer)
        return Sent(ACCOUNT, "sessions_ended")


def _doing(name: str, path: str, handler: Handler, again: Again | None = None, *, fresh: bool = True) -> Page:
    return Page(name=name, method="POST", path=path, handler=handler, again=again, fresh=fresh)

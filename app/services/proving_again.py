"""Is it still they? The second factor after a password, and the proof that is asked for again before what destroys or
reveals something.

A session that awaits its second factor takes a one-time code, a passkey or a recovery code, and no password again. One
that is asked once more takes any proof but a recovery code: those are for what is lost. Either goes on under another
token. Codes are few enough to be guessed, so that whoever is wrong ten times waits, for longer each time, from
wherever they ask: who gets here has the password or the session already, so that no stranger can make anybody wait.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.services import recovery_codes
from app.services.one_time_codes import OneTimeCodes
from app.services.passkeys import Passkeys, WrongPasskey
from app.services.passwords import Passwords
from app.services.sessions import SECOND_FACTOR, Sessions, SignedOut, Viewer
from app.services.sign_in_refusals import SignInRefusals
from app.services.signing_in import WrongPassword
from app.store import Store, Transaction
from tokenserver.clock import Clock
from tokenserver.errors import Refused


class WrongCode(Refused):
    code = "sign_in_failed"
    status = 401
    public = "This code is wrong, has expired or was used before. Wait for the next one."


class WrongRecoveryCode(WrongCode):
    public = "This is none of your recovery codes, or it was used before."


@dataclass(frozen=True, slots=True)
class Means:
    """By what an operator may prove who they are now."""

    password: bool
    one_time_code: bool
    passkey: bool
    recovery_code: bool


class ProvingAgain:
    """Each proof returns what the cookie holds from now on."""

    def __init__(
        self,
        *,
        store: Store,
        sessions: Sessions,
        passwords: Passwords,
        one_time_codes: OneTimeCodes,
        passkeys: Passkeys,
        refusals: SignInRefusals,
        clock: Clock,
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._passwords = passwords
        self._one_time_codes = one_time_codes
        self._passkeys = passkeys
        self._refusals = refusals
        self._clock = clock

    def means(self, viewer: Viewer) -> Means:
        operator_id, half_open = viewer.operator.id, viewer.session.awaits == SECOND_FACTOR
        with self._store.reading() as tx:
            codes = tx.sign_in.one_time_codes(operator_id)
            return Means(
                password=not half_open and tx.sign_in.password_hash(operator_id) is not None,
                one_time_code=codes is not None and codes.since is not None,
                passkey=self._passkeys.unavailable is None and bool(tx.sign_in.passkeys_of(operator_id)),
                recovery_code=half_open and tx.sign_in.recovery_codes_left(operator_id) > 0,
            )

    def by_password(self, viewer: Viewer, password: str) -> str:
        """Raises WrongPassword, RateLimited."""
        if viewer.session.awaits is not None:
            raise SignedOut
        with self._store.reading() as tx:
            self._refusals.refuse_hasty_second_in(tx, viewer)
            kept = tx.sign_in.password_hash(viewer.operator.id)
        if not self._passwords.matches(password, kept):
            with self._store.writing() as tx:
                self._refusals.second_failed_in(tx, viewer, "wrong password on being asked again")
            raise WrongPassword("The password is wrong.")
        with self._store.writing() as tx:
            self._refusals.refuse_hasty_second_in(tx, viewer)
            if tx.sign_in.password_hash(viewer.operator.id) != kept:  # set anew while we looked at the old one
                raise WrongPassword("The password is wrong.")
            self._refusals.second_proven_in(tx, viewer)
            return self._sessions.proven_in(tx, viewer, "password", self._clock())

    def by_code(self, viewer: Viewer, code: str) -> str:
        """Raises WrongCode, RateLimited."""
        return self._by(viewer, "one-time code", lambda tx, now: self._use_code(tx, viewer, code, now))

    def by_passkey(self, viewer: Viewer, sealed: str, answer: str) -> str:
        """Raises WrongPasskey, ChallengeIsOver, RateLimited."""

        def use(tx: Transaction, now: float) -> None:
            self._passkeys.use_in(tx, self._passkeys.check_in(tx, sealed, answer, now, viewer), now)

        return self._by(viewer, "passkey", use)

    def by_recovery_code(self, viewer: Viewer, code: str) -> str:
        """In place of a second factor only; raises WrongRecoveryCode, RateLimited."""
        if viewer.session.awaits != SECOND_FACTOR:
            raise SignedOut
        return self._by(viewer, "recovery code", lambda tx, now: self._use_recovery_code(tx, viewer, code, now))

    def _by(self, viewer: Viewer, means: str, use: Callable[[Transaction, float], None]) -> str:
        """One transaction: however many try at once, each is looked at after the one before was counted."""
        with self._store.reading() as tx:  # who has to wait takes no turn to write
            self._refusals.refuse_hasty_second_in(tx, viewer)
        with self._store.writing() as tx:
            self._refusals.refuse_hasty_second_in(tx, viewer)
            now = self._clock()
            try:
                use(tx, now)
            except (WrongCode, WrongPasskey) as refusal:
                self._refusals.second_failed_in(tx, viewer, refusal.detail or f"wrong {means}")
                wrong: Refused = refusal
            else:
                self._refusals.second_proven_in(tx, viewer)
                return self._sessions.proven_in(tx, viewer, means, now)
        raise wrong

    def _use_code(self, tx: Transaction, viewer: Viewer, code: str, now: float) -> None:
        if not self._one_time_codes.use_in(tx, viewer.operator.id, code, now):
            raise WrongCode

    @staticmethod
    def _use_recovery_code(tx: Transaction, viewer: Viewer, code: str, now: float) -> None:
        if not recovery_codes.use_in(tx, viewer.caller(), viewer.operator.id, code, now):
            raise WrongRecoveryCode

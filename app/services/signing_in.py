"""Who is at the door of the console? E-mail address and password, and a second factor after it; or a passkey alone.

An unknown address and a wrong password get the same answer in the same time. Who is wrong too often from one address
waits, for that account only (`failures`): nobody locks out anybody else. The second factor is asked for by
`proving_again`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from app.services.passkeys import Passkeys, WrongPasskey
from app.services.passwords import Passwords
from app.services.sessions import SECOND_FACTOR, Sessions, Visitor
from app.services.sign_in_refusals import SignInRefusals
from app.store import Store
from tokenserver.clock import Clock
from tokenserver.errors import Refused

LONGEST_EMAIL = 254
_BY_PASSKEY = "passkey"


class WrongPassword(Refused):
    code = "sign_in_failed"
    status = 401
    public = "The e-mail address or the password is wrong."


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that was opened: what the cookie holds, and which proof it awaits, if any."""

    token: str = field(repr=False)
    awaits: str | None
    operator_id: str


class SigningIn:
    def __init__(
        self,
        store: Store,
        sessions: Sessions,
        passwords: Passwords,
        passkeys: Passkeys,
        refusals: SignInRefusals,
        clock: Clock,
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._passwords = passwords
        self._passkeys = passkeys
        self._refusals = refusals
        self._clock = clock

    def by_password(self, email: str, password: str, visitor: Visitor) -> Opened:
        """Raises WrongPassword; RateLimited while this address has to wait for this account."""
        account = email.strip().lower()[:LONGEST_EMAIL]
        with self._store.reading() as tx:
            self._refusals.refuse_hasty_in(tx, account, visitor)
            operator = tx.operators.by_email(account)
            kept = None if operator is None else tx.sign_in.password_hash(operator.id)
        if not self._passwords.matches(password, kept) or operator is None or kept is None:
            self._refusals.failed(account, visitor, "wrong password")
            raise WrongPassword
        better = self._passwords.hash(password) if self._passwords.is_out_of_date(kept) else None
        with self._store.writing() as tx:
            now = self._clock()
            self._refusals.refuse_hasty_in(tx, account, visitor)
            if tx.sign_in.password_hash(operator.id) != kept:  # set anew while we looked at the old one
                raise WrongPassword
            self._refusals.proven_in(tx, account, visitor)
            if better is not None:
                tx.sign_in.set_password(operator.id, better, int(now))
            awaits = SECOND_FACTOR if tx.sign_in.has_second_factor(operator.id) else None
            token = self._sessions.open_in(tx, operator, "password", visitor, now, awaits=awaits)
        return Opened(token, awaits, operator.id)

    def by_passkey(self, sealed: str, answer: str, visitor: Visitor) -> Opened:
        """By a key that knows its owner, and asked them for a finger or a PIN; nothing else is needed.

        Raises WrongPasskey, ChallengeIsOver; RateLimited while this address has to wait.
        """
        self._refusals.refuse_hasty_passkey(visitor)
        try:
            with self._store.reading() as tx:
                signature = self._passkeys.check_in(tx, sealed, answer, self._clock())
            with self._store.writing() as tx:
                now = self._clock()
                self._passkeys.use_in(tx, signature, now)
                operator = tx.operators.get(signature.passkey.operator_id)
                if operator is None:
                    raise WrongPasskey
                token = self._sessions.open_in(tx, operator, _BY_PASSKEY, visitor, now, awaits=None)
        except WrongPasskey as refusal:
            self._refusals.passkey_failed(visitor, refusal.detail)
            raise
        self._refusals.passkey_proven(visitor)
        return Opened(token, None, operator.id)

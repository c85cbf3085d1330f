"""Who is at the door of the console? E-mail address and password, and whatever else the operator has set up.

An unknown address and a wrong password get the same answer in the same time. Who is wrong too often from one address
waits, for that account only (`failures`): nobody locks out anybody else.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from app.services.audit import STRANGER, neighbourhood
from app.services.failures import Failures
from app.services.passwords import Passwords
from app.services.sessions import SECOND_FACTOR, Sessions, Viewer, Visitor
from app.store import Store
from tokenserver.clock import Clock
from tokenserver.domain.audit import Entry, Event
from tokenserver.domain.liveness import reference
from tokenserver.errors import Refused

_LONGEST_EMAIL = 254


class WrongPassword(Refused):
    code = "sign_in_failed"
    status = 401
    public = "The e-mail address or the password is wrong."


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that was opened: what the cookie holds, and which proof it awaits, if any."""

    token: str = field(repr=False)
    awaits: str | None


class SigningIn:
    def __init__(self, store: Store, sessions: Sessions, passwords: Passwords, clock: Clock) -> None:
        self._store = store
        self._sessions = sessions
        self._passwords = passwords
        self._clock = clock
        self._failures = Failures(clock)

    def by_password(self, email: str, password: str, visitor: Visitor) -> Opened:
        """Raises WrongPassword; RateLimited while this address has to wait for this account."""
        account = email.strip().lower()[:_LONGEST_EMAIL]
        place = neighbourhood(visitor.address)
        self._failures.refuse_hasty(account, place)
        with self._store.reading() as tx:
            operator = tx.operators.by_email(account)
            kept = None if operator is None else tx.sign_in.password_hash(operator.id)
        if not self._passwords.matches(password, kept) or operator is None or kept is None:
            self._failures.failed(account, place)
            self._refused(account, visitor, "wrong password")
            raise WrongPassword
        self._failures.proven(account, place)
        better = self._passwords.hash(password) if self._passwords.is_out_of_date(kept) else None
        with self._store.writing() as tx:
            now = self._clock()
            if tx.sign_in.password_hash(operator.id) != kept:  # set anew while we looked at the old one
                raise WrongPassword
            if better is not None:
                tx.sign_in.set_password(operator.id, better, int(now))
            awaits = SECOND_FACTOR if tx.sign_in.has_second_factor(operator.id) else None
            token = self._sessions.open_in(tx, operator, "password", visitor, now, awaits=awaits)
        return Opened(token, awaits)

    def prove_by_password(self, viewer: Viewer, password: str) -> None:
        """The same operator once more; raises WrongPassword, RateLimited."""
        account, place = viewer.operator.email, neighbourhood(viewer.visitor.address)
        self._failures.refuse_hasty(account, place)
        with self._store.reading() as tx:
            kept = tx.sign_in.password_hash(viewer.operator.id)
        if not self._passwords.matches(password, kept):
            self._failures.failed(account, place)
            self._refused(account, viewer.visitor, "wrong password on being asked again")
            raise WrongPassword("The password is wrong.")
        self._failures.proven(account, place)
        with self._store.writing() as tx:
            self._sessions.proven_in(tx, viewer, self._clock())

    def _refused(self, account: str, visitor: Visitor, reason: str) -> None:
        """What was typed as an address may be a password, so that it is not recorded."""
        with self._store.writing() as tx:
            tx.audit.append(
                Entry(
                    event=Event.SIGN_IN_REFUSED,
                    at=self._clock(),
                    actor=STRANGER,
                    address=visitor.address,
                    request_id=visitor.request_id,
                    outcome="refused",
                    detail={"reason": reason, "account": reference(account)},
                )
            )

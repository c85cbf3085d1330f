"""With what does the operator sign in? What they have set up, and their own password.

Another password needs the one before, ends every other session of theirs and any link that was still out, and lets
this session go on under another token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.services.passwords import Passwords
from app.services.sessions import Sessions, Viewer
from app.services.sign_in_refusals import SignInRefusals
from app.services.standing import changing
from app.store import Store
from app.store.sign_in import Passkey
from tokenserver.clock import Clock
from tokenserver.domain.audit import Event
from tokenserver.errors import Fault, InvalidInput


@dataclass(frozen=True, slots=True)
class Proofs:
    """Moments are None where there is no such proof. `half_set_up`: one-time codes that no code has confirmed."""

    password_set_at: int | None
    one_time_codes_since: int | None
    half_set_up: bool
    recovery_codes_left: int
    passkeys: Sequence[Passkey]


class OwnProofs:
    def __init__(
        self, store: Store, sessions: Sessions, passwords: Passwords, refusals: SignInRefusals, clock: Clock
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._passwords = passwords
        self._refusals = refusals
        self._clock = clock

    def list(self, viewer: Viewer) -> Proofs:
        operator_id = viewer.operator.id
        with self._store.reading() as tx:
            codes = tx.sign_in.one_time_codes(operator_id)
            return Proofs(
                password_set_at=tx.sign_in.password_set_at(operator_id),
                one_time_codes_since=None if codes is None else codes.since,
                half_set_up=codes is not None and codes.since is None,
                recovery_codes_left=tx.sign_in.recovery_codes_left(operator_id),
                passkeys=tx.sign_in.passkeys_of(operator_id),
            )

    def set_password(self, viewer: Viewer, old: str, new: str) -> str:
        """Returns what the cookie holds from now on; raises InvalidInput, RateLimited.

        Who has no password yet, as they sign in elsewhere, leaves `old` empty and has a fresh proof.
        """
        operator = viewer.operator
        with self._store.reading() as tx:
            self._refusals.refuse_hasty_second_in(tx, viewer)
            kept = tx.sign_in.password_hash(operator.id)
        if kept is not None and not self._passwords.matches(old, kept):
            with self._store.writing() as tx:
                self._refusals.second_failed_in(tx, viewer, "wrong password on changing it")
            raise InvalidInput([Fault("/old_password", "This is not your password.")])
        if kept is None and not self._sessions.is_fresh(viewer):
            raise InvalidInput([Fault("/password", "Prove once more who you are first: sign in again.")])
        self._passwords.refuse_unfit(new, operator.email)
        hashed = self._passwords.hash(new)
        caller = viewer.caller()
        with changing(self._store, caller, self._clock) as (tx, now):
            self._refusals.refuse_hasty_second_in(tx, viewer)
            if tx.sign_in.password_hash(operator.id) != kept:  # set anew while we looked at the old one
                raise InvalidInput([Fault("/old_password", "This is not your password any more.")])
            tx.sign_in.set_password(operator.id, hashed, int(now))
            tx.sessions.uninvite(operator.id)
            others = [one.id for one in tx.sessions.of(operator.id) if one.id != viewer.session.id]
            tx.sessions.end(*others)
            tx.audit.append(caller.did(Event.PASSWORD_SET, now, by="operator", sessions_ended=len(others)))
            self._refusals.second_proven_in(tx, viewer)
            return self._sessions.proven_in(tx, viewer, "password", now)

"""What if the phone is lost? Ten codes on paper, each of which stands in for a second factor once.

They are made with the first second factor and whenever the operator asks, in place of those that were left; seen once;
and gone with the last second factor. A code has 80 random bits, so that a plain digest of it tells nobody anything.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import replace

from app.services.audit import Caller
from app.services.sessions import Viewer
from app.services.standing import changing
from app.store import Store, Transaction
from app.store.idempotency import Attempt
from tokenserver.clock import Clock
from tokenserver.domain.audit import Event
from tokenserver.errors import Conflict

COUNT = 10
_BYTES = 10
_GROUP = 4


class NothingToRecover(Conflict):
    code = "no_second_factor"
    public = "Recovery codes stand in for a second factor, and you have none: set up one-time codes or a passkey first."


class RecoveryCodes:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def renew(self, viewer: Viewer, attempt: Attempt | None = None) -> Sequence[str]:
        """Ten new codes, which nobody will see again; the ones before are worth nothing. None new for an attempt that
        was carried out before, such as a page that is loaded once more: raises InProgress.
        """
        caller = replace(viewer.caller(), attempt=attempt)
        with changing(self._store, caller, self._clock) as (tx, now):
            if not tx.sign_in.has_second_factor(viewer.operator.id):
                raise NothingToRecover
            return make_in(tx, caller, viewer.operator.id, now)


def make_in(tx: Transaction, caller: Caller, operator_id: str, now: float) -> Sequence[str]:
    codes = [_grouped(base64.b32encode(secrets.token_bytes(_BYTES)).decode().lower()) for _ in range(COUNT)]
    tx.sign_in.set_recovery_codes(operator_id, [digest_of(operator_id, code) for code in codes], int(now))
    tx.audit.append(caller.did(Event.RECOVERY_CODES_MADE, now, count=COUNT))
    return codes


def make_first_in(tx: Transaction, caller: Caller, operator_id: str, now: float) -> Sequence[str]:
    """None where some are left."""
    return () if tx.sign_in.recovery_codes_left(operator_id) else make_in(tx, caller, operator_id, now)


def forget_unless_needed_in(tx: Transaction, operator_id: str, now: float) -> None:
    """Codes that stand in for nothing are no way in."""
    if not tx.sign_in.has_second_factor(operator_id):
        tx.sign_in.set_recovery_codes(operator_id, (), int(now))


def forget_second_factors_in(tx: Transaction, caller: Caller, operator_id: str, now: float) -> None:
    """Everything that was lost, so that a password is enough until something is set up again."""
    codes = tx.sign_in.one_time_codes(operator_id)
    tx.sign_in.set_one_time_codes(operator_id, None)
    if codes is not None and codes.since is not None:
        tx.audit.append(caller.did(Event.ONE_TIME_CODES_DISABLED, now, operator=operator_id))
    for passkey in tx.sign_in.passkeys_of(operator_id):
        tx.sign_in.remove_passkey(passkey.id)
        event = caller.did(Event.PASSKEY_REMOVED, now, operator=operator_id, passkey=passkey.id, name=passkey.name)
        tx.audit.append(event)
    forget_unless_needed_in(tx, operator_id, now)


def use_in(tx: Transaction, caller: Caller, operator_id: str, code: str, now: float) -> bool:
    """Whether it was a code of theirs that had not been used."""
    if not tx.sign_in.use_recovery_code(operator_id, digest_of(operator_id, code)):
        return False
    tx.audit.append(caller.did(Event.RECOVERY_CODE_USED, now, left=tx.sign_in.recovery_codes_left(operator_id)))
    return True


def digest_of(operator_id: str, code: str) -> str:
    """However it is written: in capitals, with spaces, without dashes."""
    plain = "".join(letter for letter in code[:100].casefold() if letter.isalnum())
    return hashlib.sha256(f"{operator_id} {plain}".encode("utf-8", "surrogatepass")).hexdigest()


def _grouped(code: str) -> str:
    return "-".join(code[start : start + _GROUP] for start in range(0, len(code), _GROUP))

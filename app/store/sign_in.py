"""With what may an operator prove who they are? Everything but sessions; each row is of one person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.store.models import FailureRow, PasskeyRow, RecoveryCodeRow, SignInRow


@dataclass(frozen=True, slots=True)
class Seed:
    """Of an operator's one-time codes, sealed. `since` is None until the first code was right; `step` is that
    of the last code that was taken.
    """

    sealed: bytes = field(repr=False)
    since: int | None
    step: int


@dataclass(frozen=True, slots=True)
class Passkey:
    """`id` is the credential ID that the authenticator made, base64url."""

    id: str
    operator_id: str
    name: str
    public_key: bytes
    sign_count: int
    created_at: int
    last_used_at: int | None = None


class SignInStore:
    def __init__(self, session: Session) -> None:
        self._session = session

    def signed_in(self, operator_id: str, now: int) -> None:
        self._row(operator_id).signed_in_at = now
        self._session.flush()

    # --- passwords ---

    def password_hash(self, operator_id: str) -> str | None:
        row = self._session.get(SignInRow, operator_id)
        return None if row is None else row.password_hash

    def password_set_at(self, operator_id: str) -> int | None:
        row = self._session.get(SignInRow, operator_id)
        return None if row is None else row.password_set_at

    def set_password(self, operator_id: str, password_hash: str, now: int) -> None:
        row = self._row(operator_id)
        row.password_hash, row.password_set_at = password_hash, now
        self._session.flush()

    # --- second factors ---

    def has_second_factor(self, operator_id: str) -> bool:
        """One-time codes that were confirmed, or a passkey."""
        codes = self.one_time_codes(operator_id)
        if codes is not None and codes.since is not None:
            return True
        keys = select(PasskeyRow.id).where(PasskeyRow.operator_id == operator_id)
        return self._session.scalars(keys.limit(1)).first() is not None

    def one_time_codes(self, operator_id: str) -> Seed | None:
        row = self._session.get(SignInRow, operator_id)
        if row is None or row.totp_sealed is None:
            return None
        return Seed(row.totp_sealed, row.totp_since, row.totp_step)

    def set_one_time_codes(self, operator_id: str, codes: Seed | None) -> None:
        row = self._row(operator_id)
        row.totp_sealed = None if codes is None else codes.sealed
        row.totp_since = None if codes is None else codes.since
        row.totp_step = 0 if codes is None else codes.step
        self._session.flush()

    # --- recovery codes ---

    def set_recovery_codes(self, operator_id: str, digests: Iterable[str], now: int) -> None:
        """In place of those that were left."""
        self._session.execute(
            delete(RecoveryCodeRow)
            .where(RecoveryCodeRow.operator_id == operator_id)
            .execution_options(synchronize_session=False)
        )
        self._session.expire_all()
        self._session.add_all(RecoveryCodeRow(id=one, operator_id=operator_id, created_at=now) for one in digests)
        self._session.flush()

    def use_recovery_code(self, operator_id: str, digest: str) -> bool:
        """Whether it was one of theirs, which it is no longer."""
        row = self._session.get(RecoveryCodeRow, digest)
        if row is None or row.operator_id != operator_id:
            return False
        self._session.delete(row)
        self._session.flush()
        return True

    def recovery_codes_left(self, operator_id: str) -> int:
        left = select(func.count()).select_from(RecoveryCodeRow).where(RecoveryCodeRow.operator_id == operator_id)
        return self._session.scalars(left).one()

    # --- passkeys ---

    def passkey(self, passkey_id: str) -> Passkey | None:
        row = self._session.get(PasskeyRow, passkey_id)
        return None if row is None else _passkey_from(row)

    def passkeys_of(self, operator_id: str) -> list[Passkey]:
        """The oldest first."""
        rows = select(PasskeyRow).where(PasskeyRow.operator_id == operator_id)
        return [
            _passkey_from(row) for row in self._session.scalars(rows.order_by(PasskeyRow.created_at, PasskeyRow.id))
        ]

    def add_passkey(self, passkey: Passkey) -> None:
        self._session.add(PasskeyRow(**{name: getattr(passkey, name) for name in Passkey.__slots__}))
        self._session.flush()

    def used_passkey(self, passkey_id: str, sign_count: int, now: int) -> None:
        row = self._session.get_one(PasskeyRow, passkey_id)
        row.sign_count, row.last_used_at = sign_count, now
        self._session.flush()

    def rename_passkey(self, passkey_id: str, name: str) -> None:
        self._session.get_one(PasskeyRow, passkey_id).name = name
        self._session.flush()

    def remove_passkey(self, passkey_id: str) -> None:
        self._session.delete(self._session.get_one(PasskeyRow, passkey_id))
        self._session.flush()

    # --- who was wrong ---

    def failures(self, key: str) -> tuple[int, int]:
        """How often in a row, and when last; zeros where there is no such row."""
        row = self._session.get(FailureRow, key)
        return (0, 0) if row is None else (row.failures, row.failed_at)

    def set_failures(self, key: str, failures: int, failed_at: int) -> None:
        self._session.merge(FailureRow(id=key, failures=failures, failed_at=failed_at))
        self._session.flush()

    def forget_failures(self, key: str) -> None:
        row = self._session.get(FailureRow, key)
        if row is not None:
            self._session.delete(row)
            self._session.flush()

    def prune_failures(self, before: int, most: int) -> None:
        """Forget rows that are older, and the oldest of more than so many."""
        beyond = select(FailureRow.failed_at).order_by(FailureRow.failed_at.desc()).offset(most).limit(1)
        last = self._session.scalars(beyond).first()
        old = delete(FailureRow).where(FailureRow.failed_at <= max(before, last or 0))
        self._session.execute(old.execution_options(synchronize_session=False))

    def _row(self, operator_id: str) -> SignInRow:
        row = self._session.get(SignInRow, operator_id)
        if row is None:
            row = SignInRow(operator_id=operator_id, totp_step=0)
            self._session.add(row)
        return row


def _passkey_from(row: PasskeyRow) -> Passkey:
    return Passkey(**{name: getattr(row, name) for name in Passkey.__slots__})

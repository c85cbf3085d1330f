"""With what may an operator prove who they are? Everything but sessions; each row is of one person."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.store.sign_in_models import PasskeyRow, SignInRow


class SignInStore:
    def __init__(self, session: Session) -> None:
        self._session = session

    def password_hash(self, operator_id: str) -> str | None:
        row = self._session.get(SignInRow, operator_id)
        return None if row is None else row.password_hash

    def set_password(self, operator_id: str, password_hash: str, now: int) -> None:
        row = self._row(operator_id)
        row.password_hash, row.password_set_at = password_hash, now
        self._session.flush()

    def has_second_factor(self, operator_id: str) -> bool:
        """One-time codes that were confirmed, or a passkey."""
        row = self._session.get(SignInRow, operator_id)
        if row is not None and row.totp_since is not None:
            return True
        keys = select(PasskeyRow.id).where(PasskeyRow.operator_id == operator_id)
        return self._session.scalars(keys.limit(1)).first() is not None

    def _row(self, operator_id: str) -> SignInRow:
        row = self._session.get(SignInRow, operator_id)
        if row is None:
            row = SignInRow(operator_id=operator_id, totp_step=0)
            self._session.add(row)
        return row

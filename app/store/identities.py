"""Who is whom at another issuer (OpenID Connect)? A subject of an issuer is one operator."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.store.models import IdentityRow


class IdentityStore:
    def __init__(self, session: Session) -> None:
        self._session = session

    def operator_of(self, issuer: str, subject: str) -> str | None:
        row = self._session.get(IdentityRow, (issuer, subject))
        return None if row is None else row.operator_id

    def is_linked(self, issuer: str, operator_id: str) -> bool:
        """Whether the operator is somebody there already."""
        linked = select(IdentityRow.subject).where(IdentityRow.issuer == issuer, IdentityRow.operator_id == operator_id)
        return self._session.scalars(linked.limit(1)).first() is not None

    def link(self, issuer: str, subject: str, operator_id: str, now: int) -> None:
        self._session.add(IdentityRow(issuer=issuer, subject=subject, operator_id=operator_id, created_at=now))
        self._session.flush()

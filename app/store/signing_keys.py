"""Which signing keys are there? Private keys come and go sealed; this file never sees one in clear."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.store.models import SigningKeyRow


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A signing key at rest. It signs from `active_from` until another takes over."""

    kid: str
    alg: str
    jwk: dict[str, str]
    sealed: bytes
    created_at: int
    active_from: int
    revoked_at: int | None = None

    def __repr__(self) -> str:
        return f"StoredKey(kid={self.kid!r}, alg={self.alg!r})"


class SigningKeyStore:
    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self) -> list[StoredKey]:
        """Every key there ever was, oldest first."""
        rows = self._session.scalars(select(SigningKeyRow).order_by(SigningKeyRow.active_from, SigningKeyRow.kid))
        return [
            StoredKey(
                r.kid,
                r.alg,
                json.loads(r.jwk),
                bytes(r.sealed),
                r.created_at,
                r.active_from,
                r.revoked_at,
            )
            for r in rows
        ]

    def add(self, key: StoredKey) -> None:
        self._session.add(
            SigningKeyRow(
                kid=key.kid,
                alg=key.alg,
                jwk=json.dumps(key.jwk),
                sealed=key.sealed,
                created_at=key.created_at,
                active_from=key.active_from,
            )
        )
        self._session.flush()

    def revoke(self, kid: str, at: int) -> None:
        self._session.execute(update(SigningKeyRow).where(SigningKeyRow.kid == kid).values(revoked_at=at))

"""Which secrets has a credential had, whose is one that was found, and when was each last used?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.store.models import CredentialRow, CredentialSecretRow, LastUseRow
from app.store.rows import secret_from
from tokenserver.domain.credential import Credential, CredentialSecret, SecretState


@dataclass(frozen=True, slots=True)
class LastUse:
    at: int
    address: str


@dataclass(frozen=True, slots=True)
class Holder:
    """A secret, ended ones included, and whose it is."""

    organization_id: str
    client_id: str
    secret: CredentialSecret


SecretHistory = list[tuple[CredentialSecret, LastUse | None]]


class SecretStore:
    def __init__(self, session: Session) -> None:
        self._session = session

    def histories(self, credentials: Sequence[Credential]) -> dict[str, SecretHistory]:
        """By client ID, every secret there ever was, newest first, with its last use."""
        histories: dict[str, SecretHistory] = {credential.client_id: [] for credential in credentials}
        rows = self._session.execute(
            select(CredentialSecretRow, LastUseRow)
            .outerjoin(LastUseRow, LastUseRow.secret_id == CredentialSecretRow.id)
            .where(CredentialSecretRow.client_id.in_(histories))
            .order_by(CredentialSecretRow.created_at.desc(), CredentialSecretRow.state, CredentialSecretRow.id)
        )
        for row, use in rows:
            histories[row.client_id].append((secret_from(row), _last_use(use)))
        return histories

    def holders(self, fingerprints: Sequence[bytes]) -> list[Holder]:
        """Of secrets with one of these fingerprints, in whichever organization: who finds a secret does not know."""
        found = select(CredentialSecretRow).where(CredentialSecretRow.fingerprint.in_(fingerprints))
        return [Holder(row.organization_id, row.client_id, secret_from(row)) for row in self._session.scalars(found)]

    def holders_of(self, client_id: str) -> list[Holder]:
        """Every secret that a credential ever had, in whichever organization it is."""
        found = select(CredentialSecretRow).where(CredentialSecretRow.client_id == client_id)
        return [Holder(row.organization_id, row.client_id, secret_from(row)) for row in self._session.scalars(found)]

    def are_hashed_under(self, pepper_ids: Iterable[str], now: float) -> bool:
        """Whether a secret that can still be used needs one of these peppers."""
        query = (
            select(CredentialSecretRow.id)
            .join(CredentialRow, CredentialRow.client_id == CredentialSecretRow.client_id)
            .where(
                CredentialSecretRow.pepper_id.in_(list(pepper_ids)),
                CredentialSecretRow.state != SecretState.ENDED.value,
                CredentialRow.revoked_at.is_(None),
                CredentialRow.deleted_at.is_(None),
                or_(CredentialRow.expires_at.is_(None), CredentialRow.expires_at > now),
            )
        )
        return self._session.scalars(query.limit(1)).first() is not None

    def move_last_uses(self, seen: Mapping[str, LastUse]) -> None:
        """By secret ID: to a later moment, never back, and only where the token endpoint has seen the secret before.

        A row that is held by somebody is passed over: a token is being issued, which is later still, and nobody waits.
        """
        rows = select(LastUseRow).where(LastUseRow.secret_id.in_(list(seen))).order_by(LastUseRow.secret_id)
        for row in self._session.scalars(rows.with_for_update(skip_locked=True)):
            use = seen[row.secret_id]
            if use.at > row.at:
                row.at, row.address = use.at, use.address
        self._session.flush()


def _last_use(row: LastUseRow | None) -> LastUse | None:
    return None if row is None else LastUse(row.at, row.address)

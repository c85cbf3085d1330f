"""Which rotations on schedule are due or under way? For the clock's work, which is of all organizations at once, and
for the app that claims its new secret. When one is over its row goes in `CredentialStore.save_all`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import cast

from sqlalchemy import Table, bindparam, insert, select, update
from sqlalchemy.orm import Session

from app.store.models import (
    AuditEventRow,
    CredentialRow,
    CredentialSecretRow,
    LastUseRow,
    OrganizationRow,
    RotationRow,
)
from app.store.rows import rotation_from, secret_from
from tokenserver.domain.credential import CredentialSecret, SecretState
from tokenserver.domain.rotation import Rotation


@dataclass(frozen=True, slots=True)
class Provable:
    """By what a credential can be proven: nothing else is read for a stranger."""

    organization_id: str
    secrets: tuple[CredentialSecret, ...]


class RotationStore:
    def __init__(self, session: Session) -> None:
        self._session = session

    def due(self, now: float, limit: int) -> list[str]:
        """Client IDs of credentials whose schedule says so, those that have waited longest first."""
        query = (
            select(CredentialRow.client_id)
            .join(OrganizationRow, OrganizationRow.id == CredentialRow.organization_id)
            .where(
                CredentialRow.rotate_at <= int(now),
                CredentialRow.disabled_at.is_(None),
                OrganizationRow.suspended_at.is_(None),
            )
        )
        return list(self._session.scalars(query.order_by(CredentialRow.rotate_at).limit(limit)))

    def to_look_at(self, now: float, limit: int, among: Sequence[str] | None = None) -> list[Rotation]:
        query = select(RotationRow).where(RotationRow.look_at <= int(now))
        if among is not None:
            query = query.where(RotationRow.client_id.in_(among))
        return [rotation_from(row) for row in self._session.scalars(query.order_by(RotationRow.look_at).limit(limit))]

    def get(self, client_id: str) -> tuple[Rotation, bytes] | None:
        """The rotation that is under way, and the new secret under seal."""
        row = self._session.get(RotationRow, client_id)
        return None if row is None else (rotation_from(row), bytes(row.sealed))

    def add_all(self, begun: Sequence[tuple[Rotation, bytes]]) -> None:
        if begun:
            self._session.connection().execute(_ADD, [{**asdict(made), "sealed": sealed} for made, sealed in begun])

    def save_all(self, moved: Sequence[Rotation]) -> None:
        """The parts that change while it is under way; one that is over meanwhile stays over."""
        if moved:
            self._session.connection().execute(_MOVE, [_moving(rotation) for rotation in moved])

    def put_off(self, client_id: str, until: int) -> None:
        """Whatever was to be done about it, later."""
        due, look = CredentialRow.rotate_at, RotationRow.look_at
        for row, moment in ((CredentialRow, due), (RotationRow, look)):
            self._session.execute(
                update(row)
                .where(row.client_id == client_id, moment < until)
                .values({moment: until})
                .execution_options(synchronize_session=False)
            )

    def used(self, secret_ids: Iterable[str]) -> frozenset[str]:
        """Those of them that have proven themselves."""
        query = select(LastUseRow.secret_id).where(LastUseRow.secret_id.in_(list(secret_ids)))
        return frozenset(self._session.scalars(query))

    def provable(self, client_id: str) -> Provable | None:
        query = (
            select(CredentialSecretRow)
            .join(CredentialRow, CredentialRow.client_id == CredentialSecretRow.client_id)
            .where(
                CredentialSecretRow.client_id == client_id,
                CredentialSecretRow.state.in_([SecretState.CURRENT.value, SecretState.RETIRING.value]),
                CredentialRow.deleted_at.is_(None),
            )
        )
        rows = list(self._session.scalars(query))
        return Provable(rows[0].organization_id, tuple(map(secret_from, rows))) if rows else None

    def on_record(self, organization_id: str) -> int | None:
        """The newest moment on record in an organization: see `clock.no_earlier`."""
        query = select(AuditEventRow.at).where(AuditEventRow.organization_id == organization_id)
        return self._session.scalars(query.order_by(AuditEventRow.at.desc()).limit(1)).first()


_MOVING = ("ends_at", "look_at", "claimed_at", "reminded", "extended", "alerted")
_TABLE = cast(Table, RotationRow.__table__)
_ADD = insert(_TABLE)
_MOVE = (
    update(_TABLE)
    .where(_TABLE.c.client_id == bindparam("of"), _TABLE.c.secret_id == bindparam("new"))
    .values({name: bindparam(f"new_{name}") for name in _MOVING})
)


def _moving(rotation: Rotation) -> Mapping[str, object]:
    moved = {f"new_{name}": getattr(rotation, name) for name in _MOVING}
    return {**moved, "of": rotation.client_id, "new": rotation.secret_id}

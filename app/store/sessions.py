"""Where are operators signed in, and which links may still be followed? Tokens are known by their digests only."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session as Database

from app.store.models import InvitationRow, SessionRow, SpentRow


@dataclass(frozen=True, slots=True)
class Session:
    """`awaits` names the proof that is missing before the session is good for anything; None: it is good.

    `proven_at` is when the operator last proved who they are.
    """

    id: str
    operator_id: str
    organization_id: str
    method: str
    created_at: int
    seen_at: int
    proven_at: int
    address: str = ""
    agent: str = ""
    awaits: str | None = None


@dataclass(frozen=True, slots=True)
class Invitation:
    id: str
    operator_id: str
    organization_id: str
    created_at: int
    created_by: str
    expires_at: int


class SessionStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, session_id: str) -> Session | None:
        row = self._database.get(SessionRow, session_id)
        return None if row is None else _session_from(row)

    def of(self, operator_id: str) -> list[Session]:
        """Newest use first."""
        rows = select(SessionRow).where(SessionRow.operator_id == operator_id)
        return [_session_from(row) for row in self._database.scalars(rows.order_by(SessionRow.seen_at.desc()))]

    def add(self, session: Session) -> None:
        self._database.add(SessionRow(**{name: getattr(session, name) for name in Session.__slots__}))
        self._database.flush()

    def change(self, session_id: str, **values: object) -> None:
        """These columns only; nothing where it has ended meanwhile."""
        self._database.execute(
            update(SessionRow)
            .where(SessionRow.id == session_id)
            .values(values)
            .execution_options(synchronize_session=False)
        )

    def end(self, *session_ids: str) -> None:
        self._database.execute(
            delete(SessionRow).where(SessionRow.id.in_(session_ids)).execution_options(synchronize_session=False)
        )
        self._database.expire_all()

    def prune(self, seen_before: int, created_before: int, now: int) -> None:
        """Forget sessions, links and used challenges that are over."""
        over = or_(SessionRow.seen_at < seen_before, SessionRow.created_at < created_before)
        for statement in (
            delete(SessionRow).where(over),
            delete(InvitationRow).where(InvitationRow.expires_at < now),
            delete(SpentRow).where(SpentRow.expires_at < now),
        ):
            self._database.execute(statement.execution_options(synchronize_session=False))

    # --- links that work once ---

    def invite(self, invitation: Invitation) -> None:
        """In place of every other link of this operator."""
        self.uninvite(invitation.operator_id)
        self._database.add(InvitationRow(**{name: getattr(invitation, name) for name in Invitation.__slots__}))
        self._database.flush()

    def invitation(self, invitation_id: str) -> Invitation | None:
        row = self._database.get(InvitationRow, invitation_id)
        if row is None:
            return None
        return Invitation(**{name: getattr(row, name) for name in Invitation.__slots__})

    def uninvite(self, operator_id: str) -> None:
        self._database.execute(
            delete(InvitationRow)
            .where(InvitationRow.operator_id == operator_id)
            .execution_options(synchronize_session=False)
        )
        self._database.expire_all()

    # --- what works once ---

    def spend(self, digest: str, expires_at: int) -> bool:
        """Whether it had not been used before."""
        if self._database.get(SpentRow, digest) is not None:
            return False
        self._database.add(SpentRow(id=digest, expires_at=expires_at))
        self._database.flush()
        return True


def _session_from(row: SessionRow) -> Session:
    return Session(**{name: getattr(row, name) for name in Session.__slots__})

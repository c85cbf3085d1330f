"""Which operators are there, and what are they where? A membership is of one organization; a person may have many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import Session

from app.store.models import InvitationRow, MembershipRow, OperatorRow, PasskeyRow, SessionRow, SignInRow
from app.store.places import in_order
from app.store.rows import grants_text, membership_from, operator_from, roles_text
from tokenserver.domain.operators import NO_RIGHTS, Member, Membership, Operator, OperatorRole, Rights, rights_of
from tokenserver.errors import PreconditionFailed


@dataclass(frozen=True, slots=True)
class SignInFacts:
    """`seen_at` is when they were last seen here, of sessions that are kept; `invited_until` when their link ends;
    `signed_in_at` when they last signed in, wherever they went.
    """

    second_factor: bool = False
    seen_at: int | None = None
    invited_until: int | None = None
    signed_in_at: int | None = None


class OperatorStore:
    def __init__(self, session: Session) -> None:
        self._session = session

    def by_email(self, email: str) -> Operator | None:
        row = self._session.scalars(select(OperatorRow).where(OperatorRow.email == email)).first()
        return None if row is None else operator_from(row)

    def get(self, operator_id: str) -> Operator | None:
        row = self._session.get(OperatorRow, operator_id)
        return None if row is None else operator_from(row)

    def some(self, organization_id: str, operator_ids: Sequence[str]) -> list[tuple[Operator, bool]]:
        """Those of these that are there, wherever they are members; as they are called here, and whether they are one
        here.
        """
        here = and_(MembershipRow.operator_id == OperatorRow.id, MembershipRow.organization_id == organization_id)
        is_member = MembershipRow.operator_id.is_not(None)
        query = select(OperatorRow, MembershipRow.called, is_member).outerjoin(MembershipRow, here)
        found = self._session.execute(query.where(OperatorRow.id.in_(operator_ids)))
        return [(_called(operator_from(person), called), bool(member)) for person, called, member in found]

    def member(self, organization_id: str, operator_id: str) -> Member | None:
        found = self._members(organization_id).where(OperatorRow.id == operator_id)
        row = self._session.execute(found).first()
        return None if row is None else _member(*row)

    def rights(self, organization_id: str, operator_id: str) -> Rights:
        """What the operator holds there; of one who is no member, nothing."""
        found = self.member(organization_id, operator_id)
        if found is not None:
            return rights_of(*found)
        person = self.get(operator_id)
        return NO_RIGHTS if person is None else rights_of(person, None)

    def organizations_of(self, operator_id: str) -> list[str]:
        """Where they are a member, the longest first."""
        mine = select(MembershipRow.organization_id).where(MembershipRow.operator_id == operator_id)
        return list(self._session.scalars(mine.order_by(MembershipRow.created_at, MembershipRow.organization_id)))

    def page(self, organization_id: str, after: tuple[int, str] | None, limit: int) -> list[Member]:
        """Who has been a member for longest first; `after` is the place of the last one seen."""
        place = (MembershipRow.created_at, MembershipRow.operator_id)
        query = in_order(self._members(organization_id), place, after).limit(limit)
        return [_member(*found) for found in self._session.execute(query)]

    def owners(self, organization_id: str) -> int:
        """How many owners the organization has."""
        return self._session.scalars(
            select(func.count())
            .select_from(MembershipRow)
            .where(MembershipRow.organization_id == organization_id, MembershipRow.role == OperatorRole.OWNER.value)
        ).one()

    def first(self, organization_id: str) -> Operator | None:
        """Who has been a member for longest."""
        found = self.page(organization_id, None, 1)
        return found[0][0] if found else None

    def add(self, operator: Operator) -> None:
        self._session.add(
            OperatorRow(
                id=operator.id,
                email=operator.email,
                name=operator.name,
                platform_admin=operator.platform_admin,
                created_at=operator.created_at,
            )
        )
        self._session.flush()

    def save(self, operator: Operator) -> None:
        row = self._session.get_one(OperatorRow, operator.id)
        row.name, row.platform_admin = operator.name, operator.platform_admin
        self._session.flush()

    def add_member(self, organization_id: str, membership: Membership, called: str | None = None) -> None:
        """`called`: by which name, of somebody whose own is not for those here to read before they have been here."""
        self._session.add(
            MembershipRow(
                organization_id=organization_id,
                operator_id=membership.operator_id,
                created_at=membership.created_at,
                called=called,
                **_columns(membership),
            )
        )
        self._session.flush()

    def called(self, organization_id: str, operator_id: str) -> str | None:
        """By which name they go here, where it is not their own; see `MembershipRow`."""
        row = self._session.get(MembershipRow, (organization_id, operator_id))
        return None if row is None else row.called

    def call(self, organization_id: str, operator_id: str, name: str | None) -> None:
        """None: they have been here, and go by their own name from now on."""
        row = self._session.get(MembershipRow, (organization_id, operator_id))
        if row is not None and row.called != name:
            row.called = name
            self._session.flush()

    def save_member(self, organization_id: str, membership: Membership, *, was: Membership) -> None:
        row = self._session.get_one(MembershipRow, (organization_id, was.operator_id))
        if row.version != was.version:
            raise PreconditionFailed
        for name, value in _columns(membership).items():
            setattr(row, name, value)
        self._session.flush()

    def remove_member(self, organization_id: str, operator_id: str) -> None:
        """The person stays known while a member anywhere, or a platform admin."""
        self._session.delete(self._session.get_one(MembershipRow, (organization_id, operator_id)))
        self._session.flush()
        person = self._session.get_one(OperatorRow, operator_id)
        elsewhere = select(MembershipRow.operator_id).where(MembershipRow.operator_id == operator_id).limit(1)
        if not person.platform_admin and self._session.scalars(elsewhere).first() is None:
            self._session.delete(person)
            self._session.flush()

    def sign_ins(self, organization_id: str, operator_ids: Sequence[str], now: float) -> dict[str, SignInFacts]:
        """How each of these operators stands with signing in, by ID; of who has not been here yet, whether they are
        invited and nothing else.
        """
        strangers = set(
            self._session.scalars(
                select(MembershipRow.operator_id).where(
                    MembershipRow.organization_id == organization_id,
                    MembershipRow.operator_id.in_(operator_ids),
                    MembershipRow.called.is_not(None),
                )
            )
        )
        codes = select(SignInRow.operator_id).where(
            SignInRow.operator_id.in_(operator_ids), SignInRow.totp_since.is_not(None)
        )
        keys = select(PasskeyRow.operator_id).where(PasskeyRow.operator_id.in_(operator_ids))
        second = {*self._session.scalars(codes), *self._session.scalars(keys)}
        here = (
            select(SessionRow.operator_id, func.max(SessionRow.seen_at))
            .where(SessionRow.operator_id.in_(operator_ids), SessionRow.organization_id == organization_id)
            .where(SessionRow.awaits.is_(None))
            .group_by(SessionRow.operator_id)
        )
        links = select(InvitationRow.operator_id, InvitationRow.expires_at).where(
            InvitationRow.operator_id.in_(operator_ids), InvitationRow.expires_at > now
        )
        signed_in = select(SignInRow.operator_id, SignInRow.signed_in_at).where(SignInRow.operator_id.in_(operator_ids))
        last = {row[0]: row[1] for row in self._session.execute(signed_in)}
        seen = {row[0]: row[1] for row in self._session.execute(here)}
        invited = {row[0]: row[1] for row in self._session.execute(links)}
        return {
            one: SignInFacts(invited_until=invited.get(one))
            if one in strangers
            else SignInFacts(one in second, seen.get(one), invited.get(one), last.get(one))
            for one in operator_ids
        }

    @staticmethod
    def _members(organization_id: str) -> Select[OperatorRow, MembershipRow]:
        return (
            select(OperatorRow, MembershipRow)
            .join(MembershipRow, MembershipRow.operator_id == OperatorRow.id)
            .where(MembershipRow.organization_id == organization_id)
        )


def _member(person: OperatorRow, row: MembershipRow) -> Member:
    return _called(operator_from(person), row.called), membership_from(row)


def _called(person: Operator, called: str | None) -> Operator:
    return person if called is None else replace(person, name=called)


def _columns(membership: Membership) -> dict[str, object]:
    return {
        "role": membership.role.value,
        "roles": None if membership.roles is None else roles_text(membership.roles),
        "grants": None if membership.grants is None else grants_text(membership.grants),
        "version": membership.version,
    }

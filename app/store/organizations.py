"""Which organizations and operators are there?"""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.store.models import InstallationRow, MembershipRow, OperatorRow, OrganizationRow
from app.store.rows import grants_text, organization_from, roles_text
from tokenserver.domain.grant import Organization
from tokenserver.domain.operators import Membership, Operator


class OrganizationStore:
    def __init__(self, session: Session) -> None:
        self._session = session

    def first(self) -> Organization | None:
        """The default organization: the oldest one."""
        row = self._session.scalars(select(OrganizationRow).order_by(OrganizationRow.created_at).limit(1)).first()
        return None if row is None else organization_from(row)

    def all(self) -> list[Organization]:
        return [organization_from(row) for row in self._session.scalars(select(OrganizationRow))]

    def save_generation(self, organization: Organization) -> None:
        generation = organization.generation
        self._session.execute(
            update(OrganizationRow)
            .where(OrganizationRow.id == organization.id)
            .values(
                gen_current=generation.current,
                gen_floor=generation.floor,
                gen_next_floor=generation.next_floor,
                gen_next_floor_at=generation.next_floor_at,
            )
            .execution_options(synchronize_session=False)
        )

    def get(self, organization_id: str) -> Organization | None:
        row = self._session.get(OrganizationRow, organization_id)
        return None if row is None else organization_from(row)

    def add(self, organization: Organization, now: int) -> None:
        generation = organization.generation
        self._session.add(
            OrganizationRow(
                id=organization.id,
                name=organization.name,
                gen_current=generation.current,
                gen_floor=generation.floor,
                gen_next_floor=generation.next_floor,
                gen_next_floor_at=generation.next_floor_at,
                created_at=now,
            )
        )
        self._session.flush()

    def operator_email(self, organization_id: str) -> str | None:
        """Of the operator who has been a member for longest."""
        return self._session.scalars(
            select(OperatorRow.email)
            .join(MembershipRow, MembershipRow.operator_id == OperatorRow.id)
            .where(MembershipRow.organization_id == organization_id)
            .order_by(MembershipRow.created_at, OperatorRow.created_at)
            .limit(1)
        ).first()

    def add_operator(self, operator: Operator, now: int) -> None:
        self._session.add(
            OperatorRow(
                id=operator.id,
                email=operator.email,
                name=operator.name,
                platform_admin=operator.platform_admin,
                created_at=now,
            )
        )
        self._session.flush()

    def add_member(self, organization_id: str, membership: Membership, now: int) -> None:
        self._session.add(
            MembershipRow(
                organization_id=organization_id,
                operator_id=membership.operator_id,
                role=membership.role.value,
                roles=None if membership.roles is None else roles_text(membership.roles),
                grants=None if membership.grants is None else grants_text(membership.grants),
                created_at=now,
                version=membership.version,
            )
        )
        self._session.flush()

    def fact(self, name: str) -> str | None:
        """A fact about this installation."""
        row = self._session.get(InstallationRow, name)
        return None if row is None else row.value

    def set_fact(self, name: str, value: str) -> None:
        self._session.merge(InstallationRow(name=name, value=value))

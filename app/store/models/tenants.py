"""Which organizations are there, with which projects, and who manages them?"""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from app.store.models.table import Base


class OrganizationRow(Base):
    __tablename__ = "organization"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    gen_current: Mapped[int] = mapped_column(default=1)
    gen_floor: Mapped[int] = mapped_column(default=1)
    gen_next_floor: Mapped[int] = mapped_column(default=1)
    gen_next_floor_at: Mapped[int | None]
    suspended_at: Mapped[int | None]
    created_at: Mapped[int]
    credential_quota: Mapped[int | None]
    longest_expiry_days: Mapped[int | None]
    names_are_fixed: Mapped[bool] = mapped_column(server_default=false())
    version: Mapped[int] = mapped_column(server_default="1")


class ProjectRow(Base):
    __tablename__ = "project"
    __table_args__ = (UniqueConstraint("organization_id", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    name: Mapped[str]
    description: Mapped[str]
    created_at: Mapped[int]
    version: Mapped[int]


class OperatorRow(Base):
    """A person. What they may do, and where, is in their memberships, except that a platform admin may do all."""

    __tablename__ = "operator"
    __table_args__ = (UniqueConstraint("email"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str]
    name: Mapped[str]
    platform_admin: Mapped[bool]
    created_at: Mapped[int]


class MembershipRow(Base):
    """What an operator is in an organization. `roles` and `grants` (JSON, as of a credential) bound what a member's
    personal credentials may hold; null is all that the organization has. `called` is what whoever added them has
    called them, of somebody who was known elsewhere and has not been here yet; null: they go by their own name.
    """

    __tablename__ = "membership"
    __table_args__ = (Index(None, "operator_id"),)

    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    operator_id: Mapped[str] = mapped_column(ForeignKey("operator.id"), primary_key=True)
    role: Mapped[str]
    roles: Mapped[str | None]
    grants: Mapped[str | None]
    created_at: Mapped[int]
    version: Mapped[int]
    called: Mapped[str | None]

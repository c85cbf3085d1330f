"""What can be granted? APIs with their scopes, and roles."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.store.models.table import Base, where_true


class ApiRow(Base):
    __tablename__ = "api"
    __table_args__ = (
        UniqueConstraint("organization_id", "audience"),
        Index("uq_api_shared", "audience", unique=True, **where_true("shared")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    audience: Mapped[str]
    name: Mapped[str]
    created_at: Mapped[int]
    version: Mapped[int]
    shared: Mapped[bool] = mapped_column(server_default=false())
    scopes: Mapped[list[ApiScopeRow]] = relationship(
        cascade="all, delete-orphan", lazy="selectin", order_by="ApiScopeRow.position"
    )


class ApiScopeRow(Base):
    __tablename__ = "api_scope"

    api_id: Mapped[str] = mapped_column(ForeignKey("api.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    access: Mapped[str]
    sensitive: Mapped[bool]
    description: Mapped[str]
    position: Mapped[int]


class RoleRow(Base):
    __tablename__ = "role"
    __table_args__ = (
        UniqueConstraint("organization_id", "name"),
        Index("uq_role_shared", "name", unique=True, **where_true("shared")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    name: Mapped[str]
    description: Mapped[str]
    audience: Mapped[str | None]
    created_at: Mapped[int]
    version: Mapped[int]
    shared: Mapped[bool] = mapped_column(server_default=false())

"""What was done with tokens? Reports of resource servers by the hour, and how many tokens were issued."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.store.models.table import CLUSTERED, Base


class UsageRow(Base):
    """What one credential did at one API within an hour, by instance, route, status, address and what it needed there.

    `client_id` is empty for whoever has proven nothing, `route`, `address` and `needs` where they were not told.
    """

    __tablename__ = "usage"
    __table_args__ = (Index(None, "hour"), CLUSTERED)

    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    client_id: Mapped[str] = mapped_column(primary_key=True)
    api_id: Mapped[str] = mapped_column(primary_key=True)
    hour: Mapped[int] = mapped_column(primary_key=True)
    instance: Mapped[str] = mapped_column(primary_key=True)
    route: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(primary_key=True)
    needs: Mapped[str] = mapped_column(primary_key=True, server_default=text("''"))
    count: Mapped[int]
    first_at: Mapped[int]
    last_at: Mapped[int]


class UsageInstanceRow(Base):
    """A process of a resource server: its last report, and the last changes of the feed that it has applied (JSON)."""

    __tablename__ = "usage_instance"
    __table_args__ = (Index(None, "reported_ms"), CLUSTERED)

    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    api_id: Mapped[str] = mapped_column(primary_key=True)
    process: Mapped[str] = mapped_column(primary_key=True)
    instance: Mapped[str]
    reported_ms: Mapped[int]
    interval_ms: Mapped[int]
    batch: Mapped[int]
    untold: Mapped[int]
    has_left: Mapped[bool]
    applied: Mapped[str]


class ActivityRow(Base):
    """How many tokens an organization's credentials were issued in an hour, and refused for one reason.

    `reason` is empty of what was issued. Refusals of strangers are of no organization: its ID is empty. Of hour -1, and
    of no organization either, is the sum of everything that was ever counted.
    """

    __tablename__ = "activity"
    __table_args__ = (Index(None, "hour"), CLUSTERED)

    organization_id: Mapped[str] = mapped_column(primary_key=True)
    hour: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    reason: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]


class ActivityPlaceRow(Base):
    """How far each chain of the audit log has been counted into `activity`."""

    __tablename__ = "activity_place"

    chain: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int]

"""What is to be told to whom? Events in the outbox, webhooks, and what came of each delivery."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.store.models.table import Base


class OutboxRow(Base):
    """What webhooks have to be told: written in the transaction of the change, told afterwards. `data` is JSON."""

    __tablename__ = "outbox"
    __table_args__ = (Index(None, "at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    type: Mapped[str]
    at: Mapped[int]
    data: Mapped[str]


class WebhookRow(Base):
    """`subscriptions` is a JSON list; `sealed` and `previous_sealed` are its secrets under the key-encryption key.

    `failing_since` is the first failure since the last success. One that was deleted is gone from lists; its deliveries
    are removed a few at a time, and then the row.
    """

    __tablename__ = "webhook"
    __table_args__ = (Index(None, "organization_id", "created_at", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    url: Mapped[str]
    description: Mapped[str]
    subscriptions: Mapped[str]
    sealed: Mapped[bytes]
    previous_sealed: Mapped[bytes | None]
    previous_until: Mapped[int | None]
    disabled_at: Mapped[int | None]
    disabled_reason: Mapped[str]
    failing_since: Mapped[int | None]
    last_success_at: Mapped[int | None]
    deleted_at: Mapped[int | None]
    created_at: Mapped[int]
    created_by: Mapped[str]
    version: Mapped[int]


class DeliveryRow(Base):
    """What is owed to one webhook; `body` is what is sent. While it is being tried, `claimed_until` and `next_at` say
    when it is taken for lost and tried again; once it is over, `next_at` is null.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        Index(None, "webhook_id", "next_at"),
        Index(None, "webhook_id", "created_at", "id"),
        Index(None, "created_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhook.id"))
    event_id: Mapped[str]
    type: Mapped[str]
    body: Mapped[str]
    state: Mapped[str]
    attempts: Mapped[int]
    tries: Mapped[int]
    next_at: Mapped[int | None]
    claimed_until: Mapped[int | None]
    until: Mapped[int]
    created_at: Mapped[int]


class AttemptRow(Base):
    """One attempt at a delivery: what the receiver answered, or in our words why it did not."""

    __tablename__ = "webhook_attempt"

    delivery_id: Mapped[str] = mapped_column(ForeignKey("webhook_delivery.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    at: Mapped[int]
    duration_ms: Mapped[int]
    status: Mapped[int | None]
    error: Mapped[str | None]

"""What does the server need for itself? The feed, signing keys, counters, leases and what was asked before."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.store.models.table import CLUSTERED, Base


class GenerationEventRow(Base):
    """One line of the feed. `kind`: floor (of the credential or organization `ref`), token (`jti`), key (`kid`)."""

    __tablename__ = "generation_event"
    __table_args__ = (Index(None, "kind", "ref"),)

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    organization_id: Mapped[str]
    kind: Mapped[str]
    ref: Mapped[str]
    floor: Mapped[int]
    effective_at: Mapped[int]
    told_ms: Mapped[int | None]
    """When it was recorded, in milliseconds since the epoch; null where it was before this was kept."""


class CounterRow(Base):
    """Gapless numbers, taken under the row's lock: `feed` (the last seq) and `catalogue` (the version of APIs)."""

    __tablename__ = "counter"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int]


class SigningKeyRow(Base):
    """`sealed` is the private key under the key-encryption key; `jwk` is public."""

    __tablename__ = "signing_key"

    kid: Mapped[str] = mapped_column(primary_key=True)
    alg: Mapped[str]
    jwk: Mapped[str]
    sealed: Mapped[bytes]
    created_at: Mapped[int]
    active_from: Mapped[int]
    revoked_at: Mapped[int | None]


class IdempotencyRow(Base):
    """What a caller's request under an `Idempotency-Key` came to, for a day. `key` and `request` are digests.

    `status` is null from the commit of the change until its answer is kept; `headers` and `body` are JSON, without any
    secret.
    """

    __tablename__ = "idempotency"
    __table_args__ = (Index(None, "created_at"), CLUSTERED)

    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    caller: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request: Mapped[str]
    claim: Mapped[str]
    created_at: Mapped[int]
    status: Mapped[int | None]
    headers: Mapped[str]
    body: Mapped[str | None]


class LeaseRow(Base):
    """Which process does the work of the clock: whoever holds the lease until it ends or is handed back."""

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    ends_at: Mapped[int]


class InstallationRow(Base):
    """Facts about this installation, such as which pepper its digests were made with."""

    __tablename__ = "installation"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]

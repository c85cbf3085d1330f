"""Which credentials are there, and what is kept about each?"""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.store.models.table import CLUSTERED, Base, where

_TELLING_STATUS = ("deleted_at", "revoked_at", "disabled_at", "expires_at")


class CredentialRow(Base):
    """`roles`, `grants` and `allowed_ips` are JSON; a long list of ranges is `{"sha256": digest}` of a network list.

    `name_key` is the name as it is compared and sorted (see `rows.name_key_of`). `used_at` follows the last use of its
    secrets at a distance (see `uses`); 0 is never.
    `owner_id` is the operator whose personal credential it is. `rotation_schedule` is JSON.
    """

    __tablename__ = "credential"
    __table_args__ = (
        # Every status can be told from the index itself, so that a list by status reads no row that it does not show.
        Index("ix_credential_listed", "organization_id", "created_at", "client_id", *_TELLING_STATUS),
        Index("ix_credential_expiring", "organization_id", "expires_at", "client_id", *_TELLING_STATUS[:-1]),
        Index("ix_credential_used", "organization_id", "used_at", "client_id", *_TELLING_STATUS),
        Index(None, "organization_id", "name_key", unique=True),
        Index(None, "owner_id"),
        Index(None, "rotate_at", **where("rotate_at IS NOT NULL AND disabled_at IS NULL")),
        Index(None, "expires_at", "client_id", **where("revoked_at IS NULL AND deleted_at IS NULL")),
        CLUSTERED,
    )

    client_id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    name: Mapped[str]
    name_key: Mapped[str] = mapped_column(server_default=text("''"))
    owner_id: Mapped[str | None]
    description: Mapped[str]
    project: Mapped[str | None]
    environment: Mapped[str | None]
    roles: Mapped[str]
    grants: Mapped[str]
    allowed_ips: Mapped[str | None]
    token_lifetime: Mapped[int]
    expires_at: Mapped[int | None]
    gen_current: Mapped[int]
    gen_floor: Mapped[int]
    gen_next_floor: Mapped[int]
    gen_next_floor_at: Mapped[int | None]
    disabled_at: Mapped[int | None]
    revoked_at: Mapped[int | None]
    revoked_reason: Mapped[str]
    deleted_at: Mapped[int | None]
    created_at: Mapped[int]
    created_by: Mapped[str]
    version: Mapped[int]
    rotation_schedule: Mapped[str | None]
    rotate_at: Mapped[int | None]
    used_at: Mapped[int] = mapped_column(server_default=text("0"))


class CredentialSecretRow(Base):
    __tablename__ = "credential_secret"
    __table_args__ = (Index(None, "client_id"), Index(None, "fingerprint"))

    id: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("credential.client_id"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    digest: Mapped[bytes]
    fingerprint: Mapped[bytes | None]
    pepper_id: Mapped[str]
    hint: Mapped[str]
    state: Mapped[str]
    created_at: Mapped[int]
    expires_at: Mapped[int | None]


class LastUseRow(Base):
    """When a secret last proved itself, and from where. Apart from the secret, whose row then never waits for it."""

    __tablename__ = "last_use"
    __table_args__ = CLUSTERED

    secret_id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[int]
    address: Mapped[str]


class RotationRow(Base):
    """A rotation on schedule that is under way: at most one of a credential. `sealed` is the new secret, the only one
    that is ever held; the row goes when the secret is in use or withdrawn, and the sealed value with it.
    """

    __tablename__ = "rotation"
    __table_args__ = (Index(None, "look_at"), CLUSTERED)

    client_id: Mapped[str] = mapped_column(ForeignKey("credential.client_id"), primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    secret_id: Mapped[str]
    sealed: Mapped[bytes]
    grace_seconds: Mapped[int]
    on_unclaimed: Mapped[str]
    prepared_at: Mapped[int]
    ends_at: Mapped[int]
    look_at: Mapped[int]
    claimed_at: Mapped[int | None]
    reminded: Mapped[bool]
    extended: Mapped[bool]
    alerted: Mapped[bool]


class ExpiryNoticeRow(Base):
    """Up to which expiry, and which client ID at that very moment, the notice so many days before has been given."""

    __tablename__ = "expiry_notice"

    days: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    expires_at: Mapped[int]
    client_id: Mapped[str]


class NetworkListRow(Base):
    """A long list of allowed ranges under the digest of its normal form: immutable, shared, never deleted."""

    __tablename__ = "network_list"

    digest: Mapped[str] = mapped_column(primary_key=True)
    ranges: Mapped[str]

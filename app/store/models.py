"""Which tables are there? Rows as the database sees them; `rows.py` turns them into domain values and back.

Moments are whole seconds since the epoch in integer columns: no database's idea of time zones is involved. Every row
of a tenant carries `organization_id`, and every query in this package is scoped by it. There is no table of tokens.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, MetaData, Text, UniqueConstraint, false, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry, relationship


class Base(DeclarativeBase):
    """A plain base, so that the Flask extension that carries it stays replaceable."""

    registry = registry(
        metadata=MetaData(
            naming_convention={
                "ix": "ix_%(table_name)s_%(column_0_N_name)s",
                "uq": "uq_%(table_name)s_%(column_0_N_name)s",
                "fk": "fk_%(table_name)s_%(column_0_name)s",
                "pk": "pk_%(table_name)s",
            }
        ),
        type_annotation_map={int: BigInteger, str: Text, bytes: LargeBinary},
    )


_CLUSTERED = {"sqlite_with_rowid": False}
"""On SQLite the row lies in the tree of its key: one descent instead of two where a text is the key."""


def _where(condition: str) -> dict[str, Any]:
    """An index of some rows only."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


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
    personal credentials may hold; null is all that the organization has.
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


class ApiRow(Base):
    __tablename__ = "api"
    __table_args__ = (UniqueConstraint("organization_id", "audience"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    audience: Mapped[str]
    name: Mapped[str]
    created_at: Mapped[int]
    version: Mapped[int]
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
    __table_args__ = (UniqueConstraint("organization_id", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    name: Mapped[str]
    description: Mapped[str]
    audience: Mapped[str | None]
    created_at: Mapped[int]
    version: Mapped[int]


_TELLING_STATUS = ("deleted_at", "revoked_at", "disabled_at", "expires_at")


class CredentialRow(Base):
    """`roles`, `grants` and `allowed_ips` are JSON; a long list of ranges is `{"sha256": digest}` of a network list.

    `name_key` is the name as it is compared and sorted (see `rows.name_key_of`).
    `owner_id` is the operator whose personal credential it is. `rotation_schedule` is JSON.
    """

    __tablename__ = "credential"
    __table_args__ = (
        # Every status can be told from the index itself, so that a list by status reads no row that it does not show.
        Index("ix_credential_listed", "organization_id", "created_at", "client_id", *_TELLING_STATUS),
        Index(None, "organization_id", "name_key", unique=True),
        Index(None, "owner_id"),
        Index(None, "rotate_at", **_where("rotate_at IS NOT NULL AND disabled_at IS NULL")),
        Index(None, "expires_at", "client_id", **_where("revoked_at IS NULL AND deleted_at IS NULL")),
        _CLUSTERED,
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
    __table_args__ = _CLUSTERED

    secret_id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[int]
    address: Mapped[str]


class RotationRow(Base):
    """A rotation on schedule that is under way: at most one of a credential. `sealed` is the new secret, the only one
    that is ever held; the row goes when the secret is in use or withdrawn, and the sealed value with it.
    """

    __tablename__ = "rotation"
    __table_args__ = (Index(None, "look_at"), _CLUSTERED)

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


class AuditChainRow(Base):
    """The head of a chain: the number and hash of its last line."""

    __tablename__ = "audit_chain"

    chain: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int]
    hash: Mapped[str]


class AuditEventRow(Base):
    """`line` is the canonical JSON that the hash covers; the other columns repeat members of it, to search by.

    What is indexed, every token pays for: see `audit_search`.
    """

    __tablename__ = "audit_event"
    __table_args__ = (
        Index(None, "organization_id", "at"),
        Index(
            "ix_audit_event_changes",
            "organization_id",
            "at",
            "seq",
            sqlite_where=text("chain = 'changes'"),
            postgresql_where=text("chain = 'changes'"),
        ),
        _CLUSTERED,
    )

    chain: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    organization_id: Mapped[str]
    at: Mapped[int]
    line: Mapped[str]
    hash: Mapped[str]


class AuditStubRow(Base):
    """What is left of the beginning of a chain that was pruned: the last line that is gone, signed."""

    __tablename__ = "audit_stub"

    chain: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int]
    hash: Mapped[str]
    statement: Mapped[str]


class AuditCheckpointRow(Base):
    """How far the chains had come, signed; numbered without a gap."""

    __tablename__ = "audit_checkpoint"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[int]
    statement: Mapped[str]


class AuditCheckpointHeadRow(Base):
    """How far the last checkpoint that names a chain says it had come: what has moved since is told by the next."""

    __tablename__ = "audit_checkpoint_head"

    chain: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int]


class OutboxRow(Base):
    """What webhooks have to be told: written in the transaction of the change, told afterwards. `data` is JSON."""

    __tablename__ = "outbox"
    __table_args__ = (Index(None, "at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    type: Mapped[str]
    at: Mapped[int]
    data: Mapped[str]


class IdempotencyRow(Base):
    """What a caller's request under an `Idempotency-Key` came to, for a day. `key` and `request` are digests.

    `status` is null from the commit of the change until its answer is kept; `headers` and `body` are JSON, without any
    secret.
    """

    __tablename__ = "idempotency"
    __table_args__ = (Index(None, "created_at"), _CLUSTERED)

    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    caller: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request: Mapped[str]
    claim: Mapped[str]
    created_at: Mapped[int]
    status: Mapped[int | None]
    headers: Mapped[str]
    body: Mapped[str | None]


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


class UsageRow(Base):
    """What one credential did at one API within an hour, by instance, route, status, address and what it needed there.

    `client_id` is empty for whoever has proven nothing, `route`, `address` and `needs` where they were not told.
    """

    __tablename__ = "usage"
    __table_args__ = (Index(None, "hour"), _CLUSTERED)

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
    __table_args__ = (Index(None, "reported_ms"), _CLUSTERED)

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

    `reason` is empty of what was issued. Refusals of strangers are of no organization: its ID is empty.
    """

    __tablename__ = "activity"
    __table_args__ = (Index(None, "hour"), _CLUSTERED)

    organization_id: Mapped[str] = mapped_column(primary_key=True)
    hour: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    reason: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]


class ActivityPlaceRow(Base):
    """How far each chain of the audit log has been counted into `activity`."""

    __tablename__ = "activity_place"

    chain: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int]


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

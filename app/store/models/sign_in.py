"""How do operators prove who they are, and where are they signed in?

What is of a person goes with the person. What is typed or shown once is kept as a digest; what must come back
in clear (the seed of one-time codes) is sealed.
"""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.store.models.table import Base


def _operator() -> ForeignKey:
    return ForeignKey("operator.id", ondelete="CASCADE")


class SignInRow(Base):
    """A person's password and one-time codes. `totp_since` is null until the first code was right; `totp_step` is that
    of the last code: none is taken twice. `signed_in_at` is when they last signed in, by whatever they did.
    """

    __tablename__ = "sign_in"

    operator_id: Mapped[str] = mapped_column(_operator(), primary_key=True)
    password_hash: Mapped[str | None]
    password_set_at: Mapped[int | None]
    totp_sealed: Mapped[bytes | None]
    totp_since: Mapped[int | None]
    totp_step: Mapped[int] = mapped_column(default=0)
    signed_in_at: Mapped[int | None]


class SessionRow(Base):
    """Where an operator is signed in. `id` is a digest of what the cookie holds. `proven_at` is when they last proved
    who they are; `awaits` names the proof that is missing before anything else is shown.
    """

    __tablename__ = "session"
    __table_args__ = (Index(None, "operator_id"), Index(None, "created_at"))

    id: Mapped[str] = mapped_column(primary_key=True)
    operator_id: Mapped[str] = mapped_column(_operator())
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    method: Mapped[str]
    awaits: Mapped[str | None]
    created_at: Mapped[int]
    seen_at: Mapped[int]
    proven_at: Mapped[int]
    address: Mapped[str]
    agent: Mapped[str]


class InvitationRow(Base):
    """A link that works once: the first password of a new operator, or another one. `id` is a digest of its token."""

    __tablename__ = "invitation"
    __table_args__ = (Index(None, "operator_id"), Index(None, "expires_at"))

    id: Mapped[str] = mapped_column(primary_key=True)
    operator_id: Mapped[str] = mapped_column(_operator())
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    created_at: Mapped[int]
    created_by: Mapped[str]
    expires_at: Mapped[int]


class PasskeyRow(Base):
    """A public key of an authenticator (WebAuthn). `id` is its credential ID, base64url."""

    __tablename__ = "passkey"
    __table_args__ = (Index(None, "operator_id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    operator_id: Mapped[str] = mapped_column(_operator())
    name: Mapped[str]
    public_key: Mapped[bytes]
    sign_count: Mapped[int]
    created_at: Mapped[int]
    last_used_at: Mapped[int | None]


class RecoveryCodeRow(Base):
    """A code that stands in for a lost authenticator, once; `id` is its digest."""

    __tablename__ = "recovery_code"
    __table_args__ = (Index(None, "operator_id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    operator_id: Mapped[str] = mapped_column(_operator())
    created_at: Mapped[int]


class IdentityRow(Base):
    """Who a person is at another issuer (OpenID Connect)."""

    __tablename__ = "identity"
    __table_args__ = (Index(None, "operator_id"),)

    issuer: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    operator_id: Mapped[str] = mapped_column(_operator())
    created_at: Mapped[int]


class FailureRow(Base):
    """How often in a row somebody was wrong, and when last. `id` is a digest of what they claimed and where from."""

    __tablename__ = "sign_in_failure"
    __table_args__ = (Index(None, "failed_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]
    failed_at: Mapped[int]


class SpentRow(Base):
    """What works once and was used, such as a challenge: a digest, kept until it would have expired anyway."""

    __tablename__ = "spent"
    __table_args__ = (Index(None, "expires_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[int]

"""What has happened? The audit log: chains of lines, the checkpoints over them, and what stands for what is gone."""

from __future__ import annotations

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from app.store.models.table import CLUSTERED, Base, where


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
        Index("ix_audit_event_changes", "organization_id", "at", "seq", **where("chain = 'changes'")),
        CLUSTERED,
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

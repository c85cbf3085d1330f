"""Rotation on schedule: when a credential is due, the rotations that are under way, how far notices of expiry are.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("credential", sa.Column("rotation_schedule", sa.Text(), nullable=True))
    op.add_column("credential", sa.Column("rotate_at", sa.BigInteger(), nullable=True))
    _index_some("ix_credential_rotate_at", ["rotate_at"], "rotate_at IS NOT NULL AND disabled_at IS NULL")
    alive = "revoked_at IS NULL AND deleted_at IS NULL"
    _index_some("ix_credential_expires_at_client_id", ["expires_at", "client_id"], alive)
    op.create_table(
        "rotation",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("secret_id", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("grace_seconds", sa.BigInteger(), nullable=False),
        sa.Column("on_unclaimed", sa.Text(), nullable=False),
        sa.Column("prepared_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("look_at", sa.BigInteger(), nullable=False),
        sa.Column("claimed_at", sa.BigInteger(), nullable=True),
        sa.Column("reminded", sa.Boolean(), nullable=False),
        sa.Column("extended", sa.Boolean(), nullable=False),
        sa.Column("alerted", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["credential.client_id"], name="fk_rotation_client_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_rotation_organization_id"),
        sa.PrimaryKeyConstraint("client_id", name="pk_rotation"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_rotation_look_at", "rotation", ["look_at"])
    op.create_table(
        "expiry_notice",
        sa.Column("days", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("days", name="pk_expiry_notice"),
    )


def _index_some(name: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "credential", columns, sqlite_where=where, postgresql_where=where)

"""What resource servers tell of their use, how far each has come, and when each change of the feed was recorded.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("generation_event", sa.Column("told_ms", sa.BigInteger(), nullable=True))
    op.create_table(
        "usage",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("api_id", sa.Text(), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_usage_organization_id"),
        sa.PrimaryKeyConstraint(
            "organization_id",
            "client_id",
            "api_id",
            "hour",
            "instance",
            "route",
            "status",
            "address",
            name="pk_usage",
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_usage_hour", "usage", ["hour"])
    op.create_table(
        "usage_instance",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("api_id", sa.Text(), nullable=False),
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("reported_ms", sa.BigInteger(), nullable=False),
        sa.Column("interval_ms", sa.BigInteger(), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.Column("untold", sa.BigInteger(), nullable=False),
        sa.Column("has_left", sa.Boolean(), nullable=False),
        sa.Column("applied", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_usage_instance_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", "api_id", "process", name="pk_usage_instance"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_usage_instance_reported_ms", "usage_instance", ["reported_ms"])

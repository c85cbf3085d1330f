"""Which roles and scopes a route required of whom it let in: a part of what sums of usage are told apart by.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_KEY = ("organization_id", "client_id", "api_id", "hour", "instance", "route", "status", "address", "needs")
_COPIED = (*_KEY[:-1], "count", "first_at", "last_at")


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _make_anew()
        return
    op.add_column("usage", sa.Column("needs", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.drop_constraint("pk_usage", "usage", type_="primary")
    op.create_primary_key("pk_usage", "usage", list(_KEY))


def _make_anew() -> None:
    """SQLite cannot change the key of a table."""
    op.create_table(
        "usage_anew",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("api_id", sa.Text(), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("needs", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_usage_organization_id"),
        sa.PrimaryKeyConstraint(*_KEY, name="pk_usage"),
        sqlite_with_rowid=False,
    )
    columns = ", ".join(_COPIED)
    op.execute(f"INSERT INTO usage_anew ({columns}) SELECT {columns} FROM usage")  # noqa: S608  names of our own
    op.drop_table("usage")
    op.rename_table("usage_anew", "usage")
    op.create_index("ix_usage_hour", "usage", ["hour"])

"""An API or a role may be in the catalogue of every organization.

Revision ID: 0014
Revises: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table, name in (("api", "audience"), ("role", "name")):
        op.add_column(table, sa.Column("shared", sa.Boolean(), nullable=False, server_default=sa.false()))
        op.create_index(
            f"uq_{table}_shared",
            table,
            [name],
            unique=True,
            sqlite_where=sa.text("shared = 1"),
            postgresql_where=sa.text("shared"),
        )

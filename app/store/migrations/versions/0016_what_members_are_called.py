"""Who was known elsewhere goes by what they are called here, until they have been here.

Revision ID: 0016
Revises: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("membership", sa.Column("called", sa.Text(), nullable=True))

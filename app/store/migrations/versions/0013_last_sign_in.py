"""When an operator last signed in is kept, and not only while a session is.

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sign_in", sa.Column("signed_in_at", sa.BigInteger(), nullable=True))
    op.execute(
        "UPDATE sign_in SET signed_in_at = (SELECT max(session.created_at) FROM session"
        " WHERE session.operator_id = sign_in.operator_id AND session.awaits IS NULL)"
    )

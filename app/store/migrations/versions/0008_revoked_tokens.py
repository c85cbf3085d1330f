"""Whether a token was revoked by itself is asked of the feed's rows by its identifier: an index.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_generation_event_kind_ref", "generation_event", ["kind", "ref"])

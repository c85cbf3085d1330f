"""Credentials are listed by expiry and by last use.

Revision ID: 0015
Revises: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("credential", sa.Column("used_at", sa.BigInteger(), nullable=False, server_default=sa.text("0")))
    op.execute(
        "UPDATE credential SET used_at = coalesce((SELECT max(last_use.at) FROM last_use"
        " JOIN credential_secret ON credential_secret.id = last_use.secret_id"
        " WHERE credential_secret.client_id = credential.client_id), 0)"
    )
    status = ["deleted_at", "revoked_at", "disabled_at"]
    op.create_index("ix_credential_expiring", "credential", ["organization_id", "expires_at", "client_id", *status])
    op.create_index(
        "ix_credential_used", "credential", ["organization_id", "used_at", "client_id", *status, "expires_at"]
    )

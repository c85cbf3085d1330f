"""What does the first release remember?

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_chain",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("chain", name="pk_audit_chain"),
    )
    op.create_table(
        "audit_event",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("chain", "seq", name="pk_audit_event"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_audit_event_organization_id_at", "audit_event", ["organization_id", "at"])

    op.create_table(
        "counter",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counter"),
    )
    op.create_table(
        "generation_event",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("floor", sa.BigInteger(), nullable=False),
        sa.Column("effective_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_generation_event"),
    )
    op.create_table(
        "installation",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_installation"),
    )
    op.create_table(
        "last_use",
        sa.Column("secret_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("secret_id", name="pk_last_use"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "network_list",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("ranges", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_network_list"),
    )
    op.create_table(
        "organization",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("gen_current", sa.BigInteger(), nullable=False),
        sa.Column("gen_floor", sa.BigInteger(), nullable=False),
        sa.Column("gen_next_floor", sa.BigInteger(), nullable=False),
        sa.Column("gen_next_floor_at", sa.BigInteger(), nullable=True),
        sa.Column("suspended_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_organization"),
    )
    op.create_table(
        "signing_key",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("alg", sa.Text(), nullable=False),
        sa.Column("jwk", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("active_from", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("kid", name="pk_signing_key"),
    )
    op.create_table(
        "api",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_api_organization_id"),
        sa.PrimaryKeyConstraint("id", name="pk_api"),
        sa.UniqueConstraint("organization_id", "audience", name="uq_api_organization_id_audience"),
    )
    op.create_table(
        "credential",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=True),
        sa.Column("environment", sa.Text(), nullable=True),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("grants", sa.Text(), nullable=False),
        sa.Column("allowed_ips", sa.Text(), nullable=True),
        sa.Column("token_lifetime", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("gen_current", sa.BigInteger(), nullable=False),
        sa.Column("gen_floor", sa.BigInteger(), nullable=False),
        sa.Column("gen_next_floor", sa.BigInteger(), nullable=False),
        sa.Column("gen_next_floor_at", sa.BigInteger(), nullable=True),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_reason", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_credential_organization_id"),
        sa.PrimaryKeyConstraint("client_id", name="pk_credential"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_credential_organization_id_created_at_client_id",
        "credential",
        ["organization_id", "created_at", "client_id"],
    )

    op.create_table(
        "operator",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_operator_organization_id"),
        sa.PrimaryKeyConstraint("id", name="pk_operator"),
        sa.UniqueConstraint("organization_id", "email", name="uq_operator_organization_id_email"),
    )
    op.create_table(
        "role",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_role_organization_id"),
        sa.PrimaryKeyConstraint("id", name="pk_role"),
        sa.UniqueConstraint("organization_id", "name", name="uq_role_organization_id_name"),
    )
    op.create_table(
        "api_scope",
        sa.Column("api_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("access", sa.Text(), nullable=False),
        sa.Column("sensitive", sa.Boolean(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["api_id"], ["api.id"], name="fk_api_scope_api_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_api_scope_organization_id"),
        sa.PrimaryKeyConstraint("api_id", "name", name="pk_api_scope"),
    )
    op.create_table(
        "credential_secret",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("pepper_id", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["client_id"], ["credential.client_id"], name="fk_credential_secret_client_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_credential_secret_organization_id"),
        sa.PrimaryKeyConstraint("id", name="pk_credential_secret"),
    )
    op.create_index("ix_credential_secret_client_id", "credential_secret", ["client_id"])

    counter = sa.table("counter", sa.column("name"), sa.column("value"))
    op.bulk_insert(counter, [{"name": "feed", "value": 0}, {"name": "catalogue", "value": 1}])
    chain = sa.table("audit_chain", sa.column("chain"), sa.column("seq"), sa.column("hash"))
    op.bulk_insert(chain, [{"chain": "changes", "seq": 0, "hash": "0" * 64}])
    installation = sa.table("installation", sa.column("name"), sa.column("value"))
    op.bulk_insert(installation, [{"name": "installation_id", "value": secrets.token_hex(16)}])


def downgrade() -> None:
    """Not supported: restore the backup that was made before the upgrade."""
    raise RuntimeError("restore the backup that was made before the upgrade")

"""What is remembered of organizations: projects, operators and their memberships, owners of credentials, the outbox.

Names of credentials become unique among live ones: where two were the same, the younger keeps its name and is compared
by name and client ID.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tokenserver.domain.credential import name_key

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_AT_ONCE = 10_000


def upgrade() -> None:
    op.add_column("organization", sa.Column("credential_quota", sa.BigInteger(), nullable=True))
    op.add_column("organization", sa.Column("longest_expiry_days", sa.BigInteger(), nullable=True))
    # With defaults that stay: SQLite takes them away only with the whole table, to which others refer.
    fixed: sa.Column[bool] = sa.Column("names_are_fixed", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("organization", fixed)
    op.add_column("organization", sa.Column("version", sa.BigInteger(), nullable=False, server_default="1"))
    op.create_table(
        "project",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_project_organization_id"),
        sa.PrimaryKeyConstraint("id", name="pk_project"),
        sa.UniqueConstraint("organization_id", "name", name="uq_project_organization_id_name"),
    )
    _operators()
    op.create_table(
        "outbox",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_outbox_organization_id"),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_lease"),
    )
    op.add_column("credential", sa.Column("name_key", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("credential", sa.Column("owner_id", sa.Text(), nullable=True))
    _name_keys()
    op.create_index(
        "ix_credential_organization_id_name_key", "credential", ["organization_id", "name_key"], unique=True
    )
    op.create_index("ix_credential_owner_id", "credential", ["owner_id"])
    op.drop_index("ix_credential_organization_id_created_at_client_id", "credential")
    listed = ["created_at", "client_id", "deleted_at", "revoked_at", "disabled_at", "expires_at"]
    op.create_index("ix_credential_listed", "credential", ["organization_id", *listed])


def _operators() -> None:
    """An operator was of one organization; now a membership says so."""
    before = sa.table("operator", *map(sa.column, ("id", "organization_id", "email", "created_at")))
    operators = op.get_bind().execute(sa.select(before).order_by(before.c.created_at, before.c.id)).all()
    op.drop_table("operator")
    after = op.create_table(
        "operator",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("platform_admin", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_operator"),
        sa.UniqueConstraint("email", name="uq_operator_email"),
    )
    membership = op.create_table(
        "membership",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("operator_id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=True),
        sa.Column("grants", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_membership_organization_id"),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name="fk_membership_operator_id"),
        sa.PrimaryKeyConstraint("organization_id", "operator_id", name="pk_membership"),
    )
    op.create_index("ix_membership_operator_id", "membership", ["operator_id"])
    for place, (operator_id, organization_id, email, created_at) in enumerate(operators):
        told = {"id": operator_id, "email": email.lower(), "name": "", "created_at": created_at}
        op.get_bind().execute(after.insert().values(**told, platform_admin=place == 0))
        owner = {"organization_id": organization_id, "operator_id": operator_id, "role": "owner", "version": 1}
        op.get_bind().execute(membership.insert().values(**owner, created_at=created_at))


def _name_keys() -> None:
    columns = ("client_id", "organization_id", "name", "name_key", "revoked_at", "deleted_at", "created_at")
    credential = sa.table("credential", *map(sa.column, columns))
    connection = op.get_bind()
    all_there_are = sa.select(*(credential.c[name] for name in columns)).order_by(credential.c.created_at.desc())
    taken: set[tuple[str, str]] = set()
    keyed = []
    for client_id, organization_id, name, _, revoked_at, deleted_at, _ in connection.execute(all_there_are).all():
        key = name_key(name)
        if revoked_at is not None or deleted_at is not None or (organization_id, key) in taken:
            key = f"{key}\x1f{client_id}"
        taken.add((organization_id, key))
        keyed.append({"of": client_id, "key": key})
    write = credential.update().where(credential.c.client_id == sa.bindparam("of")).values(name_key=sa.bindparam("key"))
    for start in range(0, len(keyed), _AT_ONCE):
        connection.execute(write, keyed[start : start + _AT_ONCE])

"""What do all tables have in common? How they are declared, and what their keys and indexes are called."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, LargeBinary, MetaData, Text, text
from sqlalchemy.orm import DeclarativeBase, registry


class Base(DeclarativeBase):
    """A plain base, so that the Flask extension that carries it stays replaceable."""

    registry = registry(
        metadata=MetaData(
            naming_convention={
                "ix": "ix_%(table_name)s_%(column_0_N_name)s",
                "uq": "uq_%(table_name)s_%(column_0_N_name)s",
                "fk": "fk_%(table_name)s_%(column_0_name)s",
                "pk": "pk_%(table_name)s",
            }
        ),
        type_annotation_map={int: BigInteger, str: Text, bytes: LargeBinary},
    )


CLUSTERED = {"sqlite_with_rowid": False}
"""On SQLite the row lies in the tree of its key: one descent instead of two where a text is the key."""


def where(condition: str) -> dict[str, Any]:
    """An index of some rows only."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def where_true(column: str) -> dict[str, Any]:
    """An index of the rows where a truth holds, as SQLAlchemy asks for it: SQLite has numbers for truths."""
    return {"sqlite_where": text(f"{column} = 1"), "postgresql_where": text(column)}

"""Is the schema of the database the one this code needs? Migrations by Alembic, each in one transaction.

SQLite migrates itself at start, under its write lock, so that two processes that start together do it once. PostgreSQL
migrates by `python -m app migrate`, under an advisory lock. A database that is newer than the code is refused.

Alembic is imported where something has to be migrated, and not at each start: it costs a tenth of a second and ten
megabytes in every worker.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from app.settings import InvalidSettings
from app.store.database import MIGRATION_SECONDS, Store, unavailable_when_broken

HEAD = "0016"
"""The newest migration; a test holds it to what Alembic says."""
MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x746F6B656E  # "token"


def migrate(store: Store) -> bool:
    """Bring the schema up to date; returns whether there was anything to do."""
    if is_current(store):
        return False
    with store.write_turn, unavailable_when_broken():
        engine = store.engine.execution_options(begin="IMMEDIATE", patience=MIGRATION_SECONDS)
        with engine.begin() as connection:
            if not store.on_sqlite:
                connection.execute(text("SET LOCAL lock_timeout = 0"))  # a long migration is worth waiting for
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
            if _is_current(connection):
                return False
            _upgrade(connection)
            return True


def is_current(store: Store) -> bool:
    with unavailable_when_broken(), store.engine.connect() as connection:
        return _is_current(connection)


def _is_current(connection: Connection) -> bool:
    if not inspect(connection).has_table("alembic_version"):
        return False
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    return list(found) == [HEAD]


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415  see above
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError:
        raise InvalidSettings("The database is newer than this program: upgrade the program.") from None

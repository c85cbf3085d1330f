"""Is the schema of the database the one this code needs? Migrations by Alembic, each in one transaction.

SQLite migrates itself at start, under its write lock, so that two processes that start together do it once. PostgreSQL
migrates by `python -m app migrate`, under an advisory lock. A database that is newer than the code is refused.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from app.settings import InvalidSettings
from app.store.database import Store, unavailable_when_broken

_ADVISORY_LOCK = 0x746F6B656E  # "token"


def migrate(store: Store) -> bool:
    """Bring the schema up to date; returns whether there was anything to do."""
    with store.write_turn, unavailable_when_broken():
        engine = store.engine.execution_options(begin="IMMEDIATE")
        with engine.begin() as connection:
            if not store.on_sqlite:
                connection.execute(text("SET LOCAL lock_timeout = 0"))  # a long migration is worth waiting for
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
            if _is_current(connection):
                return False
            config = _config()
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError:
                raise InvalidSettings("The database is newer than this program: upgrade the program.") from None
            return True


def is_current(store: Store) -> bool:
    with unavailable_when_broken(), store.engine.connect() as connection:
        return _is_current(connection)


def _is_current(connection: Connection) -> bool:
    found = MigrationContext.configure(connection).get_current_heads()
    return set(found) == set(ScriptDirectory.from_config(_config()).get_heads())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config

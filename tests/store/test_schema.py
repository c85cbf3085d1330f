"""Does the schema come to be what the code needs: once, whoever starts, and never under a newer database?"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from app.settings import InvalidSettings
from app.store.database import StoreUnavailable
from app.store.models import Base
from app.store.schema import _ADVISORY_LOCK, HEAD, MIGRATIONS, is_current, migrate
from tests.support.workshop import a_workshop, at_once, failed, succeeded


@pytest.fixture
def workshop(database_url, tmp_path):
    """Over an empty database."""
    with a_workshop(database_url, tmp_path) as workshop:
        yield workshop


def migrated_by_another_process(database_url, home):
    with a_workshop(database_url, home) as workshop:
        return migrate(workshop.services.store)


def test_the_newest_migration_is_the_one_that_is_named():
    """Asking Alembic at every start would cost more than everything else that a start does."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


class SchemaConformance:
    backend: str

    def test_an_empty_database_is_brought_up_to_date(self, store):
        assert not is_current(store)
        assert migrate(store)
        assert is_current(store)

    def test_the_second_time_there_is_nothing_to_do(self, store):
        migrate(store)
        with store.writing() as tx:
            tx.organizations.set_fact("kept", "yes")
        assert not migrate(store)
        with store.reading() as tx:
            assert tx.organizations.fact("kept") == "yes"

    def test_the_schema_is_the_one_of_the_models(self, store):
        migrate(store)
        with store.engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"compare_type": True, "compare_server_default": True}
            )
            assert compare_metadata(context, Base.metadata) == []

    def test_every_row_of_a_tenant_names_its_organization(self, store):
        """A table without the column is the whole installation's: the list is short, and each entry has its reason."""
        migrate(store)
        nobodys = {
            "alembic_version",
            "audit_chain",
            "audit_checkpoint",
            "audit_checkpoint_head",
            "audit_stub",
            "counter",
            "expiry_notice",  # where each notice stands in the order of all expiries
            "installation",
            "lease",
            "last_use",  # beside a secret, which names it
            "operator",  # a person: memberships say where
            "network_list",  # public under its digest
            "organization",
            "signing_key",
        }
        tables = inspect(store.engine)
        without = {
            table
            for table in tables.get_table_names()
            if "organization_id" not in {column["name"] for column in tables.get_columns(table)}
        }
        assert without == nobodys

    def test_threads_that_start_together_do_it_once(self, database_url, tmp_path):
        outcomes = at_once(*[lambda: migrated_by_another_process(database_url, tmp_path)] * 4)
        assert failed(outcomes) == []
        assert sorted(succeeded(outcomes)) == [False, False, False, True]

    def test_processes_that_start_together_do_it_once(self, database_url, tmp_path, store):
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
            done = list(processes.map(migrated_by_another_process, [database_url] * 2, [tmp_path] * 2))
        assert sorted(done) == [False, True]
        assert is_current(store)

    def test_a_newer_database_is_refused_and_left_as_it_is(self, store):
        migrate(store)
        with store.writing() as tx:
            tx.session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        assert not is_current(store)
        with pytest.raises(InvalidSettings, match="newer than this program"):
            migrate(store)
        with store.reading() as tx:
            assert tx.session.execute(text("SELECT version_num FROM alembic_version")).scalar() == "9999"

    def test_a_migration_that_fails_half_way_leaves_nothing(self, store):
        with store.engine.begin() as connection:
            connection.execute(text("CREATE TABLE role (id INTEGER)"))  # in the way
        with pytest.raises((StoreUnavailable, DBAPIError)):  # SQLite calls it operational
            migrate(store)
        assert not is_current(store)
        assert set(inspect(store.engine).get_table_names()) <= {"role", "alembic_version"}
        with store.engine.begin() as connection:
            connection.execute(text("DROP TABLE role"))
        assert migrate(store)


class TestSQLite(SchemaConformance):
    backend = "sqlite"


@pytest.mark.postgres
class TestPostgres(SchemaConformance):
    backend = "postgres"

    def test_a_migration_that_takes_its_time_is_waited_for(self, database_url, tmp_path, store, monkeypatch):
        """Longer than any other lock is."""
        monkeypatch.setattr("app.store.database.TURN_SECONDS", 0.2)
        migrating = threading.Event()

        def slowly():
            with store.engine.begin() as connection:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
                migrating.set()
                time.sleep(0.6)

        def meanwhile():
            migrating.wait(timeout=20)
            return migrated_by_another_process(database_url, tmp_path)

        assert failed(at_once(slowly, meanwhile)) == []

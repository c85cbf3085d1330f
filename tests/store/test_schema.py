"""Does the schema come to be what the code needs: once, whoever starts, and never under a newer database?"""

from __future__ import annotations

import sqlite3
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from app.settings import InvalidSettings
from app.store.database import BUSY_SECONDS, StoreUnavailable
from app.store.models import Base
from app.store.schema import _ADVISORY_LOCK, HEAD, MIGRATIONS, is_current, migrate
from tests.support.workshop import a_workshop, at_once, failed, succeeded
from tokenserver.clock import monotonic
from tokenserver.domain.organizations import Policy
from tokenserver.domain.selection import Order, Selection


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


def insert_into(connection, table, **values):
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), values)


@pytest.fixture
def migrated_to(store):
    """Migrates to a revision that is not the newest."""

    def to(revision):
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with store.engine.execution_options(begin="IMMEDIATE").begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)

    return to


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
            "activity_place",
            "alembic_version",
            "audit_chain",
            "audit_checkpoint",
            "audit_checkpoint_head",
            "audit_stub",
            "counter",
            "identity",  # these five are of a person, wherever they are
            "passkey",
            "recovery_code",
            "sign_in",
            "spent",
            "sign_in_failure",  # of whoever was wrong, who may be nobody
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

    def test_an_installation_of_the_first_release_keeps_its_credentials_operators_and_names(self, store, migrated_to):
        """R03: what was in the tables of 0001 is there after every later migration, names told apart."""
        migrated_to("0001")
        now = 1_800_000_000
        credential = {
            "organization_id": "org_1",
            "description": "",
            "roles": "[]",
            "grants": "[]",
            "token_lifetime": 900,
            "gen_current": 3,
            "gen_floor": 2,
            "gen_next_floor": 3,
            "revoked_reason": "",
            "created_by": "shell",
            "version": 7,
        }
        named = [("a", "Nightly Export", None), ("b", "nightly  export", None), ("c", "NIGHTLY EXPORT", now)]
        with store.engine.begin() as connection:
            insert_into(
                connection,
                "organization",
                id="org_1",
                name="One",
                gen_current=1,
                gen_floor=1,
                gen_next_floor=1,
                created_at=now,
            )
            for number in (1, 2):
                insert_into(
                    connection,
                    "operator",
                    id=f"op_{number}",
                    organization_id="org_1",
                    email=f"Op{number}@example.com",
                    created_at=now + number,
                )
            for place, (letter, name, revoked_at) in enumerate(named):
                client_id = "tsc_" + letter * 22
                insert_into(
                    connection,
                    "credential",
                    client_id=client_id,
                    name=name,
                    revoked_at=revoked_at,
                    created_at=now + place,
                    **credential,
                )
                insert_into(
                    connection,
                    "credential_secret",
                    id=f"sec_{letter}",
                    client_id=client_id,
                    organization_id="org_1",
                    digest=letter.encode(),
                    pepper_id="p",
                    hint="h",
                    state="current",
                    created_at=now,
                )
        assert migrate(store)
        with store.reading() as tx:
            (organization,) = tx.organizations.all()
            assert (organization.version, organization.policy) == (1, Policy())
            first, second = tx.operators.page("org_1", None, 10)
            assert (first[0].email, first[0].platform_admin, first[1].role) == ("op1@example.com", True, "owner")
            assert (second[0].email, second[0].platform_admin, second[1].role) == ("op2@example.com", False, "owner")
            for letter, name, _ in named:
                found = tx.credentials.get("org_1", "tsc_" + letter * 22)
                assert (found.name, found.generation.current, found.version, found.owner_id) == (name, 3, 7, None)
                assert [secret.digest for secret in found.secrets] == [letter.encode()]
            assert tx.credentials.named("org_1", "nightly export").client_id == "tsc_" + "b" * 22
            listed = tx.credentials.page("org_1", Selection(order=Order.NAME), None, 10, now)
            assert len(listed) == 3

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

    def test_a_migration_that_takes_its_time_is_waited_for(self, store, tmp_path, monkeypatch):
        """Longer than any other lock is. The clock jumps past what a change would wait; then the stranger is done."""
        with sqlite3.connect(tmp_path / "tokenserver.db", isolation_level=None, check_same_thread=False) as stranger:
            stranger.execute("PRAGMA journal_mode = WAL")
            stranger.execute("BEGIN IMMEDIATE")
            asked: list[None] = []

            def much_later():
                asked.append(None)
                if len(asked) == 3:
                    stranger.execute("ROLLBACK")
                return monotonic() + (2 * BUSY_SECONDS if len(asked) > 1 else 0)

            monkeypatch.setattr("app.store.database.monotonic", much_later)
            assert migrate(store)
        assert len(asked) >= 3

    def test_a_process_that_starts_beside_a_busy_one_does_not_ask_for_its_lock(self, store, tmp_path):
        migrate(store)
        with sqlite3.connect(tmp_path / "tokenserver.db", isolation_level=None) as stranger:
            stranger.execute("BEGIN IMMEDIATE")
            assert not migrate(store)
            stranger.execute("ROLLBACK")


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

"""How is the database opened, and what is a transaction?

SQLite: WAL, foreign keys on, `synchronous=FULL` (a confirmed change survives a power cut), `BEGIN IMMEDIATE` for
writes, so that the busy timeout helps. Within a process, writers queue in order of arrival (`FairLock`): the token
endpoint's group transactions follow each other without a pause, and SQLite's own busy handler would let a change
starve. PostgreSQL: changes take their turn, too, whichever node makes them, by a lock on the head of their audit chain,
which each of them needs in the end; so nothing can change between what a change has read and what it writes, and no two
wait for each other. Reading is one snapshot; `synchronous_commit` stays on. The issuing of tokens queues for neither.

A database that is locked, full or gone is `Unavailable` (503), at whichever statement it shows; nothing is
half-written, because everything happens inside one transaction.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Engine, ExceptionContext, event, func, select
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from app.settings import InvalidSettings, Settings
from app.store.activity import ActivityStore
from app.store.audit_log import CHANGES, AuditLog
from app.store.audit_record import AuditRecord
from app.store.audit_search import AuditSearch
from app.store.catalogue import CatalogueStore
from app.store.census import CensusStore
from app.store.credentials import CredentialStore
from app.store.deliveries import DeliveryStore
from app.store.expiries import ExpiryStore
from app.store.feed import FeedStore
from app.store.idempotency import IdempotencyStore
from app.store.identities import IdentityStore
from app.store.leases import LeaseStore
from app.store.liveness import LivenessStore
from app.store.models import AuditChainRow, Base
from app.store.networks import NetworkLists
from app.store.operators import OperatorStore
from app.store.organizations import OrganizationStore
from app.store.outbox import Outbox
from app.store.rotations import RotationStore
from app.store.secrets import SecretStore
from app.store.sessions import SessionStore
from app.store.sign_in import SignInStore
from app.store.signing_keys import SigningKeyStore
from app.store.usage import UsageStore
from app.store.uses import UseStore
from app.store.webhooks import WebhookStore
from tokenserver.clock import monotonic
from tokenserver.errors import InvalidRequest, Unavailable

BUSY_SECONDS = 1.2
"""How long SQLite waits for another process's lock: a caller is answered within three seconds, whatever happens."""
MIGRATION_SECONDS = 60
"""How long a process that starts waits for one that migrates: nobody waits for its answer yet."""
TURN_SECONDS = 1.5
"""How long a writer waits for the writers of its own process; on PostgreSQL, for anybody's lock."""
IDLE_SECONDS = 10
"""PostgreSQL ends a change whose node has said nothing for so long: a node that vanished must not hold a lock."""
_TAKE_TURN = (
    select(AuditChainRow.seq, func.set_config("idle_in_transaction_session_timeout", f"{IDLE_SECONDS}s", True))  # noqa: FBT003  local
    .where(AuditChainRow.chain == CHANGES)
    .with_for_update()
)
_BUSY_TIMEOUT = f"busy_timeout = {int(BUSY_SECONDS * 1000)}"
_READ_ONLY = "25006"

logging.getLogger("sqlalchemy").setLevel(logging.WARNING)  # it would log every value that is read or written


class StoreUnavailable(Unavailable):
    public = "The database cannot be reached or cannot write at the moment. Nothing was changed; try again shortly."
    retry_after = 2


class NoText(InvalidRequest):
    """SQLite keeps it, PostgreSQL does not: where no field's own rule has refused it, nothing has this name."""

    public = "There is a NUL character in what was sent, which no text may hold."


class FairLock:
    """A lock that is handed on in order of arrival; raises StoreUnavailable when the turn does not come."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._held = False

    def __enter__(self) -> None:
        with self._guard:
            if not self._held:
                self._held = True
                return
            turn = threading.Event()
            self._waiting.append(turn)
        if not turn.wait(TURN_SECONDS):
            with self._guard:
                if not turn.is_set():
                    self._waiting.remove(turn)
                    raise StoreUnavailable(detail="the queue of writers does not move")

    def __exit__(self, *_: object) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._held = False


class Transaction:
    """One transaction with the stores that work inside it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.activity = ActivityStore(session)
        self.uses = UseStore(session)
        self.organizations = OrganizationStore(session)
        self.operators = OperatorStore(session)
        self.credentials = CredentialStore(session)
        self.secrets = SecretStore(session)
        self.networks = NetworkLists(session)
        self.census = CensusStore(session)
        self.catalogue = CatalogueStore(session)
        self.rotations = RotationStore(session)
        self.expiries = ExpiryStore(session)
        self.feed = FeedStore(session)
        self.liveness = LivenessStore(session)
        self.keys = SigningKeyStore(session)
        self.audit = AuditLog(session)
        self.audit_record = AuditRecord(session)
        self.audit_search = AuditSearch(session)
        self.outbox = Outbox(session)
        self.sessions = SessionStore(session)
        self.sign_in = SignInStore(session)
        self.identities = IdentityStore(session)
        self.usage = UsageStore(session)
        self.idempotency = IdempotencyStore(session)
        self.leases = LeaseStore(session)
        self.webhooks = WebhookStore(session)
        self.deliveries = DeliveryStore(session)


class Store:
    """The database of this process. Made once, by the wiring; shared by all threads."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self.on_sqlite = settings.on_sqlite
        app.config["SQLALCHEMY_DATABASE_URI"] = _absolute(settings.database_url)
        app.config["SQLALCHEMY_ENGINE_OPTIONS"] = _engine_options(settings)
        extension = SQLAlchemy(model_class=Base, disable_autonaming=True)
        try:
            extension.init_app(app)
        except (ArgumentError, ValueError):  # which may quote the password
            raise InvalidSettings("TOKENSERVER_DATABASE_URL: cannot be read as a URL") from None
        with app.app_context():
            self.engine: Engine = extension.engine
        self._snapshots = self.engine
        if self.on_sqlite:
            _speak_sqlite(self.engine)
        else:
            _speak_postgres(self.engine)
            self._snapshots = self.engine.execution_options(isolation_level="REPEATABLE READ")
        self.write_turn: contextlib.AbstractContextManager[None] = (
            FairLock() if self.on_sqlite else contextlib.nullcontext()
        )

    @contextlib.contextmanager
    def writing(self) -> Iterator[Transaction]:
        """A transaction that is committed on leaving, or rolled back with the exception that leaves."""
        with self.write_turn, unavailable_when_broken():
            engine = self.engine.execution_options(begin="IMMEDIATE")
            with Session(engine, expire_on_commit=False) as session, session.begin():
                if not self.on_sqlite:
                    session.execute(_TAKE_TURN)
                yield Transaction(session)
                session.flush()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A transaction that sees one state and changes nothing."""
        with unavailable_when_broken(), Session(self._snapshots, expire_on_commit=False) as session:
            yield Transaction(session)


@contextlib.contextmanager
def unavailable_when_broken() -> Iterator[None]:
    """A broken database is one failure, whatever its driver calls it."""
    try:
        yield
    except PoolTimeout as fault:
        raise StoreUnavailable(detail="no free connection") from fault
    except OperationalError as fault:
        raise StoreUnavailable(detail=str(fault.orig)) from fault
    except DBAPIError as fault:
        if "NUL (0x00)" in str(fault.orig):
            raise NoText from None
        if fault.connection_invalidated or type(fault.orig).__name__ == "UndefinedTable":  # PostgreSQL, not migrated
            raise StoreUnavailable(detail=str(fault.orig)) from fault
        raise


def _absolute(url: str) -> str:
    """Flask-SQLAlchemy would place a relative file in its instance folder; we mean the working directory."""
    if not url.startswith("sqlite:///"):
        return url
    path = Path(url.removeprefix("sqlite:///")).absolute()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return f"sqlite:///{path}"


def _engine_options(settings: Settings) -> dict[str, Any]:
    if settings.on_sqlite:
        return {
            "connect_args": {"timeout": BUSY_SECONDS, "check_same_thread": False},
            "pool_size": settings.threads,
            "max_overflow": 8,
            "pool_timeout": 3,
            "hide_parameters": True,
        }
    return {
        "pool_size": settings.threads,
        "max_overflow": 4,
        "pool_timeout": 3,
        "pool_pre_ping": True,
        "hide_parameters": True,
        "connect_args": {"connect_timeout": 3, "application_name": "tokenserver", "tcp_user_timeout": 10_000},
    }


def _speak_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions by itself
        # Of two that make a new database at once, SQLite refuses one without asking its busy handler.
        _patiently(connection, "PRAGMA journal_mode = WAL", BUSY_SECONDS)
        for pragma in (
            "synchronous = FULL",
            "foreign_keys = ON",
            _BUSY_TIMEOUT,
            "cache_size = -2000",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("begin") != "IMMEDIATE":
            connection.exec_driver_sql("BEGIN DEFERRED")
            return
        connection.exec_driver_sql("PRAGMA busy_timeout = 0")
        try:
            begin_immediate(connection.connection.driver_connection, options.get("patience", BUSY_SECONDS))
        finally:
            connection.exec_driver_sql(f"PRAGMA {_BUSY_TIMEOUT}")


def begin_immediate(connection: Any, patience: float = BUSY_SECONDS) -> None:
    """Begin to write, once no other process does; raises StoreUnavailable when that takes too long.

    SQLite's own busy handler asks ever more seldom, every tenth of a second in the end: beside a process that issues
    tokens without a pause it would hardly ever meet a moment between two transactions. So it is to be off (busy_timeout
    0), and is replaced here.
    """
    _patiently(connection, "BEGIN IMMEDIATE", patience)


def _patiently(connection: Any, statement: str, seconds: float) -> None:
    """What SQLite refuses while another process is at it, again until it is done."""
    deadline = monotonic() + seconds
    while True:
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as fault:
            if fault.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() >= deadline:
                raise StoreUnavailable(detail=str(fault)) from fault
            time.sleep(0.001)
        else:
            return


def _speak_postgres(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: object) -> None:
        # Compiling a statement took 30 ms of a page's 46, and no statement of ours runs for that long.
        connection.execute(f"SET lock_timeout = '{TURN_SECONDS}s'; SET jit = off")
        connection.commit()

    @event.listens_for(engine, "handle_error")
    def _leave_a_standby(context: ExceptionContext) -> None:
        """After a failover, a connection to what is now a standby still answers, but will never write again."""
        if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
            context.is_disconnect = True

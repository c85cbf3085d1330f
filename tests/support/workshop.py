"""One process of an installation, opened up: its services, the issuing of tokens, and a clock that a test moves.

Another workshop on the same database is another process, as far as the code can tell: its own connections, locks,
caches and audit chains.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar

from argon2.profiles import CHEAPEST
from flask import Flask

from app import create_services
from app.services import Services
from app.services.audit import Caller
from app.services.catalogue import ApiDraft, RoleDraft
from app.services.credentials import NewSecret
from app.services.issuing import IssuedToken, Issuing, TokenRequest
from app.services.limits import Limits
from app.services.passwords import Passwords
from app.services.terms import Draft
from app.settings import Settings, load
from tests.support.names import a_name
from tests.support.postgres import the_server
from tests.support.server import ISSUER, NOW, StillClock
from tokenserver.domain.catalogue import Kind, Scope
from tokenserver.domain.restrictions import Access, AllowedIPs, Grant, Restrictions
from tokenserver.domain.secret import Secret
from tokenserver.tokens.claims import AccessClaims, read_claims
from tokenserver.tokens.jws import open_signed
from tokenserver.tokens.statements import Statement, open_statement

PEPPER, KEK = bytes(range(32)), bytes(range(32, 64))
REPORTS = "https://reports.example.com"
SCOPES = (
    Scope("reports:read", Kind.READ),
    Scope("reports:write", Kind.WRITE),
    Scope("people:read", Kind.READ, sensitive=True),
)
PEER = "192.0.2.1"

Found = TypeVar("Found")


def settings_for(database_url: str, home: Path, **changes: object) -> Settings:
    given = {"issuer": ISSUER, "home": home, "database_url": database_url, "pepper": PEPPER, "kek": KEK}
    given |= {"rate_limits": "off"}  # tests send as much as they like, unless limits are what they are about
    return load({}, dotenv=None, **{**given, **changes})


@dataclass
class Workshop:
    settings: Settings
    clock: StillClock = field(default_factory=StillClock)
    caller: Caller = field(init=False)

    @cached_property
    def services(self) -> Services:
        return create_services(Flask("workshop"), self.settings, clock=self.clock, passwords=Passwords(CHEAPEST))

    @cached_property
    def issuing(self) -> Issuing:
        own = self.services
        limits = Limits(own.store, self.settings, self.clock)
        return Issuing(own.store, own.high_water, own.keys, own.peppers, self.settings, self.clock, limits=limits)

    def prepare(self) -> Workshop:
        """Migrated, with an organization and a key."""
        self.services.installation.migrate()
        self.caller = self.services.installation.prepare()
        return self

    def beside(self, *, prepared: bool = True, **settings: object) -> Workshop:
        """Another process of the same installation, under the same clock."""
        other = Workshop(self.settings.model_copy(update=settings), self.clock)
        if prepared:
            other.caller = other.services.installation.prepare()
        return other

    def close(self) -> None:
        if "issuing" in vars(self):
            self.issuing._issuing._abandon()
        if "services" in vars(self):
            self.services.store.engine.dispose()

    def catalogue(self) -> None:
        """An API with three scopes, and two roles."""
        self.services.catalogue.create_api(self.caller, ApiDraft(REPORTS, "Reports", SCOPES))
        for role in ("auditor", "cloud_admin"):
            self.services.catalogue.create_role(self.caller, RoleDraft(role, "", None))

    def credential(self, **terms: Any) -> NewSecret:
        """A credential that may read reports, unless `terms` say otherwise. Needs the catalogue."""
        chosen = {"grants": (Grant(REPORTS, Access.CUSTOM, frozenset({"reports:read"})),), **terms}
        return self.services.credentials.create(
            self.caller, Draft(a_name("nightly export"), "", Restrictions(**chosen))
        )

    def issue(
        self, made: NewSecret | str, secret: Secret | str | None = None, *, address: str = PEER, **asked: Any
    ) -> IssuedToken:
        """What the token endpoint asks for; a `NewSecret` by itself proves itself."""
        client_id = made if isinstance(made, str) else made.view.credential.client_id
        if secret is None and not isinstance(made, str):
            secret = made.secret
        proof = secret if isinstance(secret, Secret) else Secret(secret or "")
        chosen = {"scopes": None, "resource": None, "request_id": "request", **asked}
        return self.issuing.issue(TokenRequest(client_id, proof, address=address, **chosen))

    def claims(self, token: IssuedToken) -> AccessClaims:
        """What a token says, under a key that is published now."""
        return read_claims(open_signed(token.access_token, "at+jwt", self.services.keys.ring().believed.get))

    def statement(self, after: int = 0, wait: float = 0.0) -> Statement:
        """The feed as a resource server reads it."""
        text = self.services.feed.statement(after, wait)
        return open_statement(text, self.services.keys.ring().believed.get, issuer=self.settings.issuer)

    def audit_lines(self, event: str = "") -> list[dict[str, Any]]:
        """Without the stubs and checkpoints between them."""
        lines = map(json.loads, self.services.audit_trail.export())
        return [line for line in lines if "event" in line and line["event"].startswith(event)]


@contextmanager
def a_workshop(database_url: str, home: Path, **settings: object) -> Iterator[Workshop]:
    workshop = Workshop(settings_for(database_url, home, **settings))
    try:
        yield workshop
    finally:
        workshop.close()


@contextmanager
def a_prepared_workshop(backend: str, home: Path, *, stocked: bool = False) -> Iterator[Workshop]:
    """On a copy of a database that was prepared once; `stocked` with the catalogue."""
    with ExitStack() as closing:
        if backend == "postgres":
            template = _prepared_in_postgres(stocked=stocked)
            url = closing.enter_context(the_server().fresh(template))
        else:
            url = f"sqlite:///{shutil.copy(_prepared_file(stocked=stocked), home / 'tokenserver.db')}"
        workshop = closing.enter_context(a_workshop(url, home))
        workshop.caller = workshop.services.installation.prepare()
        yield workshop


@cache
def _prepared_file(*, stocked: bool) -> Path:
    home = Path(tempfile.mkdtemp(prefix="tokenserver-tests-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    _prepare(f"sqlite:///{home / 'prepared.db'}", home, stocked=stocked)
    return home / "prepared.db"


@cache
def _prepared_in_postgres(*, stocked: bool) -> str:
    name = f"prepared_{os.getpid()}_{int(stocked)}"
    the_server().execute(f"CREATE DATABASE {name}")
    with tempfile.TemporaryDirectory() as home:
        _prepare(the_server().url(name), Path(home), stocked=stocked)
    return name


def _prepare(url: str, home: Path, *, stocked: bool) -> None:
    with a_workshop(url, home) as workshop:
        workshop.prepare()
        if stocked:
            workshop.catalogue()


def allowed(text: str) -> AllowedIPs:
    return AllowedIPs.parse(text)


def many_ranges(count: int) -> AllowedIPs:
    """A list that is too long for a token from 65 on."""
    return AllowedIPs.parse([f"10.{i >> 8}.{i & 255}.1" for i in range(count)])


def at_once(*tasks: Callable[[], Found]) -> list[Found | Exception]:
    """What each task returned or raised, when all began at the same moment, each in a thread of its own."""
    start = threading.Barrier(len(tasks))

    def run(task: Callable[[], Found]) -> Found | Exception:
        start.wait(timeout=30)
        try:
            return task()
        except Exception as fault:  # noqa: BLE001  it is what the test looks at
            return fault

    with ThreadPoolExecutor(len(tasks)) as threads:
        return list(threads.map(run, tasks))


def succeeded(outcomes: Sequence[object]) -> list[Any]:
    return [outcome for outcome in outcomes if not isinstance(outcome, Exception)]


def failed(outcomes: Sequence[object]) -> list[Exception]:
    return [outcome for outcome in outcomes if isinstance(outcome, Exception)]


__all__ = ["ISSUER", "NOW", "StillClock"]

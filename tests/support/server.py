"""A ready server in this process: SQLite in a folder of the test's own, an admin credential, a clock that stands still.

Installing (migrations, keys, bootstrap) is done once and copied for each test.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from argon2.profiles import CHEAPEST
from flask import Flask
from werkzeug.test import TestResponse

from app import _wired, create_services
from app.http import PlainDoor, Wsgi
from app.services import Services
from app.services.passwords import Passwords
from app.settings import Settings, load
from app.store.schema import migrate
from tokenserver.domain.operators import ADMIN_SCOPES

NOW = 1_800_000_000.25
ISSUER = "https://auth.example.com"
ALL_SCOPES = frozenset(scope.name for scope in ADMIN_SCOPES)


class StillClock:
    """Time moves when a test says so."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass(frozen=True)
class Installed:
    """A home to copy, and who administers it."""

    home: Path
    organization_id: str
    client_id: str
    secret: str = field(repr=False)


@dataclass
class Server:
    app: Flask
    settings: Settings
    clock: StillClock
    installed: Installed
    plain: Mapping[str, PlainDoor] = field(default_factory=dict)

    def in_front(self) -> Wsgi:
        """As the entrance has it: the doors in front of Flask are asked first, and Flask where they have no answer."""

        def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            path = environ["PATH_INFO"]
            door = self.plain.get(path) or self.plain.get(path[: path.find("/", 1) + 1])
            reply = None if door is None else asyncio.run(_awaited(door(environ)))
            if reply is None:
                environ["wsgi.input"].seek(0)
                return self.app.wsgi_app(environ, start_response)
            status, headers, payload = reply
            start_response(f"{status} In front", headers)
            return [payload]

        return answer

    @cached_property
    def admin_token(self) -> str:
        """A token with every scope of the admin API."""
        return self.token(self.installed.client_id, self.installed.secret)

    @cached_property
    def services(self) -> Services:
        """The use cases over the same database, wired a second time: for what no door offers."""
        return create_services(Flask("beside"), self.settings, clock=self.clock)

    def ask_for_token(self, client_id: str, secret: str, **form: str) -> TestResponse:
        asked = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret, **form}
        return self.app.test_client().post("/oauth/token", data=asked)

    def token(self, client_id: str, secret: str, **form: str) -> str:
        answer = self.ask_for_token(client_id, secret, **form)
        assert answer.status_code == 200, answer.text
        return str(answer.get_json()["access_token"])

    def call(
        self,
        method: str,
        path: str,
        body: object = ...,
        *,
        token: str | None = "the administrator's",
        if_match: str | None = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> TestResponse:
        """One request; `body` is sent as JSON."""
        sent = dict(headers or {})
        if token == "the administrator's":
            token = self.admin_token
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if if_match is not None:
            sent["If-Match"] = if_match
        if body is not ...:
            more = {"data": json.dumps(body), "content_type": "application/json", **more}
        return self.app.test_client().open(path, method=method, headers=sent, **more)


def install(home: Path) -> Installed:
    """A migrated and bootstrapped installation at rest."""
    services = create_services(Flask("installing"), settings_at(home), clock=StillClock())
    migrate(services.store)
    made = services.installation.bootstrap()
    services.store.engine.dispose()
    assert made.client_id is not None
    assert made.secret is not None
    return Installed(home, made.organization_id, made.client_id, made.secret.reveal())


async def _awaited(answer: Awaitable[Any]) -> Any:
    return await answer


@contextmanager
def serving(installed: Installed, home: Path, **settings: object) -> Iterator[Server]:
    """A copy of `installed` at `home`, behind a Flask of its own."""
    shutil.copytree(installed.home, home, dirs_exist_ok=True)
    chosen, clock = settings_at(home, **settings), StillClock()
    app, plain, _ = _wired(chosen, clock, Passwords(CHEAPEST))
    server = Server(app, chosen, clock, installed, plain)
    try:
        yield server
    finally:
        with server.app.app_context():
            server.app.extensions["sqlalchemy"].engine.dispose()
        if "services" in vars(server):
            server.services.store.engine.dispose()


def settings_at(home: Path, **settings: object) -> Settings:
    """Without limits, unless they are what a test is about."""
    return load({}, dotenv=None, **{"home": home, "issuer": ISSUER, "rate_limits": "off", **settings})

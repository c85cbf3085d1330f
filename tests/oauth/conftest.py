"""A server in this process and a credential of its, for many requests that change nothing."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from app.services.catalogue import ApiDraft, RoleDraft
from app.services.credentials import NewSecret
from app.services.terms import Draft
from tests.support.names import a_name
from tests.support.server import Server, serving
from tests.support.workshop import REPORTS, SCOPES
from tests.support.wsgi import FORM, Answer, Header, call
from tokenserver.domain.restrictions import Access, Grant, Restrictions

PATH = "/oauth/token"


@dataclass
class Door:
    """The token endpoint, and somebody who may use it."""

    server: Server
    caller: Any
    client_id: str
    secret: str
    in_front: bool = False
    """Whether requests come in by the doors in front of Flask, as over the wire."""

    def credential(self, **terms: Any) -> NewSecret:
        chosen = {"grants": (Grant(REPORTS, Access.CUSTOM, frozenset({"reports:read"})),), **terms}
        return self.server.services.credentials.create(self.caller, Draft(a_name("an app"), "", Restrictions(**chosen)))

    def send(
        self,
        body: bytes | str = b"",
        headers: Sequence[Header] = (),
        *,
        method: str = "POST",
        path: str = PATH,
        kind: str | None = FORM,
        **more: Any,
    ) -> Answer:
        """Exactly these bytes."""
        sent = [*headers] if kind is None else [("Content-Type", kind), *headers]
        raw = body.encode() if isinstance(body, str) else body
        app = self.server.in_front() if self.in_front else self.server.app.wsgi_app
        return call(app, method, path, raw, sent, **more)

    def ask(self, headers: Sequence[Header] = (), **form: Any) -> Answer:
        """A good request but for what is told: the secret in the body, unless there are headers."""
        chosen = {"grant_type": "client_credentials"}
        if not headers:
            chosen |= {"client_id": self.client_id, "client_secret": self.secret}
        merged = {name: value for name, value in {**chosen, **form}.items() if value is not None}
        return self.send(urlencode(merged, doseq=True), headers)

    def audit_events(self) -> list[dict[str, Any]]:
        import json

        return [json.loads(line) for line in self.server.services.audit_trail.export()]


def basic(client_id: str | bytes, secret: str | bytes) -> list[Header]:
    """HTTP Basic, without any encoding of the halves."""
    halves = [half.encode() if isinstance(half, str) else half for half in (client_id, secret)]
    return [("Authorization", b"Basic " + base64.b64encode(b":".join(halves)))]


def opened(server: Server) -> Door:
    services = server.services
    caller = services.installation.prepare()
    services.catalogue.create_api(caller, ApiDraft(REPORTS, "Reports", SCOPES))
    services.catalogue.create_api(caller, ApiDraft("urn:vault", "Vault", ()))
    services.catalogue.create_role(caller, RoleDraft("auditor", "", None))
    door = Door(server, caller, "", "")
    made = door.credential(roles=frozenset({"auditor"}))
    door.client_id, door.secret = made.view.credential.client_id, made.secret.reveal()
    return door


@pytest.fixture(scope="module")
def door(installed, tmp_path_factory) -> Iterator[Door]:
    """Shared by the tests of a module."""
    with serving(installed, tmp_path_factory.mktemp("door")) as server:
        yield opened(server)


@pytest.fixture
def own_door(server) -> Door:
    """For a test that changes what others would see."""
    return opened(server)


@pytest.fixture
def door_with(installed, tmp_path) -> Iterator[Any]:
    """Makes a door of a server with these settings."""
    with ExitStack() as opened_doors:
        made: list[Path] = []

        def make(**settings: object) -> Door:
            made.append(tmp_path / f"door-{len(made)}")
            return opened(opened_doors.enter_context(serving(installed, made[-1], **settings)))

        yield make

"""A browser without script, for tests of pages: it keeps cookies, and sends what a browser says about a request."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import urlsplit

from werkzeug.test import Client, TestResponse

from app.services.sessions import Visitor
from tests.support.server import Server

PASSWORD = "four words in a row"


@dataclass
class Browser:
    """`client` keeps the cookies; `page` is the answer that is shown."""

    client: Client
    page: TestResponse | None = None

    @property
    def page_text(self) -> str:
        assert self.page is not None
        return self.page.text

    def open(self, path: str, **query: str) -> TestResponse:
        """A page of the console, redirects followed: `/credentials`."""
        return self._go("GET", f"/console{path}", query_string=query or None)

    def send(self, path: str, form: dict[str, Any] | None = None, **more: Any) -> TestResponse:
        """A form that is on the page that is shown, with its hidden fields; redirects followed."""
        hidden = {name: value for name, value in hidden_fields(self.page_text).items() if name in {"csrf", "once"}}
        return self._go("POST", f"/console{path}", data={**hidden, **(form or {})}, **more)

    def _go(self, method: str, path: str, **more: Any) -> TestResponse:
        headers = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", **more.pop("headers", {})}
        answer = self.client.open(path, method=method, headers=headers, **more)
        hops = 0
        while answer.status_code == 303 and hops < 5:
            there = urlsplit(answer.headers["Location"])
            answer = self.client.get(there.path, query_string=there.query, headers=headers)
            hops += 1
        self.page = answer
        return answer


def hidden_fields(page: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page)
    return {unescape(name): unescape(value) for name, value in found}


def browser(server: Server) -> Browser:
    return Browser(server.app.test_client())


def operator(server: Server, email: str, role: str = "admin", *, organization: str = "", **more: Any) -> str:
    """A new operator with a password, of the first organization unless another is named; returns their ID."""
    there = {"Tokenserver-Organization": organization} if organization else {}
    made = server.call("POST", "/v1/operators", {"email": email, "role": role, **more}, headers=there)
    assert made.status_code == 201, made.text
    operator_id = str(made.get_json()["id"])
    set_password(server, operator_id)
    return operator_id


def set_password(server: Server, operator_id: str, password: str = PASSWORD) -> None:
    """Without hashing it for long."""
    from argon2 import PasswordHasher
    from argon2.profiles import CHEAPEST

    hashed = PasswordHasher.from_parameters(CHEAPEST).hash(password.encode())
    with server.services.store.writing() as tx:
        tx.sign_in.set_password(operator_id, hashed, int(server.clock()))


def signed_in(server: Server, email: str = "admin@localhost", role: str = "admin", **more: Any) -> Browser:
    """A browser in which an operator is signed in; the first operator, a platform admin, unless told otherwise.

    The session is opened without the page for it, which takes its time on purpose.
    """
    if email != "admin@localhost":
        operator(server, email, role, **more)
    services = server.services
    with services.store.writing() as tx:
        person = tx.operators.by_email(email)
        assert person is not None
        visitor, now = Visitor("127.0.0.1", "A browser of a test", "request"), server.clock()
        token = services.sessions.open_in(tx, person, "password", visitor, now, awaits=None)
    if email == "admin@localhost":
        set_password(server, person.id)
    session = browser(server)
    is_https = server.settings.issuer.startswith("https:")
    name = "__Host-tokenserver-session" if is_https else "tokenserver-session"
    session.client.set_cookie(name, token, domain="localhost", secure=is_https)
    session.open("/")
    return session

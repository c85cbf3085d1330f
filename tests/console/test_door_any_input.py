"""Any input to any page of the console: never a failure of ours, nothing of it as markup, and every answer in the
headers that each of them has (T13). The pages are those of the console's own table, so that none is missed; their forms
are found on the pages themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import quote, urlencode, urlsplit

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app import create_services
from app.console.csrf import csrf_for
from app.console.door import HEADERS
from app.services.sessions import Visitor
from app.store.schema import migrate
from tests.support.console import Browser, browser
from tests.support.server import Installed, Server, StillClock, serving, settings_at

COOKIE = "__Host-tokenserver-session"
KEYS = {"pepper": bytes(range(32)), "kek": bytes(range(32, 64))}
PROVIDER = {"sso_issuer": "http://127.0.0.1:1", "sso_client_id": "us", "sso_client_secret": "a-secret-of-ours"}
"""One that never answers."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # thousands of requests each, on machines that are shared
MARKUP = "<script>alert(1)</script>'\"><img src=x onerror=alert(1)>"
TEXTS = {
    "nothing": "",
    "NUL": "a\0b",
    "a control character": "\x1b[0m",
    "a new line": "a\r\nSet-Cookie: a=b",
    "letters that run the other way": "\u202egnp.exe",
    "markup": MARKUP,
    "a template": "{{ 7*7 }}{% raw %}",
    "a path": "../../../etc/passwd",
    "a long one": "é" * 3000,
    "a large number": "9" * 400,
    "a number below zero": "-1",
    "digits of another script": "٣",
    "the last day there is": "9999-12-31",
    "the first day there is": "0001-01-01",
    "a day that is none": "2027-02-30",
    "a list": "a,b,,c",
    "JSON": '{"a": [1]}',
    "a script's address": "javascript:alert(1)",
    "emoji": "\U0001f680" * 40,
    "an address": "::ffff:300.1.2.3/129",
}
BYTES = {
    "no UTF-8": b"\xff\xfe\xc0\x80",
    "half a letter": b"\xe2\x82",
    "a lone surrogate": b"\xed\xa0\x80",
    "a percent sign": b"%zz%",
    "a percent sign and a zero": b"%00%ff",
}
QUERY = ["to", "notice", "cursor", "q", "status", "sort", "since", "until", "over", "format", "state", "code", "iss"]
"""Those that any page knows; each page is asked for all of them at once, and for the names of its own forms."""


@dataclass
class Found:
    """What a walk through the console has found: pages to ask for, and forms with the names of their fields."""

    paths: set[str] = field(default_factory=set)
    forms: dict[str, set[str]] = field(default_factory=dict)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request, tmp_path_factory, installed) -> Iterator[Server]:
    """One for all: whatever is sent, it goes on answering."""
    home = tmp_path_factory.mktemp(request.param)
    if request.param == "sqlite":
        with serving(installed, home, **PROVIDER) as server:
            yield stocked(server)
        return
    from tests.support.postgres import a_database

    with a_database() as url:
        settings = {"database_url": url, **KEYS, **PROVIDER}
        services = create_services(Flask("installing"), settings_at(home, **settings), clock=StillClock())
        migrate(services.store)
        made = services.installation.bootstrap()
        services.store.engine.dispose()
        assert made.client_id is not None
        assert made.secret is not None
        empty = tmp_path_factory.mktemp("nothing")
        held = Installed(empty, made.organization_id, made.client_id, made.secret.reveal())
        with serving(held, home, **settings) as server:
            yield stocked(server)


def stocked(server: Server) -> Server:
    """With one of everything that a page is about."""
    scopes = [{"name": "reports:read", "access": "read"}]
    for path, body in (
        ("/v1/apis", {"audience": "https://api.example.com", "name": "Example", "scopes": scopes}),
        ("/v1/roles", {"name": "reader"}),
        ("/v1/credentials", {"name": "nightly export", "roles": ["reader"]}),
        ("/v1/operators", {"email": "grace@example.com", "role": "member"}),
        ("/v1/projects", {"name": "billing"}),
        ("/v1/webhooks", {"url": "https://hooks.example.com/x", "events": ["*"]}),
    ):
        assert server.call("POST", path, body).status_code in {201, 202}
    return server


@pytest.fixture(scope="module")
def found(server) -> Found:
    return walked(server, newcomer(server))


@pytest.fixture
def visitor(server) -> Browser:
    return newcomer(server)


def newcomer(server: Server) -> Browser:
    """The first operator, who may do everything, has just signed in: without a password, which takes its time."""
    services, visitor = server.services, browser(server)
    with services.store.writing() as tx:
        operator = tx.operators.by_email("admin@localhost")
        assert operator is not None
        token = services.sessions.open_in(tx, operator, "password", Visitor(), server.clock(), awaits=None)
    visitor.client.set_cookie(COOKIE, token, domain="localhost")
    return visitor


def token_of(visitor: Browser) -> str:
    cookie = visitor.client.get_cookie(COOKIE, domain="localhost")
    return "" if cookie is None else cookie.value


def texts(server: Server) -> list[str]:
    """All of them where it is quick; what PostgreSQL alone minds where it is not."""
    return list(TEXTS.values()) if server.settings.on_sqlite else [TEXTS["NUL"]]


def odd_bytes(server: Server) -> list[bytes]:
    return list(BYTES.values()) if server.settings.on_sqlite else []


def rules(server: Server) -> list[tuple[str, str]]:
    """Method and path of each page of the table; a part that differs is `{}`."""
    found = []
    for rule in server.app.url_map.iter_rules():
        if rule.endpoint.startswith("console."):
            path = re.sub(r"<[^>]*>", "{}", rule.rule)
            found += [(method, path) for method in rule.methods or () if method in {"GET", "POST"}]
    assert len(found) > 20
    return sorted(found)


def walked(server: Server, visitor: Browser) -> Found:
    """Every link is followed once, up to a number that no console of one of everything reaches."""
    found = Found()
    ahead = ["/console/", *sorted(path for method, path in rules(server) if method == "GET" and "{}" not in path)]
    while ahead and len(found.paths) < 300:
        path = ahead.pop()
        if path in found.paths or "/static/" in path:
            continue
        found.paths.add(path)
        page = ask(visitor, "GET", path)
        if "text/html" not in page.headers.get("Content-Type", ""):
            continue
        ahead += [
            unescape(one).partition("#")[0] for one in re.findall(r'(?:href|hx-get)="(/console/[^"]*)"', page.text)
        ]
        for attributes, inside in re.findall(r"<form([^>]*)>(.*?)</form>", page.text, re.DOTALL):
            action = re.search(r'action="([^"]*)"', attributes)
            there = unescape(action[1]) if action is not None and action[1] else path
            names = {unescape(name) for name in re.findall(r'name="([^"]*)"', inside)} - {"csrf"}
            method = "POST" if 'method="post"' in attributes else "GET"
            found.forms.setdefault(f"{method} {there}", set()).update(names)
    return found


def ask(
    visitor: Browser, method: str, path: str, query: bytes = b"", body: bytes = b"", **headers: str
) -> TestResponse:
    """Sent as it is; the answer is looked at, too."""
    parts = urlsplit(path)
    raw = (parts.query.encode() + (b"&" if parts.query and query else b"") + query).decode("latin-1")
    page = visitor.client.open(
        "/",
        method=method,
        data=body,
        content_type="application/x-www-form-urlencoded",
        headers={"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"},
        environ_overrides={
            "PATH_INFO": parts.path.encode().decode("latin-1") if parts.path.isascii() else parts.path,
            "QUERY_STRING": raw,
            **headers,
        },
    )
    refuse_broken(page, f"{method} {path!r} {query[:80]!r} {body[:200]!r} {headers}")
    return page


def refuse_broken(page: TestResponse, what: str) -> None:
    assert page.status_code < 500 or page.status_code == 503, f"{page.status_code}: {what}"
    assert page.headers["Cache-Control"] == "no-store", what
    assert page.headers["X-Content-Type-Options"] == "nosniff", what
    assert page.headers["Referrer-Policy"] == "same-origin", what
    for name, value in HEADERS:
        assert page.headers.get(name) == value, f"{name}: {what}"
    if "text/html" in page.headers.get("Content-Type", ""):
        assert b"<script>alert" not in page.data, what
        assert b"<img src=x" not in page.data, what
    location = page.headers.get("Location", "")
    assert location.startswith(("/console/", "http://127.0.0.1:1")) or not location, f"{location}: {what}"


def form_of(visitor: Browser, fields: list[tuple[str, str | bytes]]) -> bytes:
    return urlencode([("csrf", csrf_for(token_of(visitor))), *fields]).encode()


def test_no_path_breaks_a_page(server, visitor):
    for method, path in rules(server):
        if "{}" not in path:
            continue
        body = form_of(visitor, [])
        for part in [*texts(server), "tsc_0000000000000000000000", "static"]:
            if "/" not in part and part:
                ask(visitor, method, path.replace("{}", part.encode().decode("latin-1")), body=body)
        for odd in odd_bytes(server):
            ask(visitor, method, path.replace("{}", odd.decode("latin-1")), body=body)


def test_no_query_breaks_a_page(server, found, visitor):
    names = sorted(
        {*QUERY, *(name for form, fields in found.forms.items() if form.startswith("GET") for name in fields)}
    )
    for path in sorted(path for path in found.paths if "?" not in path):
        for text in texts(server):
            ask(visitor, "GET", path, urlencode([(name, text) for name in names]).encode())
        for odd in odd_bytes(server)[:2]:
            ask(visitor, "GET", path, b"&".join([name.encode() + b"=" + odd for name in names]) + b"&" + odd)


def test_no_parameter_by_itself_breaks_a_page(server, found, visitor):
    """Of a page's own form: beside another one that is refused, it would not be looked at."""
    for form, names in sorted(found.forms.items()):
        method, _, path = form.partition(" ")
        for name in sorted(names) if method == "GET" else ():
            for text in ("9999-12-31", "9" * 400, MARKUP) if server.settings.on_sqlite else ("a\0b",):
                ask(visitor, "GET", path, f"{quote(name)}={quote(text)}".encode())


def test_no_form_breaks_a_page(server, found, visitor):
    posts = {path for method, path in rules(server) if method == "POST" and "{}" not in path}
    forms = {f"POST {path}": {"name"} for path in posts} | found.forms
    for form, names in sorted(forms.items()):
        method, _, path = form.partition(" ")
        if method != "POST":
            continue
        for text in texts(server)[::2]:
            if not token_of(visitor):  # that was the form that signs out
                visitor = newcomer(server)
            ask(visitor, "POST", path, body=form_of(visitor, [(name, text) for name in sorted(names)]))
        for odd in odd_bytes(server)[:1]:
            fields: list[tuple[str, str | bytes]] = [(name, odd) for name in sorted(names)]
            if not token_of(visitor):
                visitor = newcomer(server)
            ask(visitor, "POST", path, body=form_of(visitor, fields))
            ask(visitor, "POST", path, body=form_of(visitor, []) + b"&" + odd + b"=" + odd + b"&&=&")


def test_no_field_by_itself_breaks_a_form(server, found, visitor):
    for form, names in sorted(found.forms.items()):
        method, _, path = form.partition(" ")
        for name in sorted(names) if method == "POST" else ():
            for text in ("9999-12-31",) if server.settings.on_sqlite else ("a\0b",):
                if not token_of(visitor):
                    visitor = newcomer(server)
                others: list[tuple[str, str | bytes]] = [(one, "a") for one in sorted(names - {name})]
                ask(visitor, "POST", path, body=form_of(visitor, [(name, text), *others]))


@pytest.mark.parametrize("odd", ["\xff\xfe", "\x80", "a\0b", '"\\377\\000"', "=;=;", f"{COOKIE}", "é" * 4000])
def test_no_cookie_breaks_a_page(server, odd):
    for name in (COOKIE, "__Host-tokenserver-visit", "__Host-tokenserver-away"):
        for path in (
            "/console/",
            "/console/sign-in",
            "/console/sign-in/sso/callback?state=a&code=b",
            "/console/nowhere",
        ):
            visitor = browser(server)
            ask(visitor, "GET", path, HTTP_COOKIE=f"{name}={odd}")
            ask(visitor, "POST", path, body=b"csrf=a", HTTP_COOKIE=f"{name}={odd}")


@pytest.mark.parametrize("name", ["HTTP_USER_AGENT", "HTTP_X_FORWARDED_FOR", "HTTP_ACCEPT_ENCODING", "HTTP_HX_REQUEST"])
def test_no_header_breaks_a_page(server, visitor, name):
    for odd in ("\x80", "\0", MARKUP, "a" * 20_000):
        for path in ("/console/", "/console/sign-in", "/console/static/console.css"):
            ask(visitor, "GET", path, b"", b"", **{name: odd})


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "BREW"])
def test_no_method_breaks_a_page(server, visitor, method):
    for path in ("/console", "/console/", "/console/sign-in", "/console/sign-out", "/console/static/console.css"):
        page = ask(visitor, method, path)
        assert page.status_code in {200, 303, 404, 405}, path

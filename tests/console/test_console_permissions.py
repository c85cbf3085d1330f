"""Does the server refuse what a role may not do, at every page? The table is the console's own, so that none is missed.

Whether the navigation and the buttons show only what the viewer may do is asked of the pages themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import closing

import pytest

from tests.support.console import Browser, browser, hidden_fields, signed_in
from tests.support.console_table import PART, Change, may, pages, path_of
from tests.support.server import Server, serving
from tokenserver.domain.operators import OperatorRole

ROLES = [role.value for role in OperatorRole]


@pytest.fixture(scope="module")
def stocked(installed, tmp_path_factory) -> Iterator[Server]:
    """A server with one of everything."""
    with serving(installed, tmp_path_factory.mktemp("stocked")) as server:
        yield server


@pytest.fixture(scope="module")
def ids(stocked) -> Mapping[str, str]:
    """An ID that is there for each name that a path may hold."""

    def made(path: str, body: object) -> dict[str, str]:
        answer = stocked.call("POST", path, body)
        assert answer.status_code in {201, 202}, answer.text
        found: dict[str, str] = answer.get_json()
        return found

    scopes = [{"name": "reports:read", "access": "read"}]
    api = made("/v1/apis", {"audience": "https://api.example.com", "name": "Example", "scopes": scopes})
    role = made("/v1/roles", {"name": "reader"})
    credential = made("/v1/credentials", {"name": "nightly export", "roles": ["reader"]})
    operator = made("/v1/operators", {"email": "grace@example.com", "role": "member"})
    project = made("/v1/projects", {"name": "billing"})
    webhook = made("/v1/webhooks", {"url": "https://hooks.example.com/x", "events": ["*"]})
    delivery = made(f"/v1/webhooks/{webhook['id']}/test", {})
    return {
        "client_id": credential["client_id"],
        "api_id": api["id"],
        "role_id": role["id"],
        "operator_id": operator["id"],
        "project_id": project["id"],
        "webhook_id": webhook["id"],
        "delivery_id": delivery["id"],
        "organization_id": stocked.installed.organization_id,
        "kid": stocked.services.keys.list()[0].kid,
    }


@pytest.fixture(scope="module", params=ROLES)
def viewer(request, stocked, ids) -> tuple[str, Browser]:
    """Somebody of each role, signed in; a platform admin is the first operator."""
    role = request.param
    if role == OperatorRole.PLATFORM_ADMIN.value:
        return role, signed_in(stocked)
    return role, signed_in(stocked, f"{role}@example.com", role)


def test_every_page_that_is_not_open_to_everybody_asks_strangers_to_sign_in(stocked, ids):
    for page in pages(stocked):
        if page.open:
            continue
        visitor = browser(stocked)
        visitor.open("/sign-in")
        with closing(Change(stocked)) as change:
            csrf = hidden_fields(visitor.page_text)["csrf"]
            answer = visitor.client.open(
                f"/console{path_of(page, ids)}",
                method=page.method,
                data={"csrf": csrf} if page.method == "POST" else None,
                headers={"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"},
            )
            if page.method == "GET":
                assert answer.status_code == 303, page.name
                assert answer.headers["Location"].startswith("/console/sign-in"), page.name
            else:
                assert answer.status_code == 401, page.name
            assert not change.happened(), page.name


def test_what_a_role_may_not_do_is_refused_at_every_page_and_changes_nothing(stocked, ids, viewer):
    role, visitor = viewer
    refused = [page for page in pages(stocked) if not page.open and not may(role, page)]
    assert refused or role == OperatorRole.PLATFORM_ADMIN.value
    visitor.open("/")
    hidden = hidden_fields(visitor.page_text)
    with closing(Change(stocked)) as change:
        for page in refused:
            answer = visitor.client.open(
                f"/console{path_of(page, ids)}",
                method=page.method,
                data={"csrf": hidden["csrf"], "version": "1"} if page.method == "POST" else None,
                headers={"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"},
            )
            assert answer.status_code in {403, 404}, (role, page.name, answer.status_code)
            assert not change.happened(), (role, page.name)


def test_what_a_role_may_see_is_shown_and_looking_changes_nothing(stocked, ids, viewer):
    role, visitor = viewer
    with closing(Change(stocked)) as change:
        for page in pages(stocked):
            if page.method != "GET" or page.open or not may(role, page):
                continue
            answer = visitor.open(path_of(page, ids))
            assert answer.status_code not in {401, 403}, (role, page.name)
            assert answer.status_code < 500, (role, page.name)
            assert not change.happened(), (role, page.name)


def test_the_navigation_shows_what_the_viewer_may_see_and_nothing_else(stocked, viewer):
    role, visitor = viewer
    by_path = {page.path: page for page in pages(stocked) if page.method == "GET"}
    shown = set(re.findall(r'href="/console(/[a-z]+)"', visitor.open("/").text.partition('<nav class="places"')[2]))
    for path in ("/apis", "/roles", "/projects", "/operators", "/organizations", "/keys", "/webhooks"):
        assert (path in shown) == may(role, by_path[path]), (role, path)


def test_no_button_leads_to_what_the_viewer_may_not_do(stocked, ids, viewer):
    """Of every link and form on every page that is shown: where it leads, the viewer may go."""
    role, visitor = viewer
    table = [(re.compile(PART.sub("[^/]+", page.path) + r"\Z"), page) for page in pages(stocked)]
    for page in pages(stocked):
        if page.method != "GET" or page.open or not may(role, page):
            continue
        answer = visitor.open(path_of(page, ids))
        if answer.status_code != 200:
            continue
        targets = [("GET", path) for path in re.findall(r'href="/console(/[^"?#]*)', answer.text)]
        targets += [
            ("POST", path_of(page, ids)) for _ in re.findall(r'<form method="post"(?![^>]* action)', answer.text)
        ]
        targets += [("POST", path) for path in re.findall(r'method="post" action="/console(/[^"?#]*)', answer.text)]
        for method, path in targets:
            for pattern, there in table:
                if there.method == method and pattern.match(path) and not there.open:
                    first = next(p for r, p in table if p.method == method and r.match(path))
                    assert may(role, first), (role, page.name, method, path)
                    break

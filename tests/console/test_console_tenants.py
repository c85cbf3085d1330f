"""Can anybody reach into an organization that is not theirs? Every page of the console's table is asked for with the
IDs of another one: in its path, in its query, in its form. Nothing of it is shown, and nothing changes.

Whatever the other organization has says the same odd word, so that it is noticed wherever it turns up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest
from werkzeug.datastructures import MultiDict

from app.inputs.paging import cursor_at
from app.services.sessions import Visitor, digest_of
from tests.support.console import Browser, browser, hidden_fields, operator, signed_in
from tests.support.console_table import PART, Change, may, pages, path_of
from tests.support.server import Server, serving

WORD = "zyzzyva"
THEIR_API = f"https://{WORD}.example.com"
ABOUT_ONESELF = {
    "sign_out",
    "proven",
    "password_set",
    "codes_begun",
    "codes_confirmed",
    "codes_off",
    "recovery_codes",
    "sessions_ended",
}
"""Forms that name nothing: they are about who sends them."""
ROLES = ["owner", "admin", "auditor", "member"]


@pytest.fixture(scope="module")
def stocked(installed, tmp_path_factory) -> Iterator[Server]:
    """A server with two organizations; the other one has one of everything."""
    with serving(installed, tmp_path_factory.mktemp("stocked")) as server:
        assert server.call("POST", "/v1/roles", {"name": "reader"}).status_code == 201
        yield server


@pytest.fixture(scope="module")
def theirs(stocked) -> Mapping[str, str]:
    """What there is in the other organization, by the name that a path or a form has for it."""

    def made(path: str, body: object, **headers: str) -> dict[str, str]:
        answer = stocked.call("POST", path, body, headers=headers)
        assert answer.status_code in {201, 202}, answer.text
        found: dict[str, str] = answer.get_json()
        return found

    there = {"Tokenserver-Organization": made("/v1/organizations", {"name": WORD})["id"]}
    scopes = [{"name": f"{WORD}:read", "access": "read"}]
    api = made("/v1/apis", {"audience": THEIR_API, "name": WORD, "scopes": scopes}, **there)
    role = made("/v1/roles", {"name": WORD, "description": WORD}, **there)
    project = made("/v1/projects", {"name": WORD, "description": WORD}, **there)
    body = {"name": WORD, "description": WORD, "roles": [WORD], "project": WORD}
    credential = made("/v1/credentials", {**body, "grants": [{"audience": THEIR_API, "access": "all_read"}]}, **there)
    person = made("/v1/operators", {"email": f"{WORD}@example.com", "name": WORD, "role": "owner"}, **there)
    webhook = made(
        "/v1/webhooks", {"url": f"https://{WORD}.example.com/x", "description": WORD, "events": ["*"]}, **there
    )
    delivery = made(f"/v1/webhooks/{webhook['id']}/test", {}, **there)
    return {
        "client_id": credential["client_id"],
        "api_id": api["id"],
        "role_id": role["id"],
        "operator_id": person["id"],
        "project_id": project["id"],
        "webhook_id": webhook["id"],
        "delivery_id": delivery["id"],
        "organization_id": there["Tokenserver-Organization"],
        "session": their_session(stocked, person["id"]),
    }


@pytest.fixture(scope="module", params=ROLES)
def viewer(request, stocked, theirs) -> tuple[str, Browser]:
    """Somebody of each role, in the first organization, where there is nothing."""
    return request.param, signed_in(stocked, f"{request.param}@example.com", request.param)


def their_session(server: Server, operator_id: str) -> str:
    """The ID of a session of theirs, as forms name it."""
    with server.services.store.writing() as tx:
        person = tx.operators.get(operator_id)
        assert person is not None
        token = server.services.sessions.open_in(tx, person, "password", Visitor(), server.clock(), awaits=None)
    return digest_of(token)


def everything(theirs: Mapping[str, str]) -> dict[str, Any]:
    """Every field by which a form or a query names something, with what is theirs."""
    return {
        "client_ids": theirs["client_id"],
        "credential": theirs["client_id"],
        "organization": theirs["organization_id"],
        "session": theirs["session"],
        "passkey": "a-passkey-of-somebody",
        "actor": f"operator:{theirs['operator_id']}",
        "owner": theirs["operator_id"],
        "operator": theirs["operator_id"],
        "role": WORD,
        "roles": WORD,
        "project": WORD,
        "audience": THEIR_API,
        f"access {THEIR_API}": "all_read",
        f"access:{theirs['api_id']}": "all_read",
        f"scopes:{theirs['api_id']}": f"{WORD}:read",
        "apis": theirs["api_id"],
        "seq": "1",
        "version": "1",
        "typed_name": WORD,
        "confirmed": "1",
    }


def ask(visitor: Browser, method: str, path: str, fields: Mapping[str, Any]) -> Any:
    headers = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}
    if method == "GET":
        return visitor.client.get(f"/console{path}", query_string=fields, headers=headers)
    return visitor.client.post(f"/console{path}", data=MultiDict(fields), headers=headers)


def csrf_of(visitor: Browser) -> str:
    visitor.open("/account")
    return hidden_fields(visitor.page_text)["csrf"]


def test_what_another_organization_has_is_not_there_at_any_page(stocked, theirs, viewer):
    role, visitor = viewer
    csrf, tried = csrf_of(visitor), 0
    with closing(Change(stocked)) as change:
        for page in pages(stocked):
            names = PART.findall(page.path)
            if page.open or not names or "kid" in names:
                continue
            answer = ask(visitor, page.method, path_of(page, theirs), {**everything(theirs), "csrf": csrf})
            expected = 303 if page.name == "review_again" else 404  # which leads to the page that says so
            assert answer.status_code == (expected if may(role, page) else 403), (role, page.name, answer.status_code)
            assert WORD not in answer.text, (role, page.name)
            assert not change.happened(), (role, page.name)
            tried += may(role, page)
    assert tried > 5


def test_nothing_of_another_organization_is_shown_by_a_query_that_names_it(stocked, theirs, viewer):
    role, visitor = viewer
    with closing(Change(stocked)) as change:
        for page in pages(stocked):
            if page.method != "GET" or page.open or "<" in page.path or not may(role, page):
                continue
            for more in ({}, {"cursor": cursor_at((1_000_000_000, theirs["client_id"]))}):
                fields = {name: value for name, value in everything(theirs).items() if name != "typed_name"}
                answer = ask(visitor, "GET", page.path, {**fields, **more})
                assert answer.status_code < 500, (role, page.name)
                shown = answer.text.replace(f'value="{WORD}"', "").replace(f'value="{THEIR_API}"', "")  # as was typed
                assert WORD not in shown.replace(f"role={WORD}", "").replace(f"project={WORD}", ""), (role, page.name)
                assert not change.happened(), (role, page.name)


def test_no_form_takes_what_another_organization_has(stocked, theirs, viewer):
    """Pages without an ID in their path: what they are about is in their fields."""
    role, visitor = viewer
    csrf = csrf_of(visitor)
    with closing(Change(stocked)) as change:
        for page in pages(stocked):
            if page.method != "POST" or page.open or "<" in page.path or not may(role, page):
                continue
            if page.name in ABOUT_ONESELF:
                continue
            for action in ("disable", "revoke", "rotate"):
                fields = {
                    **everything(theirs),
                    "action": action,
                    "name": "mine",
                    "csrf": csrf,
                    "email": f"{WORD}.too@example.com",
                    "which_roles": "these",
                    "grace_hours": "24",
                }
                answer = ask(visitor, "POST", page.path, fields)
                assert answer.status_code < 500, (role, page.name)
                if page.name in {"create_credential", "create_role", "add_operator"}:
                    assert answer.status_code in {400, 403, 422}, (role, page.name, answer.status_code)
                if page.name in {"create_project", "create_organization", "create_api", "create_webhook"}:
                    change.happened()  # names of one's own are free to choose, whatever others are called
                    continue
                assert not change.happened(), (role, page.name, action)


def test_their_text_is_not_in_the_answer_to_a_change_of_many(stocked, theirs):
    visitor = signed_in(stocked, "ada@example.com", "owner")
    fields = {"csrf": csrf_of(visitor), "action": "disable", "client_ids": theirs["client_id"]}
    answer = ask(visitor, "POST", "/credentials/bulk", fields)
    assert answer.status_code == 200
    assert WORD not in answer.text
    assert ask(visitor, "POST", "/credentials/bulk/apply", fields).status_code == 409


def test_who_is_more_elsewhere_is_here_what_they_are_here(stocked, theirs):
    """An auditor here who owns the other organization: here they change nothing, and see nothing of there."""
    operator(stocked, "grace@example.com", "auditor")
    there = {"Tokenserver-Organization": theirs["organization_id"]}
    added = stocked.call("POST", "/v1/operators", {"email": "grace@example.com", "role": "owner"}, headers=there)
    assert added.status_code == 201
    visitor = browser(stocked)
    with stocked.services.store.writing() as tx:
        person = tx.operators.by_email("grace@example.com")
        assert person is not None
        token = stocked.services.sessions.open_in(tx, person, "password", Visitor(), stocked.clock(), awaits=None)
    visitor.client.set_cookie("__Host-tokenserver-session", token, domain="localhost", secure=True)
    csrf = csrf_of(visitor)
    here = stocked.installed.organization_id
    assert ask(visitor, "POST", "/organization", {"csrf": csrf, "organization": here}).status_code == 303
    path = f"/credentials/{theirs['client_id']}"
    assert ask(visitor, "GET", path, {}).status_code == 404
    assert ask(visitor, "POST", f"{path}/disable", {"csrf": csrf}).status_code == 403
    ask(visitor, "POST", "/organization", {"csrf": csrf, "organization": theirs["organization_id"]})
    assert WORD in ask(visitor, "GET", path, {}).text

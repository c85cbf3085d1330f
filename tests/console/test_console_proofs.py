"""Is a proof asked for wherever something is destroyed or revealed, and is a right gone at once that was taken away?

The table of pages is the console's own: a new page that changes something must be in the list below, with the reason,
or ask for a fresh proof.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from app.services.sessions import FRESH
from tests.support.console import Browser, hidden_fields, signed_in
from tests.support.console_table import Change, pages, path_of
from tests.support.server import Server

WITHOUT_A_FRESH_PROOF = {
    # who comes and goes
    "signed_in": "it is a proof itself",
    "signed_in_by_passkey": "it is a proof itself",
    "second_step_done": "it is a proof itself",
    "proven": "it is a proof itself",
    "set_up_done": "the link is the proof",
    "sign_out": "it takes from nobody but who asks for it, and who leaves in a hurry must not be held up",
    "switch": "it only looks elsewhere; what the viewer may do there is asked at each page",
    # one's own account
    "password_set": "it asks for the old password, or for a fresh proof where there is none",
    "passkey_named": "what it is called, which only its owner sees",
    "session_ended": "it only ends sessions of one's own: who sees a stranger's must be quick",
    "sessions_ended": "as the above: and it leaves the one that asks",
    # what changes nothing
    "explained": "it only looks",
    "read_ranges": "it only reads what was typed",
    "edit_more": "it only shows the form again",
    "preview_bulk": "it only tells what would happen",
    # what gives nothing to anybody, and takes nothing away, until a page that asks says so
    "create_api": "nobody holds a scope of it yet",
    "create_role": "nobody holds it yet",
    "change_role": "its description",
    "create_project": "a label that nobody bears yet",
    "change_project": "its description",
    "create_organization": "there is nobody in it yet",
    "test_webhook": "it says that it is a test, and nothing else, to an address that was set with a proof",
    "redeliver": "it says once more what was said before to an address that was set with a proof",
}
"""Name of the page, and why whoever found the screen unlocked may do it."""


def test_what_changes_something_asks_for_a_fresh_proof_or_is_listed_with_the_reason(server):
    found = {page.name for page in pages(server) if page.method == "POST" and not page.fresh}
    assert found == WITHOUT_A_FRESH_PROOF.keys()


def test_what_is_asked_for_by_a_page_with_a_fresh_proof_is_never_done_without(server):
    """A page that asks whether one is sure, and its deed, have one path: both are fresh, or neither is."""
    by_path: dict[str, set[bool]] = {}
    for page in pages(server):
        by_path.setdefault(page.path, set()).add(page.fresh)
    mixed = {path for path, fresh in by_path.items() if len(fresh) > 1}
    assert mixed == {
        "/credentials/<client_id>/edit/review",  # where one leads to the form, and does nothing
        "/organizations/<organization_id>",  # where it is shown, with the form below
    }


def send_all(server: Server, visitor: Browser, csrf: str, only_fresh: bool) -> list[tuple[str, Any]]:
    """Every form of the table, sent as from our page."""
    headers = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}
    answers = []
    for page in pages(server):
        if page.method != "POST" or page.open or (only_fresh and not page.fresh):
            continue
        fields = {"csrf": csrf, "version": "1", "typed_name": "x", "name": "theirs"}
        answer = visitor.client.post(f"/console{path_of(page, {})}", data=fields, headers=headers)
        answers.append((page.name, answer))
    assert len(answers) > 20
    return answers


def test_once_the_proof_is_old_no_deed_is_done_before_another(server):
    visitor = signed_in(server)
    csrf = hidden_fields(visitor.page_text)["csrf"]
    server.clock.advance(FRESH)
    visitor.open("/")
    with closing(Change(server)) as change:
        for name, answer in send_all(server, visitor, csrf, only_fresh=True):
            assert answer.status_code == 403, name
            assert "Is it still you?" in answer.text, name
            assert not change.happened(), name


def test_once_a_session_has_ended_nothing_is_done(server):
    visitor = signed_in(server)
    csrf = hidden_fields(visitor.page_text)["csrf"]
    with server.services.store.writing() as tx:
        person = tx.operators.by_email("admin@localhost")
        assert person is not None
        tx.sessions.end(*(session.id for session in tx.sessions.of(person.id)))
    cookie = visitor.client.get_cookie("__Host-tokenserver-session", domain="localhost")
    assert cookie is not None
    with closing(Change(server)) as change:
        for page in pages(server):
            if page.method != "POST" or page.open:
                continue
            visitor.client.set_cookie("__Host-tokenserver-session", cookie.value, domain="localhost", secure=True)
            answer = visitor.client.post(
                f"/console{path_of(page, {})}", data={"csrf": csrf}, headers={"Sec-Fetch-Site": "same-origin"}
            )
            assert answer.status_code == 401, page.name
            assert not change.happened(), page.name


@pytest.mark.parametrize("role", ["auditor", "member", None])
def test_a_right_that_was_taken_away_is_gone_with_the_next_request(server, role):
    """None: they are no member any more."""
    signed_in(server, "grace@example.com", "owner")
    visitor = signed_in(server, "ada@example.com", "owner")
    csrf = hidden_fields(visitor.page_text)["csrf"]
    cookie = visitor.client.get_cookie("__Host-tokenserver-session", domain="localhost")
    assert cookie is not None
    with server.services.store.reading() as tx:
        ada = tx.operators.by_email("ada@example.com")
        assert ada is not None
    if role is None:
        assert server.call("DELETE", f"/v1/operators/{ada.id}").status_code == 204
    else:
        version = server.call("GET", f"/v1/operators/{ada.id}").headers["ETag"]
        changed = server.call("PATCH", f"/v1/operators/{ada.id}", {"role": role}, if_match=version)
        assert changed.status_code == 200, changed.text
    with closing(Change(server)) as change:
        for path in ("/apis/new", "/roles/new", "/projects/new", "/webhooks/new", "/operators/new"):
            fields = {"csrf": csrf, "name": "theirs"}
            answer = visitor.client.post(f"/console{path}", data=fields, headers={"Sec-Fetch-Site": "same-origin"})
            assert answer.status_code == (401 if role is None else 403), path
            visitor.client.set_cookie("__Host-tokenserver-session", cookie.value, domain="localhost", secure=True)
            assert not change.happened(), path

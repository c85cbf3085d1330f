"""Is what was typed when somebody was asked who they are theirs afterwards, and nobody else's?"""

from __future__ import annotations

import pytest

from app.services.sessions import FRESH
from tests.support.console import PASSWORD, Browser, hidden_fields, operator, signed_in
from tests.support.server import Server

TYPED = {"name": "nightly export"}
ADA = {"email": "ada@example.com", "password": PASSWORD}


def asked_to_sign_in(server: Server) -> Browser:
    """Ada's session has ended in the midst of a form, which she has sent."""
    visitor = signed_in(server, "ada@example.com", "owner")
    visitor.open("/credentials/new")
    server.clock.advance(31 * 60)
    page = visitor.send("/credentials/new", TYPED)
    assert page.status_code == 401
    assert "What you typed is kept for you" in page.text
    return visitor


def sign_in(visitor: Browser, **form: str):
    return visitor.send("/sign-in", {**hidden_fields(visitor.page_text), **form})


def made(server: Server) -> list[str]:
    token = server.token(server.installed.client_id, server.installed.secret)
    return [one["name"] for one in server.call("GET", "/v1/credentials?q=nightly", token=token).get_json()["items"]]


def test_who_comes_back_finds_what_they_had_typed_and_sends_it_themselves(server):
    visitor = asked_to_sign_in(server)
    page = sign_in(visitor, **ADA)
    assert hidden_fields(page.text)["name"] == TYPED["name"]
    assert "data-goes-on" not in page.text
    assert made(server) == []
    page = visitor.send("/credentials/new", TYPED)
    assert page.status_code == 201
    assert made(server) == ["nightly export"]


def test_somebody_else_at_the_same_screen_neither_sees_nor_sends_it(server):
    operator(server, "eve@example.com", "owner")
    visitor = asked_to_sign_in(server)
    assert TYPED["name"] not in visitor.page_text
    page = sign_in(visitor, email="eve@example.com", password=PASSWORD)
    assert page.request.path == "/console/"
    assert "What had been typed was somebody else&#39;s" in page.text
    assert TYPED["name"] not in page.text
    assert made(server) == []


def test_who_only_proves_once_more_who_they_are_has_it_sent_by_the_script(server):
    visitor = signed_in(server)
    visitor.open("/credentials/new")
    server.clock.advance(FRESH)
    page = visitor.send("/credentials/new", TYPED)
    assert page.status_code == 403
    assert TYPED["name"] not in page.text
    page = visitor.send("/prove", {**hidden_fields(page.text), "by": "password", "password": PASSWORD})
    assert hidden_fields(page.text)["name"] == TYPED["name"]
    assert "data-goes-on" in page.text


def test_a_session_that_ends_while_it_is_asked_for_a_proof_keeps_it_too(server):
    visitor = signed_in(server)
    visitor.open("/credentials/new")
    server.clock.advance(FRESH)
    page = visitor.send("/credentials/new", TYPED)
    server.clock.advance(31 * 60)
    page = visitor.send("/prove", {**hidden_fields(page.text), "by": "password", "password": PASSWORD})
    assert page.status_code == 401
    page = sign_in(visitor, email="admin@localhost", password=PASSWORD)
    assert hidden_fields(page.text)["name"] == TYPED["name"]


@pytest.mark.parametrize("kept", ["x", "ü", "AAAA", "A" * 5000, "{}"])
def test_what_was_not_sealed_here_is_nothing_that_was_typed(server, kept):
    visitor = asked_to_sign_in(server)
    page = sign_in(visitor, **ADA, kept=kept)
    assert (page.status_code, page.request.path) == (200, "/console/")
    assert "it is gone" in page.text


def test_what_was_typed_too_long_ago_is_gone(server):
    visitor = asked_to_sign_in(server)
    server.clock.advance(12 * 60 * 60)
    assert "it is gone" in sign_in(visitor, **ADA).text


def test_a_session_that_somebody_has_ended_keeps_nothing(server):
    visitor = signed_in(server, "ada@example.com", "owner")
    visitor.open("/credentials/new")
    with server.services.store.writing() as tx:
        ada = tx.operators.by_email("ada@example.com")
        assert ada is not None
        tx.sessions.end(*(session.id for session in tx.sessions.of(ada.id)))
    page = visitor.send("/credentials/new", TYPED)
    assert page.status_code == 401
    assert "kept" not in hidden_fields(page.text)
    assert sign_in(visitor, **ADA).request.path == "/console/credentials/new"


def test_a_form_without_a_page_of_its_own_leads_to_the_first_page(server):
    visitor = signed_in(server, "ada@example.com", "owner")
    with server.services.store.writing() as tx:
        ada = tx.operators.by_email("ada@example.com")
        assert ada is not None
        tx.sessions.end(*(session.id for session in tx.sessions.of(ada.id)))
    visitor.send("/credentials/bulk", {"action": "disable"})
    assert sign_in(visitor, **ADA).request.path == "/console/"

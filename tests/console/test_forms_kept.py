"""Is what was typed when somebody was asked who they are theirs afterwards, and nobody else's?"""

from __future__ import annotations

import pytest

from app.services.kept_forms import LASTS
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


def end_all_sessions(server: Server) -> None:
    with server.services.store.writing() as tx:
        ada = tx.operators.by_email("ada@example.com")
        assert ada is not None
        tx.sessions.end(*(session.id for session in tx.sessions.of(ada.id)))


def in_another_tab(visitor: Browser) -> Browser:
    """The same cookies, and a page of its own."""
    return Browser(visitor.client)


def another_tab_notices(visitor: Browser, server: Server) -> None:
    server.clock.advance(31 * 60)
    assert in_another_tab(visitor).open("/roles").request.path == "/console/sign-in"


def signed_out_in(tab: Browser) -> None:
    tab.open("/account")
    assert tab.send("/sign-out").request.path == "/console/sign-in"


WAYS_TO_END = {
    "somebody ends it": lambda visitor, server: end_all_sessions(server),
    "another tab signs out": lambda visitor, server: signed_out_in(in_another_tab(visitor)),
    "another tab notices that it is over": another_tab_notices,
}


@pytest.mark.parametrize("ends", WAYS_TO_END.values(), ids=WAYS_TO_END.keys())
def test_however_a_session_has_ended_what_was_typed_is_kept_for_who_typed_it(server, ends):
    visitor = signed_in(server, "ada@example.com", "owner")
    visitor.open("/credentials/new")
    ends(visitor, server)
    page = visitor.send("/credentials/new", TYPED)
    assert page.status_code == 401
    assert TYPED["name"] not in page.text
    page = sign_in(visitor, **ADA)
    assert hidden_fields(page.text)["name"] == TYPED["name"]
    assert "data-goes-on" not in page.text
    assert made(server) == []


def test_who_has_signed_in_again_in_another_tab_looks_at_what_they_had_typed_and_sends_it(server):
    visitor = signed_in(server, "ada@example.com", "owner")
    visitor.open("/credentials/new")
    signed_out_in(in_another_tab(visitor))
    tab = in_another_tab(visitor)
    tab.open("/sign-in")
    assert sign_in(tab, **ADA).status_code == 200
    page = visitor.send("/credentials/new", TYPED)
    assert page.status_code == 403
    assert hidden_fields(page.text)["name"] == TYPED["name"]
    assert "data-goes-on" not in page.text
    assert made(server) == []
    assert visitor.send("/credentials/new", TYPED).status_code == 201


def test_who_has_signed_in_in_another_tab_as_somebody_else_neither_sees_nor_sends_it(server):
    operator(server, "eve@example.com", "owner")
    visitor = signed_in(server, "ada@example.com", "owner")
    visitor.open("/credentials/new")
    signed_out_in(in_another_tab(visitor))
    tab = in_another_tab(visitor)
    tab.open("/sign-in")
    assert sign_in(tab, email="eve@example.com", password=PASSWORD).status_code == 200
    page = visitor.send("/credentials/new", TYPED)
    assert page.status_code == 403
    assert TYPED["name"] not in page.text
    assert "This did not come from a page of this console" in page.text


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_another_site_cannot_have_anything_kept(server, site):
    visitor = signed_in(server, "ada@example.com", "owner")
    visitor.open("/credentials/new")
    end_all_sessions(server)
    page = visitor.send("/credentials/new", TYPED, headers={"Sec-Fetch-Site": site})
    assert page.status_code == 403
    assert "kept" not in hidden_fields(page.text)


def test_a_page_that_is_too_old_does_not_say_whose_it_is(server):
    visitor = signed_in(server, "ada@example.com", "owner")
    visitor.open("/credentials/new")
    server.clock.advance(LASTS)
    page = visitor.send("/credentials/new", TYPED)
    assert page.status_code == 401
    assert "kept" not in hidden_fields(page.text)
    assert sign_in(visitor, **ADA).request.path == "/console/credentials/new"


def test_a_form_without_a_page_of_its_own_leads_to_the_first_page(server):
    visitor = signed_in(server, "ada@example.com", "owner")
    visitor.open("/credentials")
    server.clock.advance(LASTS)
    visitor.send("/credentials/bulk", {"action": "disable"})
    assert sign_in(visitor, **ADA).request.path == "/console/"

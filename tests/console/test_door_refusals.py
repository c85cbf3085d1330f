"""What is refused before a page is asked, or between who somebody is and what they may: still a page, and a way on."""

from __future__ import annotations

import pytest

from app.console.door import HEADERS
from app.store.database import StoreUnavailable
from tests.support.accounts import code, with_codes
from tests.support.console import PASSWORD, browser, hidden_fields, signed_in
from tests.support.server import serving


def refuse_unlike_a_page(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert {name: answer.headers.get(name) for name, _ in HEADERS} == dict(HEADERS)
    assert "That did not work" in answer.text


def test_who_is_stopped_by_a_limit_sees_a_page_that_says_when_to_come_back(installed, tmp_path):
    with serving(installed, tmp_path, rate_limits="address=2/minute") as server:
        visitor = browser(server)
        answers = [visitor.client.get("/console/sign-in") for _ in range(4)]
    refuse_unlike_a_page(answers[-1], 429)
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_a_method_that_a_page_does_not_take_is_answered_by_a_page(server):
    answer = browser(server).client.put("/console/sign-in")
    refuse_unlike_a_page(answer, 405)
    assert answer.headers["Allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("form", [b"a=" + b"b" * 2**20, b"a&" * 2001], ids=["too long", "too many fields"])
def test_a_form_that_is_too_large_is_answered_by_a_page(server, form):
    visitor = signed_in(server)
    kind = "application/x-www-form-urlencoded"
    answer = visitor.client.post(
        "/console/credentials/new", data=form, content_type=kind, headers={"Sec-Fetch-Site": "same-origin"}
    )
    refuse_unlike_a_page(answer, 413)


def test_a_database_that_is_away_is_said_by_a_page(server, monkeypatch):
    visitor = signed_in(server)

    def away(*_: object) -> None:
        raise StoreUnavailable(detail="gone")

    monkeypatch.setattr("app.store.database.Transaction.__init__", away)
    refuse_unlike_a_page(visitor.client.get("/console/"), 503)


def test_who_is_in_a_suspended_organization_only_is_told_so_and_keeps_their_account(server):
    visitor = signed_in(server, "ada@example.com", "owner")
    assert server.call("POST", f"/v1/organizations/{server.installed.organization_id}/suspend").status_code == 200
    for path in ("/", "/credentials", "/operators", "/audit", "/start"):
        page = visitor.open(path)
        assert page.status_code == 403, path
        assert "is suspended</h1>" in page.text
        assert 'class="places"' not in page.text, "no way leads anywhere"
    page = visitor.open("/account")
    assert page.status_code == 200
    assert 'class="places"' not in page.text
    assert visitor.send("/account/sessions/end-others").status_code == 200
    server.clock.advance(20 * 60)
    page = visitor.open("/account/passkeys/new")
    assert page.request.path == "/console/prove"
    page = visitor.send("/prove", {**hidden_fields(page.text), "by": "password", "password": PASSWORD})
    assert page.request.path == "/console/account/passkeys/new"


def test_who_is_in_a_suspended_organization_only_signs_in_as_far_as_others_do(server):
    visitor, secret, _ = with_codes(server)
    visitor.send("/sign-out")
    assert server.call("POST", f"/v1/organizations/{server.installed.organization_id}/suspend").status_code == 200
    page = visitor.send("/sign-in", {"email": "ada@example.com", "password": PASSWORD})
    assert (page.status_code, page.request.path) == (200, "/console/sign-in/second")
    page = visitor.send("/sign-in/second", {"by": "code", "code": code(server, secret)})
    assert page.status_code == 403
    assert "is suspended</h1>" in page.text


def test_who_looks_at_a_suspended_organization_can_still_sign_out(server):
    visitor = signed_in(server, "ada@example.com")
    assert server.call("POST", f"/v1/organizations/{server.installed.organization_id}/suspend").status_code == 200
    page = visitor.open("/credentials")
    assert page.status_code == 403
    assert "suspended" in page.text
    page = visitor.send("/sign-out")
    assert (page.status_code, page.request.path) == (200, "/console/sign-in")


def test_who_belongs_to_a_suspended_organization_can_sign_in_as_somebody_else(server):
    visitor = signed_in(server, "ada@example.com")
    signed_in(server)
    assert server.call("POST", f"/v1/organizations/{server.installed.organization_id}/suspend").status_code == 200
    page = visitor.open("/sign-in")
    assert page.status_code == 200
    visitor.send("/sign-in", {**hidden_fields(page.text), "email": "admin@localhost", "password": PASSWORD})
    assert "admin@localhost" in visitor.open("/").text


def test_who_may_not_see_a_page_still_finds_the_way_to_others(server):
    page = signed_in(server, "ada@example.com", "member").open("/audit")
    assert page.status_code == 403
    assert "Sign out" in page.text

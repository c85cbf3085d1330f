"""Does the second step follow the password, keep what was typed, and let in nobody without it?"""

from __future__ import annotations

import json

import pytest

from tests.support.accounts import FRESH, code, codes_of, secret_of, with_codes, with_passkey
from tests.support.console import PASSWORD, Browser, browser, hidden_fields, signed_in
from tests.support.server import serving

FORM = {"email": "ada@example.com", "password": PASSWORD}


def half_open(server, **hidden) -> Browser:
    visitor = browser(server)
    visitor.open("/sign-in")
    page = visitor.send("/sign-in", {**FORM, **hidden})
    assert "One more step" in page.text
    return visitor


def answer(visitor, key, path):
    asked = visitor.open(path).get_json()
    return {"sealed": asked["sealed"], "answer": key.sign(json.dumps(asked["options"]))}


def test_a_password_alone_opens_no_page(server):
    with_codes(server)
    visitor = half_open(server)
    for path in ("/", "/account", "/credentials", "/prove", "/account/passkeys/offer"):
        assert visitor.open(path).request.path == "/console/sign-in/second", path
    for path in ("/account/sessions/end-others", "/prove", "/sign-out"):
        assert "One more step" in visitor.send(path, {"by": "password", "password": PASSWORD}).text


def test_a_code_opens_the_page_that_was_wanted(server):
    _, secret, _ = with_codes(server)
    visitor = browser(server)
    page = visitor.open("/account")
    page = visitor.send("/sign-in", {**hidden_fields(page.text), **FORM})
    assert page.request.path == "/console/sign-in/second"
    fields = {**hidden_fields(page.text), "by": "code"}
    wrong = visitor.send("/sign-in/second", {**fields, "code": "12345"})
    assert wrong.status_code == 401
    assert "This code is wrong" in wrong.text
    page = visitor.send("/sign-in/second", {**fields, "code": code(server, secret)})
    assert (page.status_code, page.request.path) == (200, "/console/account")


def test_what_was_typed_outlasts_both_steps(server):
    visitor, secret, _ = with_codes(server)
    visitor.open("/account")
    server.clock.advance(31 * 60)
    page = visitor.send("/credentials/new", {"name": "typed long ago", "code": "kept from no form"})
    assert page.status_code == 401
    page = visitor.send("/sign-in", {**hidden_fields(page.text), **FORM})
    assert "One more step" in page.text
    assert "typed long ago" not in page.text  # nor to whoever looks over a shoulder
    wrong = visitor.send("/sign-in/second", {**hidden_fields(page.text), "by": "code", "code": "1"})
    fields = {**hidden_fields(wrong.text), "by": "code", "code": code(server, secret)}
    page = visitor.send("/sign-in/second", fields)
    assert hidden_fields(page.text)["name"] == "typed long ago"
    assert "kept from no form" not in page.text


def test_a_recovery_code_opens_once(server):
    _, _, recovery = with_codes(server)
    visitor = half_open(server)
    form = {"by": "recovery_code", "recovery_code": recovery[0]}
    assert visitor.send("/sign-in/second", form).request.path == "/console/"
    again = half_open(server).send("/sign-in/second", form)
    assert again.status_code == 401
    assert "none of your recovery codes" in again.text
    assert recovery[0] not in again.text


def test_a_passkey_opens_by_itself_and_after_a_password(server):
    _, key = with_passkey(server)
    alone = browser(server)
    form = answer(alone, key, "/sign-in/passkey")
    alone.open("/sign-in")
    assert alone.send("/sign-in/passkey", form).request.path == "/console/"
    second = half_open(server)
    form = answer(second, key, "/sign-in/second/passkey")
    second.open("/sign-in/second")
    assert second.send("/sign-in/second", {"by": "passkey", **form}).request.path == "/console/"


def test_a_passkey_that_is_refused_shows_the_page_again(server):
    visitor = browser(server)
    visitor.open("/sign-in")
    page = visitor.send("/sign-in/passkey", {"sealed": "x", "answer": "{}"})
    assert page.status_code == 400
    assert "Sign in" in page.text


def test_the_token_of_the_first_step_is_worth_nothing_after_the_second(server):
    _, secret, _ = with_codes(server)
    visitor = half_open(server)
    name = "__Host-tokenserver-session"
    before = visitor.client.get_cookie(name)
    assert before is not None
    visitor.send("/sign-in/second", {"by": "code", "code": code(server, secret)})
    after = visitor.client.get_cookie(name)
    assert after is not None
    assert after.value != before.value
    thief = browser(server)
    thief.client.set_cookie(name, before.value, secure=True)
    assert thief.open("/account").request.path == "/console/sign-in"


@pytest.mark.parametrize("by", ["", "nothing", "password"])
def test_what_proves_nothing_is_refused_on_the_page(server, by):
    with_codes(server)
    visitor = half_open(server)
    page = visitor.send("/sign-in/second", {"by": by, "password": PASSWORD})
    assert page.status_code in {200, 400}
    assert "One more step" in page.text
    assert visitor.open("/account").request.path == "/console/sign-in/second"


def test_who_waits_too_long_begins_again(server):
    _, secret, _ = with_codes(server)
    visitor = half_open(server)
    server.clock.advance(10 * 60)
    page = visitor.send("/sign-in/second", {"by": "code", "code": code(server, secret)})
    assert page.status_code == 401
    assert "Sign in" in page.text


def test_one_may_sign_in_as_somebody_else_instead(server):
    with_codes(server)
    signed_in(server, "bob@example.com")
    visitor = half_open(server)
    visitor.open("/sign-in")
    page = visitor.send("/sign-in", {"email": "bob@example.com", "password": PASSWORD})
    assert page.request.path == "/console/"
    assert "bob@example.com" in page.text


@pytest.mark.parametrize("by", ["password", "code", "passkey"])
def test_each_proof_goes_on_where_it_was_asked_for(server, by):
    visitor, key = with_passkey(server)
    visitor.open("/account")
    secret = secret_of(visitor.send("/account/codes/begin"))
    visitor.send("/account/codes", {"code": code(server, secret)})
    server.clock.advance(FRESH)
    visitor.open("/account")
    page = visitor.send("/account/recovery-codes")
    assert "Is it still you?" in page.text
    fields = {**hidden_fields(page.text), "by": by}
    proof = {"password": {"password": PASSWORD}, "code": {"code": code(server, secret)}}
    form = proof[by] if by in proof else answer(visitor, key, "/prove/passkey")
    visitor.page = page
    page = visitor.send("/prove", {**fields, **form})
    assert "Go on where you were" in page.text
    assert 'action="/console/account/recovery-codes"' in page.text
    page = visitor.send("/account/recovery-codes", hidden_fields(page.text))
    assert (page.status_code, len(codes_of(page))) == (201, 10)


def test_where_there_are_no_passkeys_the_page_says_why(installed, tmp_path):
    with serving(installed, tmp_path, issuer="http://127.0.0.1:8000") as server:
        visitor = signed_in(server)
        for path in ("/account", "/account/passkeys/new"):
            assert "reached by an IP address" in visitor.open(path).text
        assert visitor.open("/account/passkeys/offer").status_code == 409


def test_a_proof_in_one_tab_leaves_the_forms_in_another_good(server):
    visitor = signed_in(server)
    tab = hidden_fields(visitor.open("/roles/new").text)
    before = visitor.open("/roles/new").request.headers["Cookie"]
    visitor.open("/prove")
    visitor.send("/prove", {"by": "password", "password": PASSWORD})
    made = visitor.send("/roles/new", {**tab, "name": "reader"})
    assert made.request.headers["Cookie"] != before
    assert (made.status_code, made.request.path.rpartition("/")[0]) == (200, "/console/roles")


def test_signing_in_anew_makes_the_forms_of_before_worthless(server):
    visitor = signed_in(server)
    tab = hidden_fields(visitor.open("/roles/new").text)
    visitor.open("/roles/new")
    visitor.send("/sign-out")
    visitor.open("/sign-in")
    visitor.send("/sign-in", {"email": "admin@localhost", "password": PASSWORD})
    assert visitor.open("/").request.path == "/console/"
    assert visitor.send("/roles/new", {**tab, "name": "reader"}).status_code == 403

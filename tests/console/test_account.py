"""Is an account changed by its owner, after a fresh proof, and does every secret in it show once?"""

from __future__ import annotations

import re

import pytest

from app.services.recovery_codes import digest_of
from tests.support.accounts import FRESH, code, codes_of, secret_of, with_codes, with_passkey
from tests.support.console import PASSWORD, Browser, hidden_fields, signed_in

NEW = "five other words in a row"


def test_one_time_codes_are_set_up_in_two_steps_and_turned_off(server):
    visitor = signed_in(server, "ada@example.com")
    page = visitor.open("/account")
    assert re.search(r'One-time codes <span class="badge">Off', page.text)
    page = visitor.send("/account/codes/begin")
    assert page.request.path == "/console/account/codes"
    secret = secret_of(page)
    assert "<svg" in page.text
    wrong = visitor.send("/account/codes", {"code": "123"})
    assert wrong.status_code == 422
    assert 'aria-invalid="true"' in wrong.text
    assert secret_of(wrong) == secret, "the same picture, as it may be scanned already"
    done = visitor.send("/account/codes", {"code": code(server, secret)})
    assert (done.status_code, len(codes_of(done))) == (201, 10)
    assert visitor.open("/account/codes").request.path == "/console/account", "the secret is not shown again"
    page = visitor.open("/account")
    assert "10 left" in page.text
    page = visitor.send("/account/codes/off")
    assert "One-time codes are off." in page.text


def test_setting_up_can_be_left_and_gone_on_with(server):
    visitor = signed_in(server, "ada@example.com")
    visitor.open("/account")
    visitor.send("/account/codes/begin")
    page = visitor.open("/account")
    assert "Go on setting up" in page.text
    assert "were not set up" in visitor.send("/account/codes/off").text
    visitor.open("/account")
    assert visitor.send("/account/codes", {"code": "123456"}).request.path == "/console/account"


def test_new_recovery_codes_replace_the_old_ones(server):
    visitor, _, old = with_codes(server)
    visitor.open("/account")
    page = visitor.send("/account/recovery-codes")
    assert page.status_code == 201
    assert not set(codes_of(page)) & set(old)
    for path in ("/account", "/account/recovery-codes"):
        assert not codes_of(visitor.open(path))


def test_loading_the_page_of_recovery_codes_again_shows_none_and_makes_none(server):
    """Without script the browser sends the form once more, as it was."""
    visitor, _, _ = with_codes(server)
    visitor.open("/account")
    form = {name: value for name, value in hidden_fields(visitor.page_text).items() if name in {"csrf", "once"}}
    kept = codes_of(visitor.send("/account/recovery-codes", form))
    again = visitor.send("/account/recovery-codes", form)
    assert (again.status_code, codes_of(again)) == (409, [])
    assert "has been sent before" in again.text
    with server.services.store.writing() as tx:
        ada = tx.operators.by_email("ada@example.com")
        assert tx.sign_in.use_recovery_code(ada.id, digest_of(ada.id, kept[0])), "those that were shown are good"


def test_there_are_no_recovery_codes_to_make_without_a_second_factor(server):
    visitor = signed_in(server, "ada@example.com")
    visitor.open("/account")
    page = visitor.send("/account/recovery-codes")
    assert page.status_code == 409
    assert "set up one-time codes or a passkey first" in page.text


@pytest.mark.parametrize(
    ("old", "new", "repeated", "said"),
    [
        ("wrong", NEW, NEW, "This is not your password."),
        (PASSWORD, NEW, "another", "The two are not the same."),
        (PASSWORD, "short", "short", "12 to 256 characters"),
        (PASSWORD, "passwordpassword", "passwordpassword", "known breaches"),
        (PASSWORD, "ada@example.com", "ada@example.com", "your e-mail address"),
        (PASSWORD, "", "", "12 to 256 characters"),
    ],
)
def test_a_password_that_cannot_be_changed_is_told_at_its_field(server, old, new, repeated, said):
    visitor = signed_in(server, "ada@example.com")
    visitor.open("/account/password")
    page = visitor.send("/account/password", {"old_password": old, "password": new, "repeated": repeated})
    assert page.status_code == 422
    assert said in page.text
    assert not any(
        f'value="{typed}"' in page.text for typed in (old, new, repeated) if typed not in {"", "ada@example.com"}
    )


def test_a_password_is_changed_and_the_session_goes_on(server):
    visitor, elsewhere = signed_in(server, "ada@example.com"), Browser(server.app.test_client())
    elsewhere.open("/sign-in")
    elsewhere.send("/sign-in", {"email": "ada@example.com", "password": PASSWORD})
    visitor.open("/account/password")
    form = {"old_password": PASSWORD, "password": NEW, "repeated": NEW}
    page = visitor.send("/account/password", form)
    assert "Your password is changed." in page.text
    assert visitor.open("/account").request.path == "/console/account"
    assert elsewhere.open("/account").request.path == "/console/sign-in"


REVEALS_OR_ENDS = {
    "/account/codes/begin": {},
    "/account/codes": {"code": "123456"},
    "/account/codes/off": {},
    "/account/recovery-codes": {},
    "/account/passkeys/new": {"name": "Key"},
    "/account/passkeys/remove": {"passkey": "x"},
}


@pytest.mark.parametrize(("path", "form"), REVEALS_OR_ENDS.items(), ids=REVEALS_OR_ENDS.keys())
def test_what_lets_somebody_in_or_keeps_the_owner_out_wants_a_fresh_proof(server, path, form):
    visitor = signed_in(server, "ada@example.com")
    server.clock.advance(FRESH)
    visitor.open("/account")
    page = visitor.send(path, form)
    assert page.status_code == 403
    assert "Is it still you?" in page.text


@pytest.mark.parametrize("path", ["/account/codes", "/account/passkeys/new", "/account/passkeys/offer"])
def test_and_so_does_looking_at_it(server, path):
    visitor = signed_in(server, "ada@example.com")
    server.clock.advance(FRESH)
    assert visitor.open(path).request.path == "/console/prove"


def test_sessions_are_listed_with_their_browsers_and_ended(server):
    visitor = signed_in(server, "ada@example.com")
    other = Browser(server.app.test_client())
    other.open("/sign-in")
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    form = {"email": "ada@example.com", "password": PASSWORD}
    other.send("/sign-in", form, headers={"User-Agent": agent})
    page = visitor.open("/account")
    assert "Firefox on Linux" in page.text
    assert page.text.count("this one") == 1 + page.text.count("End all but this one")
    (theirs,) = re.findall(r'name="session" value="([0-9a-f]{64})"', page.text)
    assert visitor.send("/account/sessions/end", {"session": "0" * 64}).status_code == 404
    visitor.open("/account")
    assert "The session is ended." in visitor.send("/account/sessions/end", {"session": theirs}).text
    assert other.open("/account").request.path == "/console/sign-in"
    assert "End all but this one" not in visitor.open("/account").text


def test_a_browser_cannot_smuggle_anything_into_the_list(server):
    visitor = signed_in(server, "ada@example.com")
    other = Browser(server.app.test_client())
    other.open("/sign-in")
    form = {"email": "ada@example.com", "password": PASSWORD}
    other.send("/sign-in", form, headers={"User-Agent": '"><script>alert(1)</script>'})
    page = visitor.open("/account")
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;" in page.text


def test_a_passkey_is_added_listed_and_removed(server):
    visitor, _ = with_passkey(server)
    page = visitor.open("/account")
    assert "Laptop" in page.text
    passkey = hidden_fields(page.text)["passkey"]
    assert visitor.send("/account/passkeys/remove", {"passkey": "unknown"}).status_code == 404
    visitor.open("/account")
    page = visitor.send("/account/passkeys/remove", {"passkey": passkey})
    assert "The passkey is removed." in page.text
    assert "Laptop" not in page.text


def test_a_passkey_is_renamed_by_its_owner_and_by_nobody_else(server):
    visitor, _ = with_passkey(server)
    passkey = hidden_fields(visitor.open("/account").text)["passkey"]
    page = visitor.open("/account/passkeys/name", passkey=passkey)
    assert 'value="Laptop"' in page.text
    page = visitor.send("/account/passkeys/name", {"passkey": passkey, "name": "  <script> on the  keyring "})
    assert "The passkey is renamed." in page.text
    assert "&lt;script&gt; on the keyring" in page.text
    assert "Laptop" not in page.text
    assert "renamed a passkey" in signed_in(server).open("/audit").text
    page = visitor.open("/account/passkeys/name", passkey=passkey)
    for name in ("x" * 61, "a\u202eb"):
        page = visitor.send("/account/passkeys/name", {"passkey": passkey, "name": name})
        assert page.status_code == 422
        assert 'id="help-name">A name has up to 60 characters' in page.text
    other = signed_in(server, "bob@example.com")
    assert other.open("/account/passkeys/name", passkey=passkey).status_code == 404
    assert other.open("/account/passkeys/name").status_code == 404
    other.open("/account")
    assert other.send("/account/passkeys/name", {"passkey": passkey, "name": "Bob's"}).status_code == 404
    assert "Bob" not in visitor.open("/account").text


def test_recovery_codes_can_be_copied_saved_and_printed_with_whose_and_where_they_are(server):
    visitor, _, _ = with_codes(server)
    visitor.open("/account")
    page = visitor.send("/account/recovery-codes").text
    for way in ('data-copies="codes"', 'data-saves="codes" data-name="recovery-codes.txt"', "data-prints"):
        assert way in page
    told = re.search(r'<code id="codes">(.*?)</code>', page, re.DOTALL)
    assert told is not None
    assert "ada@example.com\nat auth.example.com" in told[1]
    assert len(re.findall(r"^[a-z2-7-]{19}$", told[1].replace("</span>", ""), re.MULTILINE)) == 10
    assert 'data-home="/console/account"' in page, "a reload makes no others"


@pytest.mark.parametrize("form", [{}, {"sealed": "x", "answer": "{}"}, {"name": "x" * 61}])
def test_what_is_no_passkey_keeps_the_name_that_was_typed(server, form):
    visitor = signed_in(server, "ada@example.com")
    visitor.open("/account/passkeys/new")
    page = visitor.send("/account/passkeys/new", {"name": "My key", **form})
    assert page.status_code in {400, 422}
    assert f'value="{form.get("name", "My key")}"' in page.text


def test_the_page_is_the_owner_s_and_nobody_else_s(server):
    assert Browser(server.app.test_client()).open("/account").request.path == "/console/sign-in"
    member = signed_in(server, "member@example.com", "member")
    assert "member@example.com" in member.open("/account").text

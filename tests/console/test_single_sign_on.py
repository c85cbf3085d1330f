"""The way to the provider and back, in a browser without script: where to, what is kept, and what is refused."""

from __future__ import annotations

import pytest

from tests.support.console import browser, hidden_fields, operator, signed_in
from tests.support.identity_providers import CLIENT_ID, CLIENT_SECRET, a_liar, query_of
from tests.support.server import StillClock, serving

AWAY = "__Host-tokenserver-away"
SESSION = "__Host-tokenserver-session"
FROM_THERE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}


@pytest.fixture
def liar():
    with a_liar(StillClock()) as liar:
        yield liar


@pytest.fixture
def server(installed, tmp_path, liar):
    given = {"sso_issuer": liar.issuer, "sso_client_id": CLIENT_ID, "sso_client_secret": CLIENT_SECRET}
    with serving(installed, tmp_path, sso_name="Example <ID>", **given) as server:
        liar.clock = server.clock
        operator(server, "ada@example.com")
        yield server


@pytest.fixture
def ada_there(liar):
    return liar.person("1", email="ada@example.com")


def leave(visitor, **query):
    """Where the browser is sent."""
    answer = visitor.client.get("/console/sign-in/sso", query_string=query)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def come_back(visitor, query):
    return visitor.client.get("/console/sign-in/sso/callback", query_string=query, headers=FROM_THERE)


def cookie(visitor, name):
    return visitor.client.get_cookie(name, domain="localhost")


def test_somebody_lands_on_the_page_that_they_wanted(server, liar, ada_there):
    visitor = browser(server)
    page = visitor.open("/credentials", status="active", q="a b")
    assert "Sign in with Example &lt;ID&gt;" in page.text
    (link,) = [part for part in page.text.split('"') if part.startswith("/console/sign-in/sso?")]
    sent = visitor.client.get(link)
    assert sent.headers["Location"].startswith(f"{liar.issuer}/authorize?")
    answer = come_back(visitor, ada_there(sent.headers["Location"]))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/credentials?status=active&q=a+b")
    assert "ada@example.com" in visitor.open("/").text
    assert cookie(visitor, AWAY) is None


def test_the_cookie_is_for_this_server_and_no_script_and_comes_along_from_elsewhere(server):
    answer = browser(server).client.get("/console/sign-in/sso")
    (line,) = [one for one in answer.headers.getlist("Set-Cookie") if one.startswith(AWAY)]
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(line.split("; "))
    assert answer.headers["Cache-Control"] == "no-store"


ELSEWHERE = ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", "/a\r\nb", "/" + "x" * 2000]


@pytest.mark.parametrize("to", ELSEWHERE)
def test_nobody_is_sent_on_to_another_site(server, ada_there, to):
    visitor = browser(server)
    answer = come_back(visitor, ada_there(leave(visitor, to=to)))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/")


def test_an_answer_in_another_browser_signs_nobody_in(server, ada_there):
    theirs, victim = browser(server), browser(server)
    answer = come_back(victim, ada_there(leave(theirs)))
    assert answer.status_code == 403
    assert "not begun in this browser" in answer.text
    assert cookie(victim, SESSION) is None


def test_an_answer_that_comes_twice_signs_in_once(server, ada_there):
    visitor = browser(server)
    query = ada_there(leave(visitor))
    kept = cookie(visitor, AWAY).value
    assert come_back(visitor, query).status_code == 303
    visitor.client.set_cookie(AWAY, kept, domain="localhost")
    again = come_back(visitor, query)
    assert again.status_code == 403
    assert "finished already" in again.text


REFUSED = {
    "declined": ({"error": "access_denied", "error_description": "s3cr3t"}, 403, "declined there"),
    "an unknown error": ({"error": "<s3cr3t>"}, 403, "Begin again"),
    "nothing": ({}, 403, "Begin again"),
    "a code of nobody": ({"code": "s3cr3t"}, 403, "too old, or was used"),
    "a provider with troubles": ({"error": "server_error"}, 503, "Try again shortly"),
}


@pytest.mark.parametrize(("query", "status", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_who_is_refused_is_told_why_on_the_page_where_they_can_begin_again(server, query, status, told):
    visitor = browser(server)
    answer = come_back(visitor, {**query, "state": query_of(leave(visitor))["state"]})
    assert answer.status_code == status
    assert told in answer.text
    assert "s3cr3t" not in answer.text
    assert "/console/" in answer.text
    assert cookie(visitor, SESSION) is None
    assert (answer.headers.get("Retry-After") is not None) == (status == 503)


def test_a_stranger_is_refused_politely(server, liar):
    visitor = browser(server)
    answer = come_back(visitor, liar.person("2", email="eve@example.com")(leave(visitor)))
    assert answer.status_code == 403
    assert "There is no operator with your e-mail address" in answer.text


def test_a_provider_that_is_down_leaves_the_other_ways_in(server, liar):
    liar.close()
    visitor = browser(server)
    answer = visitor.client.get("/console/sign-in/sso")
    assert answer.status_code == 503
    assert "Try again shortly" in answer.text
    assert 'name="password"' in visitor.open("/sign-in").text


def test_what_was_typed_survives_the_way_there_and_back(server, ada_there):
    visitor = browser(server)
    visitor.client.get("/console/sign-in")
    come_back(visitor, ada_there(leave(visitor)))
    visitor.open("/credentials/new")
    server.clock.advance(31 * 60)
    page = visitor.send("/credentials/new", {"name": 'nightly "export"', "password": "not to be kept"})
    assert page.status_code == 401
    kept = {name: value for name, value in hidden_fields(page.text).items() if name in {"kept", "to"}}
    page = visitor.send("/sign-in/sso", kept)
    assert page.status_code == 200
    (there,) = [part for part in page.text.split('"') if "/authorize?" in part and not part.startswith("0;")]
    answer = come_back(visitor, ada_there(there.replace("&amp;", "&")))
    assert answer.status_code == 200
    fields = hidden_fields(answer.text)
    assert fields["name"] == 'nightly "export"'
    visitor.page = answer
    again = visitor.send("/credentials/new", {"name": fields["name"]})
    assert again.status_code == 403  # this provider does not say when they proved it, so that they are asked to, now
    assert hidden_fields(again.text)["kept"]


def test_what_is_too_long_to_be_kept_is_not_lost(server):
    visitor = browser(server)
    visitor.open("/sign-in")
    page = visitor.send("/sign-in/sso", {"to": "/credentials/new", "kept": "x" * 5000})
    assert page.status_code == 413
    assert "too long to be kept" in page.text
    assert hidden_fields(page.text)["kept"] == "x" * 5000


def test_who_must_prove_again_who_they_are_may_do_it_there(server, ada_there):
    visitor = browser(server)
    come_back(visitor, ada_there(leave(visitor)))
    before = cookie(visitor, SESSION).value
    for _ in range(2):
        server.clock.advance(10 * 60)
        visitor.open("/")
    page = visitor.open("/credentials/new")
    assert "Prove it with Example &lt;ID&gt;" in page.text
    url = leave(visitor, to="/credentials/new", again="1")
    assert query_of(url)["prompt"] == "login"
    answer = come_back(visitor, ada_there(url))
    assert answer.headers["Location"] == "/console/credentials/new"
    assert cookie(visitor, SESSION).value != before, "a proof gives the session another cookie"
    assert visitor.open("/credentials/new").request.path == "/console/credentials/new"


def test_without_a_provider_there_is_neither_button_nor_page(installed, tmp_path):
    with serving(installed, tmp_path / "other") as server:
        visitor = signed_in(server)
        assert visitor.open("/sign-in/sso").status_code == 404
        assert visitor.open("/sign-in/sso/callback").status_code == 404
        assert "single sign-on" not in browser(server).open("/sign-in").text

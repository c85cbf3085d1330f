"""What holds for every page of the console, whatever it shows."""

from __future__ import annotations

import re

import pytest

from app.console.door import way
from tests.support.console import PASSWORD, browser, hidden_fields, signed_in

STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def test_who_is_not_signed_in_is_asked_to_and_then_gets_what_they_wanted(server):
    signed_in(server)
    visitor = browser(server)
    page = visitor.open("/credentials", status="active")
    assert page.request.path == "/console/sign-in"
    assert "Sign in" in page.text
    fields = {**hidden_fields(page.text), "email": "admin@localhost", "password": PASSWORD}
    page = visitor.send("/sign-in", fields)
    assert (page.request.path, page.request.query_string) == ("/console/credentials", b"status=active")


def test_what_was_typed_survives_a_session_that_ends_meanwhile(server):
    visitor = signed_in(server)
    visitor.open("/credentials/new")
    server.clock.advance(31 * 60)
    page = visitor.send("/credentials/new", {"name": "nightly export", "password": "not to be kept"})
    assert page.status_code == 401
    assert "What you typed is kept for you" in page.text
    assert "not to be kept" not in page.text
    fields = {**hidden_fields(page.text), "email": "admin@localhost", "password": PASSWORD}
    page = visitor.send("/sign-in", fields)
    assert hidden_fields(page.text)["name"] == "nightly export"
    page = visitor.send("/credentials/new", {"name": "nightly export"})
    assert page.status_code == 201
    assert "tss_" in page.text


def test_a_piece_of_a_page_is_never_the_page_that_asks_to_sign_in(server):
    visitor = signed_in(server)
    server.clock.advance(31 * 60)
    headers = {"HX-Request": "true", "Sec-Fetch-Site": "same-origin"}
    answer = visitor.client.get("/console/credentials", headers=headers)
    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers


def test_no_answer_is_kept_by_anybody_and_no_page_may_load_from_elsewhere(server):
    visitor = signed_in(server)
    for path in ("/", "/credentials", "/nowhere", "/static/console.css", "/static/nothing.css", "/sign-in"):
        page = visitor.open(path)
        assert page.headers["Cache-Control"] == "no-store", path
        assert page.headers["Content-Security-Policy"] == STRICT, path
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        for address in re.findall(r'(?:href|src|action)="([^"]*)"', page.text):
            assert address.startswith(("/console/", "#")) or not address, address
        assert not re.search(r"<script(?! src)|<style| style=| on[a-z]+=", page.text), path


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
    ],
)
def test_another_site_cannot_send_a_form(server, headers):
    visitor = signed_in(server)
    visitor.open("/credentials/new")
    page = visitor.send("/credentials/new", {"name": "theirs"}, headers=headers)
    assert page.status_code == 403
    assert server.call("GET", "/v1/credentials?q=theirs").get_json()["items"] == []


@pytest.mark.parametrize("token", ["", "0" * 64, "ü"])
def test_nor_can_who_does_not_know_the_token_of_the_page(server, token):
    visitor = signed_in(server)
    visitor.open("/credentials/new")
    page = visitor.send("/credentials/new", {"name": "theirs", "csrf": token})
    assert page.status_code == 403


def test_an_old_browser_that_says_where_a_form_comes_from_is_enough(server):
    visitor = signed_in(server)
    visitor.open("/credentials/new")
    csrf = hidden_fields(visitor.page_text)
    sent = visitor.client.post(
        "/console/credentials/new", data={**csrf, "name": "mine"}, headers={"Origin": server.settings.issuer}
    )
    assert sent.status_code == 201


def test_a_form_that_is_sent_twice_is_done_once(server):
    visitor = signed_in(server)
    visitor.open("/credentials/new")
    once = hidden_fields(visitor.page_text)
    assert visitor.send("/credentials/new", {**once, "name": "one"}).status_code == 201
    again = visitor.client.post(
        "/console/credentials/new", data={**once, "name": "one"}, headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert again.status_code == 409
    assert "This form has been sent before" in again.text
    assert "tss_" not in again.text


def test_the_cookie_is_for_this_server_and_no_script(server):
    visitor = browser(server)
    visitor.open("/sign-in")
    signed_in(server)
    answer = visitor.client.post(
        "/console/sign-in",
        data={**hidden_fields(visitor.page_text), "email": "admin@localhost", "password": PASSWORD},
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    (cookie,) = [one for one in answer.headers.getlist("Set-Cookie") if "-session=" in one]
    assert cookie.startswith("__Host-tokenserver-session=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))


def test_a_session_ends_with_signing_out(server):
    visitor = signed_in(server)
    visitor.open("/")
    old = visitor.client.get_cookie("__Host-tokenserver-session", domain="localhost")
    assert old is not None
    page = visitor.send("/sign-out")
    assert "You are signed out." in page.text
    visitor.client.set_cookie("__Host-tokenserver-session", old.value, domain="localhost")
    assert visitor.open("/credentials").request.path == "/console/sign-in"


def test_who_has_not_proven_for_a_while_who_they_are_is_asked_again(server):
    visitor = signed_in(server)
    for _ in range(2):
        server.clock.advance(10 * 60)
        visitor.open("/")
    page = visitor.open("/credentials/new")
    assert page.request.path == "/console/prove"
    wrong = visitor.send("/prove", {**hidden_fields(page.text), "password": "wrong"})
    assert wrong.status_code == 401
    page = visitor.send("/prove", {**hidden_fields(wrong.text), "password": PASSWORD})
    assert page.request.path == "/console/credentials/new"


def test_a_member_sees_only_their_own(server):
    server.call("POST", "/v1/credentials", {"name": "of the organization"})
    visitor = signed_in(server, "ada@example.com", "member")
    page = visitor.open("/credentials")
    assert "of the organization" not in page.text
    assert visitor.open("/credentials/tsc_0000000000000000000000").status_code == 404


@pytest.mark.parametrize(
    "to", ["https://evil.example", "//evil.example", "/\\evil.example", "/a\r\nb", "javascript:x", "", "/ö"]
)
def test_nobody_is_sent_to_another_site(to):
    assert way(to) == "/"


@pytest.mark.parametrize("text", ["%00", "%F0%9F%98%80", "a%0Ab", "..%2Fx", "x" * 101, "%20"])
def test_what_does_not_look_like_an_id_is_not_there(server, text):
    assert signed_in(server).open(f"/apis/{text}").status_code == 404


def test_what_is_not_there_is_a_page_that_says_so(server):
    page = signed_in(server).open("/credentials/tsc_0000000000000000000000")
    assert page.status_code == 404
    assert "There is nothing here" in page.text
    assert "text/html" in page.headers["Content-Type"]


def test_signing_in_over_a_session_ends_the_one_before(server):
    visitor = signed_in(server)
    old = visitor.client.get_cookie("__Host-tokenserver-session", domain="localhost")
    assert old is not None
    form = {**hidden_fields(visitor.page_text), "email": "admin@localhost", "password": PASSWORD}
    assert visitor.send("/sign-in", form).status_code == 200
    visitor.client.set_cookie("__Host-tokenserver-session", old.value, domain="localhost")
    assert visitor.open("/credentials").request.path == "/console/sign-in"


def posted(visitor, headers, path="/credentials/new", **form):
    fields = {**hidden_fields(visitor.page_text), "name": "theirs", **form}
    return visitor.client.post(f"/console{path}", data=fields, headers=headers)


FROM = {
    "nothing at all": ({}, False),
    "an empty Fetch Metadata": ({"Sec-Fetch-Site": ""}, False),
    "an address that was typed": ({"Sec-Fetch-Site": "none"}, False),
    "another site": ({"Sec-Fetch-Site": "cross-site"}, False),
    "a neighbour": ({"Sec-Fetch-Site": "same-site"}, False),
    "here, in capitals": ({"Sec-Fetch-Site": "Same-Origin"}, False),
    "two answers at once": ({"Sec-Fetch-Site": "same-origin, cross-site"}, False),
    "another site whose Origin is ours": (
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://auth.example.com"},
        False,
    ),
    "an opaque origin": ({"Origin": "null"}, False),
    "an empty origin": ({"Origin": ""}, False),
    "our host without TLS": ({"Origin": "http://auth.example.com"}, False),
    "our host at another port": ({"Origin": "https://auth.example.com:8443"}, False),
    "a host that begins like ours": ({"Origin": "https://auth.example.com.evil.example"}, False),
    "a host above ours": ({"Origin": "https://example.com"}, False),
    "a page of ours, by Referer alone": ({"Referer": "https://auth.example.com/console/"}, False),
    "here": ({"Sec-Fetch-Site": "same-origin"}, True),
    "here, by Origin": ({"Origin": "https://auth.example.com"}, True),
}


@pytest.mark.parametrize(("headers", "is_ours"), FROM.values(), ids=FROM.keys())
def test_a_form_comes_from_here_or_is_refused(server, headers, is_ours):
    visitor = signed_in(server)
    visitor.open("/credentials/new")
    assert posted(visitor, headers).status_code == (201 if is_ours else 403)


def test_a_page_that_was_made_before_somebody_signed_in_does_nothing_in_their_name(server):
    """Who was at the screen before may have read its token."""
    visitor = browser(server)
    visitor.open("/sign-in")
    old = hidden_fields(visitor.page_text)["csrf"]
    token = signed_in(server).client.get_cookie("__Host-tokenserver-session", domain="localhost")
    assert token is not None
    visitor.client.set_cookie("__Host-tokenserver-session", token.value, domain="localhost", secure=True)
    ours = {"Sec-Fetch-Site": "same-origin"}
    assert posted(visitor, ours, csrf=old).status_code == 403
    assert visitor.client.post("/console/sign-out", data={"csrf": old}, headers=ours).status_code == 403


def test_a_form_whose_sender_is_another_session_is_refused(server):
    mine, theirs = signed_in(server), signed_in(server, "ada@example.com")
    csrf = hidden_fields(theirs.page_text)["csrf"]
    mine.open("/credentials/new")
    assert posted(mine, {"Sec-Fetch-Site": "same-origin"}, csrf=csrf).status_code == 403


@pytest.mark.parametrize("name", ["_method", "X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"])
def test_no_method_stands_in_for_another(server, name):
    visitor = signed_in(server)
    answer = visitor.client.get(f"/console/sign-out?{name}=POST", headers={name: "POST"})
    assert answer.status_code == 404
    assert visitor.open("/").status_code == 200


def test_no_deed_is_done_by_a_link_or_by_looking_for_its_length(server):
    """GET and HEAD change nothing: a page of another site may lead there."""
    visitor = signed_in(server)
    for method in ("GET", "HEAD"):
        headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
        answer = visitor.client.open("/console/sign-out", method=method, headers=headers)
        assert answer.status_code == 404
        no_navigation = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
        answer = visitor.client.open("/console/", method=method, headers=no_navigation)
        assert answer.status_code == 403


def test_a_cookie_that_somebody_has_planted_is_not_kept(server):
    """Session fixation: who signs in gets a token that nobody has seen, whatever the browser brought along."""
    signed_in(server)
    visitor = browser(server)
    planted = "A" * 43
    visitor.client.set_cookie("__Host-tokenserver-session", planted, domain="localhost", secure=True)
    visitor.open("/sign-in")
    visitor.send("/sign-in", {"email": "admin@localhost", "password": PASSWORD})
    cookie = visitor.client.get_cookie("__Host-tokenserver-session", domain="localhost")
    assert cookie is not None
    assert cookie.value != planted
    assert visitor.open("/credentials").status_code == 200


def test_a_cookie_without_the_prefix_is_nobodys(server):
    """A neighbour without TLS can set `tokenserver-session`, and not `__Host-tokenserver-session`."""
    visitor = signed_in(server)
    cookie = visitor.client.get_cookie("__Host-tokenserver-session", domain="localhost")
    assert cookie is not None
    other = browser(server)
    other.client.set_cookie("tokenserver-session", cookie.value, domain="localhost")
    assert other.open("/credentials").request.path == "/console/sign-in"


def test_every_cookie_is_for_this_server_alone(server):
    visitor = browser(server)
    set_here = visitor.client.get("/console/sign-in").headers.getlist("Set-Cookie")
    assert set_here
    for one in set_here:
        assert one.startswith("__Host-tokenserver-")
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(one.split("; "))
        assert "Domain" not in one


BODIES = {
    "a boundary that never comes": ("multipart/form-data; boundary=x", b"--y\r\n\r\n"),
    "no boundary": ("multipart/form-data", b"--x\r\n"),
    "a part that is cut off": ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a'),
    "a part without a name": (
        "multipart/form-data; boundary=x",
        b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--",
    ),
    "a header that never ends": ("multipart/form-data; boundary=x", b"--x\r\n" + b"A" * 100_000),
    "a thousand parts and more": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n' * 2500 + b"--x--",
    ),
    "a file": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="csrf"; filename="a"\r\n\r\nb\r\n--x--',
    ),
    "plain text": ("text/plain", b"csrf=a&name=theirs"),
    "JSON": ("application/json", b'{"csrf": "a"}'),
    "an unknown charset": ("application/x-www-form-urlencoded; charset=utf-7", b"csrf=+AGE-"),
    "no type": ("", b"csrf=a"),
}


@pytest.mark.parametrize(("kind", "body"), BODIES.values(), ids=BODIES.keys())
def test_a_body_that_is_no_form_is_refused_by_a_page(server, kind, body):
    visitor = signed_in(server)
    answer = visitor.client.post(
        "/console/credentials/new", data=body, content_type=kind, headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert answer.status_code in {400, 403, 413}
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_whoever_types_the_address_of_the_server_gets_to_the_console(server):
    visitor = server.app.test_client()
    answer = visitor.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/")
    assert "Set-Cookie" not in answer.headers
    assert visitor.post("/").status_code == 405

"""Does `POST /oauth/token` keep to RFC 6749, whatever is sent, and tell strangers nothing?

In this process, through `app.wsgi_app`, so that the very bytes are ours; over real HTTP in `test_token_over_http.py`.
"""

from __future__ import annotations

import json
import re
import sqlite3
import string
from functools import partial
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.oauth.reading import LARGEST_FORM
from tests.oauth.conftest import PATH, basic
from tests.support.workshop import ISSUER, REPORTS, allowed
from tests.support.wsgi import FORM
from tokenserver.domain.restrictions import Access, Grant
from tokenserver.domain.secret import new_client_id, new_secret
from tokenserver.tokens.claims import read_claims
from tokenserver.tokens.jws import open_signed

DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+\Z")
CODES = {
    "invalid_request",
    "invalid_client",
    "unsupported_grant_type",
    "unauthorized_client",
    "invalid_scope",
    "invalid_target",
}
GRANT = "grant_type=client_credentials"


def form(door, **more):
    chosen = {"grant_type": "client_credentials", "client_id": door.client_id, "client_secret": door.secret, **more}
    return urlencode({name: value for name, value in chosen.items() if value is not None})


def claims(door, answer):
    key_of = door.server.services.keys.ring().believed.get
    return read_claims(open_signed(answer.json["access_token"], "at+jwt", key_of))


def assert_refused(answer, status, code):
    """Exactly so, and as RFC 6749 §5.2 has it."""
    assert (answer.status, answer.json.get("error")) == (status, code), answer
    assert set(answer.json) == {"error", "error_description"}
    assert DESCRIPTION.match(answer.json["error_description"])
    assert_headers(answer)
    assert (answer.header("WWW-Authenticate") is not None) == (status == 401)


def assert_headers(answer):
    """T07."""
    assert answer.header("Content-Type") == "application/json"
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("Pragma") == "no-cache"
    assert answer.header("X-Content-Type-Options") == "nosniff"
    assert answer.header("Content-Length") == str(len(answer.body))
    assert re.fullmatch(r"[A-Za-z0-9_-]{16}", answer.header("X-Request-Id"))


# --- a good request ---


def test_a_good_request_gets_a_token_and_nothing_else(door):
    answer = door.ask()
    assert answer.status == 200
    assert_headers(answer)
    token = claims(door, answer)
    assert answer.json == {
        "access_token": answer.json["access_token"],
        "token_type": "Bearer",
        "expires_in": 900,
        "scope": "reports:read",
    }
    assert (token.issuer, token.client_id, token.audience) == (ISSUER, door.client_id, (REPORTS,))
    assert token.expires_at - token.issued_at == 900


def test_there_is_never_a_refresh_token(door):
    for more in ({}, {"scope": "reports:read"}, {"scope": "offline_access"}):
        assert "refresh_token" not in door.ask(**more).json


GOOD = {
    "in the body": lambda d: d.ask(),
    "by HTTP Basic": lambda d: d.ask(basic(d.client_id, d.secret)),
    "by HTTP Basic in small letters": lambda d: d.ask([("Authorization", _basic(d).replace(b"Basic", b"basic"))]),
    "by HTTP Basic with more spaces": lambda d: d.ask([("Authorization", _basic(d).replace(b"Basic", b"Basic  "))]),
    "by HTTP Basic without padding": lambda d: d.ask([("Authorization", _basic(d).rstrip(b"="))]),
    "with every character of Basic percent-encoded": lambda d: d.ask(basic(_percent(d.client_id), _percent(d.secret))),
    "with the same client_id beside Basic": lambda d: d.ask(basic(d.client_id, d.secret), client_id=d.client_id),
    "with an empty client_secret beside Basic": lambda d: d.ask(basic(d.client_id, d.secret), client_secret=""),
    "with a parameter that nobody knows": lambda d: d.ask(colour="red"),
    "with the unknown parameter in Unicode": lambda d: d.send(form(d) + "&f%C3%A4rbe=r%C3%B8t"),
    "with an empty scope": lambda d: d.ask(scope=""),
    "with an empty scope twice": lambda d: d.send(form(d) + "&scope=&scope="),
    "with an empty resource": lambda d: d.ask(resource=""),
    "with the one resource there is": lambda d: d.ask(resource=REPORTS),
    "with the same resource twice": lambda d: d.send(form(d) + 2 * f"&resource={quote(REPORTS)}"),
    "with a charset": lambda d: d.send(form(d), kind=f"{FORM}; charset=UTF-8"),
    "with the content type in capitals": lambda d: d.send(form(d), kind=FORM.upper()),
    "with ampersands to spare": lambda d: d.send("&" + form(d) + "&&"),
    "without a length, in chunks": lambda d: d.send(form(d), length=None),
    "with an empty length, in chunks": lambda d: d.send(form(d), length=""),
    "of the largest size": lambda d: d.send(_padded(d, LARGEST_FORM)),
    "with parameters in any order": lambda d: d.send("&".join(reversed(form(d).split("&")))),
    "with every character percent-encoded": lambda d: d.send(
        "&".join("=".join(_percent(part) for part in pair.split("=")) for pair in form(d).split("&"))
    ),
}


def _basic(door):
    ((_, value),) = basic(door.client_id, door.secret)
    return value


def _percent(text):
    return "".join(f"%{byte:02x}" for byte in text.encode())


def _padded(door, size):
    start = form(door) + "&padding="
    return start + "x" * (size - len(start))


@pytest.mark.parametrize("request_", GOOD.values(), ids=GOOD.keys())
def test_a_request_is_good(door, request_):
    answer = request_(door)
    assert answer.status == 200, answer
    assert claims(door, answer).client_id == door.client_id


# --- malformed requests ---


def _ask_for_grant(grant, door):
    return door.ask(grant_type=grant)


BAD = {
    # T01: a POST of a form, and nothing else
    "GET": (405, "invalid_request", lambda d: d.send(method="GET", kind=None)),
    "GET with everything in the URL": (
        405,
        "invalid_request",
        lambda d: d.send(method="GET", path=f"{PATH}?{form(d)}", kind=None),
    ),
    "PUT": (405, "invalid_request", lambda d: d.send(form(d), method="PUT")),
    "PATCH": (405, "invalid_request", lambda d: d.send(form(d), method="PATCH")),
    "DELETE": (405, "invalid_request", lambda d: d.send(method="DELETE")),
    "OPTIONS": (405, "invalid_request", lambda d: d.send(method="OPTIONS")),
    "TRACE": (405, "invalid_request", lambda d: d.send(method="TRACE")),
    "a method in small letters": (405, "invalid_request", lambda d: d.send(form(d), method="post")),
    "a method of one's own": (405, "invalid_request", lambda d: d.send(form(d), method="TOKEN")),
    "everything in the URL": (400, "invalid_request", lambda d: d.send(path=f"{PATH}?{form(d)}")),
    "the secret in the URL": (
        400,
        "invalid_request",
        lambda d: d.send(form(d, client_secret=None), path=f"{PATH}?client_secret={d.secret}"),
    ),
    "the grant in the URL": (
        400,
        "invalid_request",
        lambda d: d.send(form(d, grant_type=None), path=f"{PATH}?{GRANT}"),
    ),
    "any parameter in the URL": (400, "invalid_request", lambda d: d.send(form(d), path=f"{PATH}?colour=red")),
    "JSON": (400, "invalid_request", lambda d: d.send(json.dumps({"grant_type": "x"}), kind="application/json")),
    "a form that says it is JSON": (400, "invalid_request", lambda d: d.send(form(d), kind="application/json")),
    "multipart": (400, "invalid_request", lambda d: d.send(form(d), kind="multipart/form-data; boundary=x")),
    "plain text": (400, "invalid_request", lambda d: d.send(form(d), kind="text/plain")),
    "no content type": (400, "invalid_request", lambda d: d.send(form(d), kind=None)),
    "two content types": (400, "invalid_request", lambda d: d.send(form(d), kind=f"{FORM},application/json")),
    "a content type that only begins like it": (400, "invalid_request", lambda d: d.send(form(d), kind=FORM + "x")),
    "a compressed body": (400, "invalid_request", lambda d: d.send(form(d), [("Content-Encoding", "gzip")])),
    # the body
    "an empty body": (400, "invalid_request", lambda d: d.send()),
    "a body over 64 KiB": (413, "invalid_request", lambda d: d.send(_padded(d, LARGEST_FORM + 1))),
    "a body over 64 KiB in chunks": (
        413,
        "invalid_request",
        lambda d: d.send(_padded(d, LARGEST_FORM + 1), length=None),
    ),
    "a length over 64 KiB": (413, "invalid_request", lambda d: d.send(form(d), length=LARGEST_FORM + 1)),
    "a length of a hundred digits": (413, "invalid_request", lambda d: d.send(form(d), length="9" * 100)),
    "65 parameters": (400, "invalid_request", lambda d: d.send(form(d) + "&x=1" * 65)),
    "bytes that are not UTF-8": (400, "invalid_request", lambda d: d.send(form(d).encode() + b"&x=\xff\xfe")),
    "escapes that are not UTF-8": (400, "invalid_request", lambda d: d.send(form(d) + "&x=%ff%fe")),
    "half a surrogate pair": (400, "invalid_request", lambda d: d.send(form(d) + "&x=%ed%a0%80")),
    "an overlong escape": (400, "invalid_request", lambda d: d.send(form(d) + "&x=%c0%80")),
    "a NUL in a value": (400, "invalid_request", lambda d: d.send(form(d) + "&x=a%00b")),
    "a NUL in a name": (400, "invalid_request", lambda d: d.send(form(d) + "&a%00b=x")),
    "a raw NUL": (400, "invalid_request", lambda d: d.send(form(d).encode() + b"&x=\0")),
    "a NUL in the secret": (400, "invalid_request", lambda d: d.ask(client_secret=d.secret + "\0")),
    "a NUL in the client ID": (400, "invalid_request", lambda d: d.ask(client_id=d.client_id + "\0")),
    # T04: once each
    "the grant type twice": (400, "invalid_request", lambda d: d.send(form(d) + f"&{GRANT}")),
    "the scope twice": (400, "invalid_request", lambda d: d.send(form(d) + "&scope=reports:read&scope=reports:read")),
    "the secret twice": (400, "invalid_request", lambda d: d.send(form(d) + f"&client_secret={d.secret}")),
    "the client ID twice": (400, "invalid_request", lambda d: d.send(form(d) + f"&client_id={d.client_id}")),
    "an unknown parameter twice": (400, "invalid_request", lambda d: d.send(form(d) + "&x=1&x=2")),
    "a name that is escaped in two ways": (400, "invalid_request", lambda d: d.send(form(d) + "&client%5Fid=x")),
    # T03: one authentication
    "HTTP Basic and a secret in the body": (
        400,
        "invalid_request",
        lambda d: d.ask(basic(d.client_id, d.secret), client_id=d.client_id, client_secret=d.secret),
    ),
    "HTTP Basic and another secret in the body": (
        400,
        "invalid_request",
        lambda d: d.ask(basic(d.client_id, d.secret), client_secret="x"),
    ),
    "HTTP Basic and another client in the body": (
        400,
        "invalid_request",
        lambda d: d.ask(basic(d.client_id, d.secret), client_id=new_client_id()),
    ),
    "a secret and an assertion": (400, "invalid_request", lambda d: d.ask(client_assertion="x")),
    "HTTP Basic and an assertion": (
        400,
        "invalid_request",
        lambda d: d.ask(basic(d.client_id, d.secret), client_assertion_type="x"),
    ),
    "a bearer token and a secret": (400, "invalid_request", lambda d: d.send(form(d), [("Authorization", "Bearer x")])),
    # T05, T10: the grant
    "no grant type": (400, "invalid_request", lambda d: d.ask(grant_type=None)),
    "an empty grant type": (400, "invalid_request", lambda d: d.ask(grant_type="")),
    **{
        f"the grant type {grant or 'of spaces'}": (
            400,
            "unsupported_grant_type",
            partial(_ask_for_grant, grant),
        )
        for grant in (
            "password",
            "authorization_code",
            "refresh_token",
            "implicit",
            "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "urn:ietf:params:oauth:grant-type:token-exchange",
            "CLIENT_CREDENTIALS",
            " client_credentials",
            "client_credentials ",
            "client_credentials\n",
            "client credentials",
            "\uff43lient_credentials",
        )
    },
    # T09: the scope
    "a scope that is not granted": (400, "invalid_scope", lambda d: d.ask(scope="reports:write")),
    "a scope that does not exist": (400, "invalid_scope", lambda d: d.ask(scope="nothing")),
    "a good scope and another": (400, "invalid_scope", lambda d: d.ask(scope="reports:read nothing")),
    "a scope in capitals": (400, "invalid_scope", lambda d: d.ask(scope="REPORTS:READ")),
    "two spaces between scopes": (400, "invalid_scope", lambda d: d.ask(scope="reports:read  reports:read")),
    "a space after the scope": (400, "invalid_scope", lambda d: d.ask(scope="reports:read ")),
    "a tab between scopes": (400, "invalid_scope", lambda d: d.ask(scope="reports:read\treports:read")),
    "a line break in the scope": (400, "invalid_scope", lambda d: d.ask(scope="reports:read\r\nX: y")),
    "a quotation mark in the scope": (400, "invalid_scope", lambda d: d.ask(scope='"')),
    "a backslash in the scope": (400, "invalid_scope", lambda d: d.ask(scope="\\")),
    "a scope in Unicode": (400, "invalid_scope", lambda d: d.ask(scope="réports")),
    "U+2028 in the scope": (400, "invalid_scope", lambda d: d.ask(scope="reports:read\u2028")),
    # RFC 8707
    "another resource": (400, "invalid_target", lambda d: d.ask(resource="https://other.example.com")),
    "a resource that exists and is not granted": (400, "invalid_target", lambda d: d.ask(resource="urn:vault")),
    "the administration as resource": (400, "invalid_target", lambda d: d.ask(resource="urn:tokenserver:admin")),
    "two resources": (400, "invalid_target", lambda d: d.send(form(d) + f"&resource={REPORTS}&resource=urn:vault")),
    "a relative resource": (400, "invalid_target", lambda d: d.ask(resource="/reports")),
    "a resource with a fragment": (400, "invalid_target", lambda d: d.ask(resource=REPORTS + "#x")),
    "a resource in capitals": (400, "invalid_target", lambda d: d.ask(resource=REPORTS.upper())),
    "a resource with a slash more": (400, "invalid_target", lambda d: d.ask(resource=REPORTS + "/")),
    "a resource with a line break": (400, "invalid_target", lambda d: d.ask(resource=REPORTS + "\n")),
    "a resource of 10,000 characters": (400, "invalid_target", lambda d: d.ask(resource=REPORTS + "/" + "x" * 10_000)),
    "a resource that is no URL": (400, "invalid_target", lambda d: d.ask(resource="https://[::1")),
    "a resource in Unicode": (400, "invalid_target", lambda d: d.ask(resource="https://ünïcode.example")),
}


@pytest.mark.parametrize(("status", "code", "request_"), BAD.values(), ids=BAD.keys())
def test_a_malformed_request_gets_its_error(door, status, code, request_):
    answer = request_(door)
    assert_refused(answer, status, code)
    if status == 405:
        assert answer.header("Allow") == "POST"


def test_head_is_answered_like_get_but_for_the_body(door):
    answer = door.send(method="HEAD", kind=None)
    assert (answer.status, answer.body, answer.header("Allow")) == (405, b"", "POST")
    assert answer.header("Content-Length") == door.send(method="GET", kind=None).header("Content-Length")


# --- authentication that fails: always the same bytes (T11, T13) ---

STRANGERS = {
    "an unknown client": lambda d: d.ask(client_id=new_client_id()),
    "an unknown client by Basic": lambda d: d.ask(basic(new_client_id(), d.secret)),
    "a wrong secret": lambda d: d.ask(client_secret=new_secret().reveal()),
    "a wrong secret by Basic": lambda d: d.ask(basic(d.client_id, new_secret().reveal())),
    "a secret with a typo": lambda d: d.ask(client_secret=d.secret[:-1] + ("x" if d.secret[-1] != "x" else "y")),
    "half a secret": lambda d: d.ask(client_secret=d.secret[:25]),
    "a secret of 1,025 characters": lambda d: d.ask(client_secret="x" * 1025),
    "a secret of 60,000 characters": lambda d: d.ask(client_secret="x" * 60_000),
    "a secret in Unicode": lambda d: d.ask(client_secret="s€cret" + d.secret),
    "a client ID in Unicode": lambda d: d.ask(client_id="tsc_ünïcødé"),
    "a client ID that is SQL": lambda d: d.ask(client_id="' OR 1=1 --"),
    "no client": lambda d: d.ask(client_id=None, client_secret=None),
    "no secret": lambda d: d.ask(client_secret=None),
    "an empty secret": lambda d: d.ask(client_secret=""),
    "no client ID": lambda d: d.ask(client_id=None),
    "an assertion alone": lambda d: d.ask(client_id=None, client_secret=None, client_assertion="x"),
    "a secret whose percent signs were decoded once too often": lambda d: d.ask(client_secret=_percent(d.secret)),
    "another scheme": lambda d: d.ask([("Authorization", "Digest x")]),
    "a bearer token": lambda d: d.ask([("Authorization", "Bearer " + "x" * 100)]),
    "an empty header": lambda d: d.ask([("Authorization", "")]),
    "only the scheme": lambda d: d.ask([("Authorization", "Basic")]),
    "the scheme and a space": lambda d: d.ask([("Authorization", "Basic ")]),
    "Basic that is not base64": lambda d: d.ask([("Authorization", "Basic %%%")]),
    "Basic with a broken length": lambda d: d.ask([("Authorization", "Basic abcde")]),
    "Basic in URL-safe base64": lambda d: d.ask([("Authorization", "Basic ab-_")]),
    "Basic with a line break": lambda d: d.ask([("Authorization", _basic(d) + b"\n")]),
    "Basic twice": lambda d: d.ask([*basic(d.client_id, d.secret), *basic(d.client_id, d.secret)]),
    "Basic and another scheme": lambda d: d.ask([*basic(d.client_id, d.secret), ("Authorization", "Bearer x")]),
    "Basic without a colon": lambda d: d.ask([("Authorization", "Basic YWJj")]),
    "Basic with bytes that are not UTF-8": lambda d: d.ask(basic(d.client_id, b"\xff\xfe\xfd")),
    "Basic with escapes that are not UTF-8": lambda d: d.ask(basic(d.client_id, "%ff%fe")),
    "Basic with bytes above ASCII in the header": lambda d: d.ask([("Authorization", b"Basic \xc3\xa4\xff")]),
    "Basic with a NUL": lambda d: d.ask(basic(d.client_id, d.secret + "\0")),
    "Basic with an escaped NUL": lambda d: d.ask(basic(d.client_id, d.secret + "%00")),
    "Basic with a space for a plus": lambda d: d.ask(basic(d.client_id, "+" + d.secret)),
    "Basic with nothing in it": lambda d: d.ask(basic("", "")),
    "Basic of 5,000 characters": lambda d: d.ask(basic(d.client_id, "x" * 3_700)),
}


@pytest.fixture(scope="module")
def strangers_answer(door):
    return door.ask(client_id=new_client_id(), client_secret=new_secret().reveal()).but_for_the_request_id()


@pytest.mark.parametrize("request_", STRANGERS.values(), ids=STRANGERS.keys())
def test_whoever_has_not_proven_a_secret_gets_the_same_bytes(door, strangers_answer, request_):
    answer = request_(door)
    assert_refused(answer, 401, "invalid_client")
    assert answer.json["error_description"] == "Client authentication failed."
    assert answer.header("WWW-Authenticate") == 'Basic realm="tokenserver", charset="UTF-8"'
    assert answer.but_for_the_request_id() == strangers_answer


def test_a_failed_authentication_leaves_a_line_even_if_it_could_not_be_read(own_door):
    """L01: every failed login."""
    for number, request_ in enumerate(("an unknown client", "Basic that is not base64", "no client", "no secret")):
        own_door.server.clock.advance(60)
        STRANGERS[request_](own_door)
        refused = [line for line in own_door.audit_events() if line["event"] == "token:refused"]
        assert len(refused) == number + 1
        assert (refused[-1]["actor"], refused[-1]["detail"]["error"]) == ("stranger", "invalid_client")


# --- once the secret is proven, the reason is told ---


def proven(door, **terms):
    made = door.credential(**terms)
    return made, {"client_id": made.view.credential.client_id, "client_secret": made.secret.reveal()}


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (lambda d, i: d.server.services.credentials.disable(d.caller, i), "The credential is disabled."),
        (lambda d, i: d.server.services.credentials.revoke(d.caller, i, "stolen"), "The credential has been revoked."),
        (lambda d, i: d.server.clock.advance(100), "The credential has expired."),
    ],
    ids=["disabled", "revoked", "expired"],
)
def test_who_proves_the_secret_of_an_ended_credential_is_told(own_door, end, told):
    _, asked = proven(own_door, expires_at=int(own_door.server.clock()) + 100)
    assert own_door.ask(**asked).status == 200
    end(own_door, asked["client_id"])
    answer = own_door.ask(**asked)
    assert_refused(answer, 401, "invalid_client")
    assert answer.json["error_description"] == told
    wrong = own_door.ask(**{**asked, "client_secret": new_secret().reveal()})
    assert wrong.json["error_description"] == "Client authentication failed."


def test_an_organization_that_is_suspended_gets_no_tokens_and_is_told(own_door):
    with sqlite3.connect(own_door.server.settings.home / "tokenserver.db") as database:
        database.execute("UPDATE organization SET suspended_at = 1")
    answer = own_door.ask()
    assert_refused(answer, 401, "invalid_client")
    assert "suspended" in answer.json["error_description"]


def test_a_deleted_credential_is_a_stranger(own_door, strangers_answer):
    _, asked = proven(own_door)
    own_door.server.services.credentials.delete(own_door.caller, asked["client_id"])
    assert own_door.ask(**asked).but_for_the_request_id() == strangers_answer


def test_an_ended_secret_is_a_stranger(own_door, strangers_answer):
    _, asked = proven(own_door)
    own_door.server.services.credentials.regenerate(own_door.caller, asked["client_id"])
    assert own_door.ask(**asked).but_for_the_request_id() == strangers_answer


# --- scopes and audiences ---


def test_the_scope_of_the_token_is_told_whatever_was_asked(door):
    made = door.credential(grants=(Grant(REPORTS, Access.ALL_READ_WRITE),))
    asked = {"client_id": made.view.credential.client_id, "client_secret": made.secret.reveal()}
    assert door.ask(**asked).json["scope"] == "reports:read reports:write", "never the sensitive one"
    assert door.ask(**asked, scope="reports:write").json["scope"] == "reports:write"
    assert door.ask(**asked, scope="reports:write reports:read").json["scope"] == "reports:read reports:write"
    assert_refused(door.ask(**asked, scope="people:read"), 400, "invalid_scope")


def test_a_token_without_scopes_says_nothing_of_scopes(door):
    _, asked = proven(door, grants=(Grant("urn:vault", Access.ALL_READ),))
    answer = door.ask(**asked)
    assert answer.status == 200
    assert "scope" not in answer.json


def test_with_several_apis_one_has_to_be_named(door):
    _, asked = proven(door, grants=(Grant(REPORTS, Access.ALL_READ), Grant("urn:vault", Access.ALL_READ)))
    answer = door.ask(**asked)
    assert_refused(answer, 400, "invalid_target")
    assert "resource" in answer.json["error_description"]
    assert claims(door, door.ask(**asked, resource="urn:vault")).audience == ("urn:vault",)


# --- addresses (A03, A04) ---


def restricted(door, text):
    _, asked = proven(door, allowed_ips=allowed(text))
    return urlencode({"grant_type": "client_credentials", **asked})


def test_from_elsewhere_there_is_no_token(door):
    body = restricted(door, "192.0.2.1")
    assert door.send(body, peer="192.0.2.1").status == 200
    assert door.send(body, peer="::ffff:192.0.2.1").status == 200
    for peer in ("192.0.2.2", "::1", None, "", "unix:", "garbage"):
        assert_refused(door.send(body, peer=peer), 400, "unauthorized_client")


SPOOFED = [
    ("X-Forwarded-For", "192.0.2.1"),
    ("Forwarded", "for=192.0.2.1"),
    ("X-Real-IP", "192.0.2.1"),
    ("X-Client-IP", "192.0.2.1"),
    ("CF-Connecting-IP", "192.0.2.1"),
    ("True-Client-IP", "192.0.2.1"),
    ("X-Forwarded-Host", "192.0.2.1"),
    ("Via", "192.0.2.1"),
]


@pytest.mark.parametrize("header", SPOOFED, ids=[name for name, _ in SPOOFED])
def test_nobody_can_say_that_they_are_elsewhere(door, header):
    body = restricted(door, "192.0.2.1")
    assert_refused(door.send(body, [header], peer="203.0.113.9"), 400, "unauthorized_client")
    assert door.send(body, [(header[0], "203.0.113.9")], peer="192.0.2.1").status == 200


FORWARDED = {
    "the proxy names the client": ([("X-Forwarded-For", "192.0.2.1")], 200),
    "the proxy names the client the new way": ([("Forwarded", "for=192.0.2.1;proto=https")], 200),
    "through two proxies": ([("X-Forwarded-For", "192.0.2.1, 10.0.0.7")], 200),
    "in two headers": ([("X-Forwarded-For", "198.51.100.7"), ("X-Forwarded-For", "192.0.2.1")], 200),
    "what the client wrote stands on the left and counts for nothing": (
        [("X-Forwarded-For", "192.0.2.1, 198.51.100.7")],
        400,
    ),
    "in two headers, the client's first": (
        [("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-For", "198.51.100.7")],
        400,
    ),
    "garbage": ([("X-Forwarded-For", "192.0.2.1, unknown")], 400),
    "nothing": ([("X-Forwarded-For", "")], 400),
    "both ways, and they disagree": ([("X-Forwarded-For", "192.0.2.1"), ("Forwarded", "for=198.51.100.7")], 400),
    "no header: the proxy itself asks": ([], 400),
}


@pytest.mark.parametrize(("headers", "status"), FORWARDED.values(), ids=FORWARDED.keys())
def test_behind_a_trusted_proxy_the_client_is_whom_it_names(trusting, headers, status):
    assert trusting.send(restricted(trusting, "192.0.2.1"), headers, peer="10.0.0.1").status == status


@pytest.fixture(scope="module")
def trusting(installed, tmp_path_factory):
    from tests.oauth.conftest import opened
    from tests.support.server import serving

    with serving(installed, tmp_path_factory.mktemp("door"), trusted_proxies="10.0.0.0/8") as server:
        yield opened(server)


def test_the_address_that_is_recorded_is_the_one_that_was_judged(trusting):
    trusting.send(form(trusting), [("X-Forwarded-For", "198.51.100.7, 2001:DB8::0001")], peer="10.0.0.1")
    assert trusting.audit_events()[-1]["address"] == "2001:db8::1"


def test_an_address_that_cannot_be_determined_restricts_only_the_restricted(trusting):
    headers = [("X-Forwarded-For", "unknown")]
    assert trusting.send(form(trusting), headers, peer="10.0.0.1").status == 200
    assert trusting.send(restricted(trusting, "0.0.0.0/0, ::/0"), headers, peer="10.0.0.1").status == 400


# --- where it stands ---


@pytest.mark.parametrize(
    "path", ["/oauth/token/", "//oauth/token", "/oauth//token", "/OAuth/token", "/oauth/token;x", "/oauth/token/x"]
)
def test_another_path_is_another_path(door, path):
    answer = door.send(form(door), path=path)
    assert answer.status == 404
    assert "access_token" not in answer.json


def test_the_host_that_was_asked_is_not_the_issuer(door):
    """T15."""
    lies = [("Host", "evil.example"), ("X-Forwarded-Host", "evil.example"), ("Forwarded", "host=evil.example")]
    assert claims(door, door.send(form(door), lies)).issuer == ISSUER


# --- any bytes at all (T13) ---

GRAMMAR = st.one_of(
    st.binary(max_size=200),
    st.lists(
        st.tuples(
            st.sampled_from(["grant_type", "scope", "client_id", "client_secret", "resource", "x", ""]),
            st.one_of(st.text(max_size=30), st.sampled_from(["client_credentials", "reports:read", REPORTS])),
        ),
        max_size=8,
    ).map(lambda pairs: urlencode(pairs, errors="surrogatepass").encode()),
)
HEADER_BYTES = st.binary(max_size=60).map(lambda raw: bytes(byte for byte in raw if byte not in b"\r\n\0"))
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["Authorization", "Content-Encoding", "X-Forwarded-For", "Forwarded", "Host", "X-Request-Id"]),
        st.one_of(HEADER_BYTES, HEADER_BYTES.map(lambda raw: b"Basic " + raw)),
    ),
    max_size=4,
)


@settings(max_examples=400, deadline=None, database=None)
@given(
    body=GRAMMAR,
    headers=HEADERS,
    more=st.fixed_dictionaries(
        {
            "method": st.sampled_from(["POST", "POST", "POST", "GET", "PUT", "HEAD", "X"]),
            "kind": st.one_of(
                st.just(FORM), st.text(string.printable.replace("\r", "").replace("\n", ""), max_size=30)
            ),
            "path": st.sampled_from(["", "", "?x=1", "?%ff"]).map(lambda query: PATH + query),
            "peer": st.sampled_from(["192.0.2.1", "10.0.0.1", None, "garbage"]),
            "length": st.sampled_from([-1, None, "", "x", "-1", "\u0663", "9" * 30]),
        }
    ),
)
def test_any_bytes_get_an_error_of_the_list_and_nothing_of_them_comes_back(trusting, body, headers, more):
    answer = trusting.send(body, headers, **more)
    assert answer.status in {400, 401, 405, 413}
    if more["method"] == "HEAD":
        return
    assert answer.json["error"] in CODES
    assert DESCRIPTION.match(answer.json["error_description"])
    assert_headers(answer)


PLANTED = "pl4nted-by-the-caller"


@pytest.mark.parametrize(
    "where", ["client_id", "client_secret", "scope", "resource", "grant_type", "x", PLANTED, "header", "url", "kind"]
)
def test_nothing_of_the_caller_is_reflected(door, where):
    """T06. Not in the body, and not in a header."""
    headers = basic(PLANTED, PLANTED) if where == "header" else []
    body = form(door, **({where: PLANTED} if where not in {"header", "url", "kind"} else {}))
    answer = door.send(
        GRANT if where == "header" else body,
        [*headers, ("X-Request-Id", PLANTED), ("Origin", f"https://{PLANTED}.example")],
        path=f"{PATH}?{PLANTED}" if where == "url" else PATH,
        kind=PLANTED if where == "kind" else FORM,
    )
    assert PLANTED not in answer.body.decode()
    assert PLANTED not in repr(answer.headers)


def test_every_answer_has_a_request_id_of_its_own_and_the_audit_line_names_it(own_door):
    answers = [own_door.ask() for _ in range(3)]
    ids = [answer.header("X-Request-Id") for answer in answers]
    assert len(set(ids)) == 3
    assert [line["request_id"] for line in own_door.audit_events() if line["event"] == "token:issued"] == ids


# --- when we cannot (issue, R02) ---


def test_a_database_that_is_locked_is_503_with_retry_after_and_it_passes(own_door):
    own_door.ask()
    with sqlite3.connect(own_door.server.settings.home / "tokenserver.db", isolation_level=None) as stranger:
        stranger.execute("BEGIN IMMEDIATE")
        answer = own_door.ask()
        stranger.execute("ROLLBACK")
    assert (answer.status, answer.json["error"]) == (503, "temporarily_unavailable")
    assert answer.line == "503 Service Unavailable"
    assert DESCRIPTION.match(answer.json["error_description"])
    assert_headers(answer)
    assert int(answer.header("Retry-After")) >= 1
    assert own_door.ask().status == 200


def test_what_is_unexpected_is_a_plain_500_that_says_nothing(own_door, caplog):
    with sqlite3.connect(own_door.server.settings.home / "tokenserver.db") as database:
        database.execute("UPDATE credential SET roles = 'not json' WHERE client_id = ?", (own_door.client_id,))
    answer = own_door.ask()
    assert (answer.status, answer.json) == (
        500,
        {"error": "server_error", "error_description": "The server could not process the request."},
    )
    assert_headers(answer)
    assert own_door.secret not in caplog.text

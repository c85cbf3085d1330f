"""Nothing forged passes, every refusal is said as RFC 6750 has it, and both middlewares say the same."""

from __future__ import annotations

import json
import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.callers import ANYBODY, CALLS, Request, bearer, by_asgi, by_wsgi
from tests.support.forgeries import FORGERIES, MALFORMED, NO_TOKEN, with_header
from tests.support.tokens import base64url
from tokenserver.resource import Guard, Require
from tokenserver.resource.answers import Refusal
from tokenserver.resource.guard import Presented
from tokenserver.resource.testing import FakeIssuer
from tokenserver.resource.wsgi import TokenMiddleware

REALM = 'Bearer realm="https://api.example.com"'
QUICK = settings(max_examples=150, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])


def both(verifier, require, request):
    """The verdict of both middlewares, which is one verdict."""
    first, second = by_wsgi(verifier, require, request), by_asgi(verifier, require, request)
    assert first.verdict == second.verdict
    return first


# --- tokens -----------------------------------------------------------------------------------------------------------


@pytest.mark.fault(
    "a header is forged, of 64 KiB, or of any bytes",
    "401 in the same words",
)
@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
def test_no_forged_token_passes(forge, issuer, verifier):
    answer = both(verifier, ANYBODY, bearer(forge(issuer)))
    assert (answer.status, answer.error, answer.principal) == (401, "invalid_token", None)
    assert answer.headers["www-authenticate"].startswith(f'{REALM}, error="invalid_token"')


def test_an_honest_token_passes_and_says_who_calls(issuer, verifier):
    token = issuer.token(
        roles={"cloud_admin"}, scopes={"reports:read", "reports:write"}, project="p1", environment="production"
    )
    answer = both(verifier, Require(roles={"cloud_admin"}, scopes={"reports:read"}), bearer(token))
    assert (answer.status, answer.body) == (200, b"the app")
    principal = answer.principal
    assert principal is not None
    assert principal.client_id.startswith("tsc_")
    assert (principal.organization, principal.project, principal.environment) == ("org_test", "p1", "production")
    assert (principal.roles, principal.generation) == ({"cloud_admin"}, 1)
    assert principal.scopes == {"reports:read", "reports:write"}
    assert principal.expires_at == issuer.clock() + 900
    assert principal.claims["jti"] == principal.token_id


HONEST = {
    "the type in full": with_header(typ="application/at+jwt"),
    "the type in capitals": with_header(typ="AT+JWT"),
    "several audiences, ours among them": lambda issuer: issuer.token(
        claims={"aud": ["https://else.example.com", issuer.audience]}
    ),
    "a claim that nobody knows": lambda issuer: issuer.token(claims={"new": {"a": [1, None]}}),
    "a generation that is newer than we know": lambda issuer: issuer.token(generation=2**53 - 1),
    "an issue time of fractions": lambda issuer: issuer.token(claims={"iat": issuer.clock() - 0.5}),
    "no roles and no scopes": lambda issuer: issuer.token(),
    "a clock that is nine seconds ahead of ours": lambda issuer: issuer.token(
        claims={"iat": issuer.clock() + 9, "nbf": issuer.clock() + 9}
    ),
}


@pytest.mark.parametrize("make", HONEST.values(), ids=HONEST.keys())
def test_unusual_but_honest_tokens_pass(make, issuer, verifier):
    assert both(verifier, ANYBODY, bearer(make(issuer))).status == 200


# --- headers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_headers_are_400_even_with_a_good_token(values, issuer, verifier):
    answer = both(verifier, ANYBODY, Request(values(issuer.token())))
    assert (answer.status, answer.error) == (400, "invalid_request")
    assert answer.headers["www-authenticate"].startswith(f'{REALM}, error="invalid_request"')


@pytest.mark.parametrize("values", NO_TOKEN.values(), ids=NO_TOKEN.keys())
def test_without_a_bearer_token_the_challenge_has_no_error_code(values, issuer, verifier):
    answer = both(verifier, ANYBODY, Request(values(issuer.token())))
    assert (answer.status, answer.headers["www-authenticate"], answer.error) == (401, REALM, None)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_scheme_may_be_in_any_case(scheme, issuer, verifier):
    token = issuer.token()
    assert both(verifier, ANYBODY, Request((f"{scheme} {token}",))).status == 200
    assert both(verifier, ANYBODY, Request((f"{scheme} {token}",))).status == 200


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "TRACE", "get", "PROPFIND", ""])
@pytest.mark.parametrize("path", ["", "/", "//", "/a/../b", "/a%2f", "/é", "/healthz", "*"])
def test_no_method_and_no_path_passes_without_a_token(method, path, verifier):
    answer = both(verifier, ANYBODY, Request(method=method, path=path))
    assert (answer.status, answer.principal) == (401, None)


def test_an_answer_to_head_has_no_body_and_its_length(verifier, call):
    answer = call(verifier, ANYBODY, Request(method="HEAD"))
    assert (answer.body, answer.headers["content-length"] != "0") == (b"", True)


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_a_missing_role_is_403_with_what_is_required(issuer, verifier):
    require = Require(roles={"cloud_admin"}, scopes={"b:read", "a:read"})
    answer = both(verifier, require, bearer(issuer.token(roles={"Cloud_Admin"}, scopes={"a:read", "b:read"})))
    assert (answer.status, answer.error) == (403, "insufficient_scope")
    assert answer.headers["www-authenticate"].endswith('scope="a:read b:read"')


@pytest.mark.parametrize("scopes", [set(), {"a:read"}, {"a:rea", "b:read"}, {"A:READ", "B:READ"}, {"a:read.b:read"}])
def test_every_scope_is_required_and_compared_whole(scopes, issuer, verifier):
    answer = both(verifier, Require(scopes={"a:read", "b:read"}), bearer(issuer.token(scopes=scopes)))
    assert (answer.status, answer.error) == (403, "insufficient_scope")


def test_refusals_may_not_be_stored_and_say_nothing_of_the_request(issuer, verifier):
    for require in (ANYBODY, Require(roles={"another"})):
        for values in (["Bearer <script>"], [f"Bearer {issuer.token(client_id='tsc_secretive')}x"], []):
            answer = both(verifier, require, Request(values, path="/<script>"))
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["content-type"] == "application/json"
            everything = json.dumps(answer.headers).encode() + answer.body
            assert b"<script" not in everything
            assert b"secretive" not in everything


def test_all_reasons_that_end_a_token_look_the_same(issuer, verifier, clock):
    expired = issuer.token(lifetime=1)
    ended = issuer.token(client_id="tsc_ended")
    issuer.regenerate("tsc_ended")
    clock.advance(2)
    answers = [both(verifier, ANYBODY, bearer(token)) for token in (expired, ended, "a.b.c")]
    assert len({(answer.status, answer.body, answer.headers["www-authenticate"]) for answer in answers}) == 1


# --- per route --------------------------------------------------------------------------------------------------------


def routes(method, path):
    table = {("GET", "/reports"): Require(scopes={"reports:read"}), ("GET", "/me"): ANYBODY, ("GET", "/odd"): "yes"}
    return table.get((method, path))


ROUTES = {
    "a route with its scope": ("GET", "/reports", {"reports:read"}, 200),
    "a route without its scope": ("GET", "/reports", set(), 403),
    "a route for any caller": ("GET", "/me", set(), 200),
    "another method": ("POST", "/me", set(), 403),
    "another spelling of the path": ("GET", "/me/", set(), 403),
    "a route that is not in the table": ("GET", "/admin", {"reports:read"}, 403),
    "a rule that is no requirement": ("GET", "/odd", {"reports:read"}, 403),
}


@pytest.mark.parametrize(("method", "path", "scopes", "status"), ROUTES.values(), ids=ROUTES.keys())
def test_a_function_requires_per_route_and_denies_by_default(method, path, scopes, status, issuer, verifier):
    request = Request((f"Bearer {issuer.token(scopes=scopes)}",), method=method, path=path)
    assert both(verifier, routes, request).status == status
    assert both(verifier, routes, Request((), method=method, path=path)).status == 401


def test_both_middlewares_hand_the_same_path_to_the_function(issuer, verifier):
    seen = []
    for by in CALLS.values():
        by(verifier, lambda *asked: seen.append(asked), Request((f"Bearer {issuer.token()}",), path="/é/ö b"))
    assert seen == [("GET", "/é/ö b")] * 2


def test_a_function_that_fails_closes(issuer, verifier, call, caplog):
    token = issuer.token()
    answer = call(verifier, lambda _, __: 1 / 0, bearer(token))
    assert (answer.status, answer.headers["retry-after"], answer.principal) == (503, "1", None)
    assert "ZeroDivisionError" in caplog.text
    assert token not in caplog.text


@pytest.mark.parametrize("require", [None, "cloud_admin", {"cloud_admin"}])
def test_a_guard_without_a_requirement_cannot_be_made(require, verifier):
    with pytest.raises(TypeError, match="Require"):
        Guard(verifier, require)


def test_arguments_in_another_order_are_told_of_when_the_app_starts(verifier):
    with pytest.raises(TypeError, match="app, verifier and what is required"):
        TokenMiddleware(verifier, lambda _environ, _start: [], Require(any_caller=True))  # type: ignore[arg-type]


# --- whatever the bytes -----------------------------------------------------------------------------------------------


ISSUER = FakeIssuer()
VERIFIER = ISSUER.verifier()
TOKEN = ISSUER.token()
GUARD = Guard(VERIFIER, ANYBODY)
TEXT = st.text(st.characters(max_codepoint=255), max_size=200)
SEGMENT = st.text("ABCabc012-_=.", max_size=40)
HEADER = st.one_of(
    TEXT,
    TEXT.map(lambda text: f"Bearer {text}"),
    st.lists(SEGMENT, max_size=6).map(lambda parts: "Bearer " + ".".join(parts)),
    st.tuples(st.binary(max_size=80), st.binary(max_size=80), st.binary(max_size=80)).map(
        lambda parts: "Bearer " + ".".join(base64url(part) for part in parts)
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    ).map(lambda value: f"Bearer {base64url(json.dumps(value).encode())}.e30.AAAA"),
)


@QUICK
@given(st.lists(HEADER, max_size=3), TEXT, st.lists(st.tuples(st.sampled_from(["forwarded", "x-forwarded-for"]), TEXT)))
def test_no_bytes_raise_and_none_pass(values, peer, forwarded):
    outcome = GUARD.check(Presented(values, peer, forwarded, "GET", "/"))
    assert isinstance(outcome, Refusal)
    assert outcome.status in {400, 401}


@QUICK
@given(st.lists(HEADER, max_size=3))
def test_no_bytes_tell_the_middlewares_apart(values):
    assert by_wsgi(VERIFIER, ANYBODY, Request(values)).verdict == by_asgi(VERIFIER, ANYBODY, Request(values)).verdict


@QUICK
@given(st.data())
def test_a_token_with_any_character_changed_is_refused(data):
    at = data.draw(st.integers(0, len(TOKEN) - 1))
    other = data.draw(st.sampled_from("AQgw-_.=~").filter(lambda character: character != TOKEN[at]))
    changed = TOKEN[:at] + other + TOKEN[at + 1 :]
    outcome = GUARD.check(Presented((f"Bearer {changed}",), "192.0.2.1"))
    # the last character of a signature of 64 bytes carries four bits that mean nothing
    assert isinstance(outcome, Refusal) or at == len(TOKEN) - 1


# --- silence ----------------------------------------------------------------------------------------------------------


def test_no_token_reaches_a_log(issuer, verifier, caplog):
    caplog.set_level(logging.DEBUG)
    tokens = [forge(issuer) for forge in FORGERIES.values()] + [issuer.token(), issuer.token(allowed_ips="10.0.0.1")]
    for fault in (issuer.comes_back, issuer.answers_garbage, issuer.goes_down):
        fault()
        issuer.clock.advance(40)
        for token in tokens:
            both(verifier, ANYBODY, bearer(token))
    assert caplog.records
    assert not [token for token in tokens if len(token) > 20 and token in caplog.text]
    assert "eyJ" not in caplog.text

"""The token endpoint of an issuer, from metadata that is about this issuer."""

from __future__ import annotations

import json

import pytest

from tests.support.token_endpoint import Answer
from tokenserver.client.discovery import metadata_urls, token_endpoint_in
from tokenserver.client.failures import TokenRefused, TokenUnavailable
from tokenserver.client.transport import Response

ISSUER = "https://auth.example.com/tenant"
GOOD = {"issuer": ISSUER, "token_endpoint": "https://tokens.example.com/token"}


def found(document, status=200):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return token_endpoint_in(Response(status, {}, body), ISSUER, allow_http=False)


def test_the_well_known_part_stands_between_host_and_path_and_at_the_end_for_openid():
    assert metadata_urls(ISSUER) == (
        "https://auth.example.com/.well-known/oauth-authorization-server/tenant",
        "https://auth.example.com/tenant/.well-known/openid-configuration",
    )
    assert metadata_urls("https://a.example/")[0] == "https://a.example/.well-known/oauth-authorization-server"


def test_the_endpoint_may_be_of_another_host():
    assert found(GOOD) == "https://tokens.example.com/token"


@pytest.mark.parametrize("issuer", [ISSUER + "/", ISSUER.upper(), "https://evil.example", None, [ISSUER]])
def test_metadata_of_another_issuer_is_refused_to_the_letter(issuer):
    with pytest.raises(TokenRefused, match="another issuer"):
        found({**GOOD, "issuer": issuer})


@pytest.mark.parametrize("endpoint", [None, "", 7, "/token", "http://tokens.example.com/token", "https://u:p@x/token"])
def test_an_endpoint_that_no_secret_may_be_sent_to_is_refused(endpoint):
    with pytest.raises(TokenRefused, match="no token endpoint"):
        found({**GOOD, "token_endpoint": endpoint})


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff"])
def test_what_is_no_metadata_is_no_answer(body):
    with pytest.raises(TokenUnavailable, match="JSON"):
        found(body)


def test_none_is_said_to_be_none_and_a_failing_server_to_fail():
    with pytest.raises(TokenRefused, match="pass token_endpoint"):
        found({}, 404)
    with pytest.raises(TokenUnavailable, match="503"):
        found({}, 503)


# --- over HTTP, through a source ---


def test_metadata_is_read_once_in_an_hour(tokens, make, clock):
    source = make(issuer=tokens.issuer)
    for _ in range(3):
        source.token()
        clock.advance(900)
    assert [one.path for one in tokens.asked].count("/.well-known/oauth-authorization-server") == 1
    clock.advance(3600)
    source.token()
    assert [one.path for one in tokens.asked].count("/.well-known/oauth-authorization-server") == 2


def test_where_there_is_none_that_of_openid_connect_is_read(tokens, make):
    tokens.next.append(Answer(404, {}))
    assert make(issuer=tokens.issuer).token() == "token-1"
    assert [one.path for one in tokens.asked] == [
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/oauth/token",
    ]


def test_the_secret_is_not_shown_to_whoever_metadata_of_another_issuer_names(tokens, make):
    tokens.metadata["issuer"] = "https://evil.example"
    with pytest.raises(TokenRefused, match="another issuer"):
        make(issuer=tokens.issuer).token()
    assert not tokens.token_requests


def test_while_metadata_cannot_be_read_again_the_last_good_one_stands(tokens, make, clock):
    source = make(issuer=tokens.issuer)
    source.token()
    clock.advance(3601)
    tokens.next.append(Answer(503, {}))
    assert source.token() == "token-2"


def test_an_endpoint_that_has_moved_is_found_again(tokens, make, clock):
    source = make(issuer=tokens.issuer)
    source.token()
    tokens.metadata["token_endpoint"] = f"{tokens.issuer}/elsewhere"
    clock.advance(901)
    tokens.next.append(Answer(404, b"<html>"))
    with pytest.raises(TokenRefused):
        source.token()
    clock.advance(61)
    source.token()
    assert tokens.asked[-1].path == "/elsewhere"

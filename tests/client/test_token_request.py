"""What is sent: a form, and a proof that other servers read as we meant it."""

from __future__ import annotations

from base64 import b64decode
from urllib.parse import parse_qsl, unquote, unquote_plus

import pytest

from tokenserver.client.token_request import BASIC, POST, token_request
from tokenserver.domain.secret import Secret

ODD = ["tss_plain", "with space", "a:b", "50%", "a+b", "ünïcödé", "&=?/#", "~-._", "表"]


def made(**changes):
    wishes = {"auth_method": BASIC, "scope": None, "resource": None, "extra": {}, **changes}
    return token_request(wishes.pop("client_id", "an app"), **wishes)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("decoded", [unquote, unquote_plus], ids=["as an address", "as a form"])
def test_basic_is_percent_encoded_so_that_either_kind_of_decoder_reads_it(odd, decoded):
    headers, _ = made(client_id=odd).proven_by(Secret(odd))
    client_id, secret = b64decode(headers["Authorization"].removeprefix("Basic ")).decode("ascii").split(":")
    assert [decoded(client_id), decoded(secret)] == [odd, odd]


def test_with_basic_the_body_says_nothing_of_the_client():
    headers, body = made().proven_by(Secret("first"))
    assert parse_qsl(body.decode()) == [("grant_type", "client_credentials")]
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize("odd", ODD)
def test_by_post_both_are_in_the_form_and_nothing_in_a_header(odd):
    headers, body = made(client_id=odd, auth_method=POST).proven_by(Secret(odd))
    assert "Authorization" not in headers
    assert dict(parse_qsl(body.decode()))["client_id"] == dict(parse_qsl(body.decode()))["client_secret"] == odd


def test_scopes_resources_and_parameters_of_other_servers_are_in_the_form():
    asked = made(
        scope=["reports:read", "reports:write"],
        resource=["https://a.example", "https://b.example"],
        extra={"audience": "https://api.example"},
    )
    assert sorted(parse_qsl(asked.proven_by(Secret("first"))[1].decode())) == [
        ("audience", "https://api.example"),
        ("grant_type", "client_credentials"),
        ("resource", "https://a.example"),
        ("resource", "https://b.example"),
        ("scope", "reports:read reports:write"),
    ]


BAD = {
    "no client": ({"client_id": ""}, "client_id"),
    "a client of two lines": ({"client_id": "a\nb"}, "client_id"),
    "another method": ({"auth_method": "private_key_jwt"}, "client_secret_basic or client_secret_post"),
    "scopes with commas and quotes": ({"scope": 'a, "b"'}, "scope"),
    "two spaces": ({"scope": "a  b"}, "single spaces"),
    "a resource that is no address": ({"resource": "reports"}, "resource"),
    "a resource with a fragment": ({"resource": "https://a.example/#x"}, "resource"),
    "a parameter that has its own argument": ({"extra": {"scope": "a"}}, "scope"),
    "a secret among the parameters": ({"extra": {"client_secret": "tss_1"}}, "client_secret"),
}


@pytest.mark.parametrize(("wrong", "said"), BAD.values(), ids=BAD.keys())
def test_what_cannot_be_asked_is_refused_before_it_is_sent(wrong, said):
    with pytest.raises(ValueError, match=said) as refused:
        made(**wrong)
    assert "tss" not in str(refused.value)

"""Can a client find everything by the issuer alone, and does nothing in a request move it? (T15, T16, T17)"""

from __future__ import annotations

import base64
import json
from urllib.parse import urlsplit

import pytest

from tests.oauth.conftest import opened
from tests.support.server import serving
from tests.support.workshop import ISSUER
from tokenserver.tokens.keys import new_signing_key

METADATA = "/.well-known/oauth-authorization-server"
JWKS = "/.well-known/jwks.json"
LIES = [
    ("Host", "evil.example"),
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Proto", "gopher"),
    ("X-Forwarded-Prefix", "/evil"),
    ("X-Forwarded-Port", "666"),
    ("X-Original-URL", "/evil"),
    ("Forwarded", "host=evil.example;proto=gopher"),
]


def get(door, path, headers=(), method="GET"):
    return door.send(method=method, path=path, headers=headers, kind=None)


def test_the_metadata_is_exactly_this(door):
    answer = get(door, METADATA)
    assert answer.status == 200
    assert answer.header("Content-Type") == "application/json"
    assert answer.header("Cache-Control") == "public, max-age=300"
    assert answer.header("X-Content-Type-Options") == "nosniff"
    assert answer.json == {
        "issuer": ISSUER,
        "token_endpoint": f"{ISSUER}/oauth/token",
        "jwks_uri": f"{ISSUER}/.well-known/jwks.json",
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "introspection_endpoint": f"{ISSUER}/oauth/introspect",
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "introspection_signing_alg_values_supported": ["ES256"],
        "revocation_endpoint": f"{ISSUER}/oauth/revoke",
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "generations_endpoint": f"{ISSUER}/oauth/generations",
        "networks_endpoint": f"{ISSUER}/oauth/networks",
    }


def test_everything_it_names_is_of_the_same_origin_and_is_there(door):
    document = get(door, METADATA).json
    for name, value in document.items():
        if isinstance(value, str):
            assert urlsplit(value)[:2] == urlsplit(ISSUER)[:2], name
    for name in ("jwks_uri", "generations_endpoint"):
        assert get(door, urlsplit(document[name]).path).status == 200
    for name in ("token_endpoint", "introspection_endpoint", "revocation_endpoint"):
        assert get(door, urlsplit(document[name]).path).status == 405


@pytest.mark.parametrize("lie", LIES, ids=[name for name, _ in LIES])
@pytest.mark.parametrize("path", [METADATA, JWKS, "/oauth/generations"])
def test_what_a_request_says_of_its_host_has_no_effect(door, path, lie):
    assert get(door, path, [lie]).body == get(door, path).body


def test_no_outdated_grant_is_offered(door):
    """T10."""
    text = get(door, METADATA).body.decode()
    for outdated in ("password", "implicit", "token_exchange", "authorization_code", "refresh", "none"):
        assert outdated not in text


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:8000", "https://auth.example.com:8443/base"])
def test_the_issuer_is_the_one_of_the_settings(installed, tmp_path, issuer):
    with serving(installed, tmp_path, issuer=issuer) as server:
        document = get(opened(server), METADATA).json
        assert document["issuer"] == issuer
        assert document["token_endpoint"] == f"{issuer}/oauth/token"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize("path", [METADATA, JWKS, "/oauth/generations", "/oauth/networks/" + "0" * 64])
def test_these_addresses_are_read_only(door, path, method):
    answer = get(door, path, method=method)
    assert (answer.status, answer.header("Allow")) == (405, "GET, HEAD")
    assert answer.json["error"] == "method_not_allowed"


def test_head_is_get_without_the_body(door):
    answer = get(door, METADATA, method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.header("Content-Length") == get(door, METADATA).header("Content-Length")


# --- the key set ---


def unpadded(text):
    return base64.urlsafe_b64decode(text + "==")


@pytest.mark.parametrize("alg", ["ES256", "RS256", "EdDSA"])
def test_the_key_set_has_public_members_only_and_says_what_each_is_for(own_door, alg):
    keys = own_door.server.services.keys
    keys.rotate(own_door.caller, new_signing_key(alg))
    keys.rotate(own_door.caller, new_signing_key(alg))
    own_door.server.services.store.engine.dispose()
    from tests.support.world import eventually

    eventually(lambda: len(get(own_door, JWKS).json["keys"]) == 3, "another process sees the keys")
    answer = get(own_door, JWKS)
    assert answer.header("Content-Type") == "application/jwk-set+json"
    assert answer.header("Cache-Control") == "public, max-age=300"
    published = answer.json["keys"]
    assert len({key["kid"] for key in published}) == 3
    for key in published:
        public = {"EC": {"crv", "x", "y"}, "RSA": {"n", "e"}, "OKP": {"crv", "x"}}[key["kty"]]
        assert set(key) == {"kty", "kid", "alg", "use"} | public
        assert key["use"] == "sig"
        if key["kty"] == "RSA":
            assert len(unpadded(key["n"])) * 8 >= 3072


def test_the_key_that_signs_is_in_it(door):
    token = door.ask().json["access_token"]
    header = json.loads(unpadded(token.split(".")[0]))
    assert header == {"alg": "ES256", "typ": "at+jwt", "kid": header["kid"]}
    assert header["kid"] in {key["kid"] for key in get(door, JWKS).json["keys"]}

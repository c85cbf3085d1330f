"""What do the web framework and the signature cost by themselves? Endpoints that do nothing else.

Both parse the form and sign a token of the same claims with PyJWT: one in a Flask view, one in plain WSGI. They look
nothing up, prove no secret, decide nothing and write nothing down. The views for introspection and forward-auth read
what they are sent, look at no token, and answer what is always the same. granian runs them as it runs our server.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask, Response, request
from jwt.algorithms import ECAlgorithm

PATH = "/oauth/token"
INTROSPECTION = "/oauth/introspect"
FORWARD_AUTH = "/forward-auth"
KEYS = "/keys"
_KID = "control"
_KEY = ec.generate_private_key(ec.SECP256R1())
_KEY_SET = {"keys": [{**ECAlgorithm.to_jwk(_KEY.public_key(), as_dict=True), "kid": _KID, "alg": "ES256"}]}


def _claims(client_id: str, scope: str) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": "http://127.0.0.1",
        "sub": client_id,
        "client_id": client_id,
        "aud": "https://api.example.com",
        "iat": now,
        "nbf": now,
        "exp": now + 900,
        "jti": secrets.token_urlsafe(16),
        "scope": scope,
        "roles": ["cloud_admin"],
        "gen": 1,
        "org": "org_0123456789abcdef",
        "org_gen": 1,
        "allowed_ips": ["127.0.0.0/8", "192.0.2.1-192.0.3.254", "2001:db8::/32"],
    }


def _answer(client_id: str, scope: str) -> bytes:
    claims = _claims(client_id, scope)
    token = jwt.encode(claims, _KEY, algorithm="ES256", headers={"kid": _KID, "typ": "at+jwt"})
    return json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": 900, "scope": scope}).encode()


_SOMEBODY = "tsc_0123456789abcdefghijkl"
_SAID = json.dumps({"active": True, **_claims(_SOMEBODY, "reports:read")}, separators=(",", ":"))
_TOLD = {
    "X-Auth-Client-Id": _SOMEBODY,
    "X-Auth-Roles": "cloud_admin",
    "X-Auth-Scopes": "reports:read",
    "X-Auth-Organization": "org_0123456789abcdef",
    "X-Auth-Project": "",
    "X-Auth-Environment": "",
    "X-Auth-Token-Id": secrets.token_urlsafe(16),
}

flask_view = Flask("control")


@flask_view.post(PATH)
def _token() -> Response:
    form, proof = request.form, request.authorization
    if form.get("grant_type") != "client_credentials" or proof is None:
        return Response(status=400)
    return Response(_answer(str(proof.username), form.get("scope", "")), content_type="application/json")


@flask_view.post(INTROSPECTION)
def _introspection() -> Response:
    form, proof = request.form, request.authorization
    if not form.get("token") or proof is None:
        return Response(status=400)
    return Response(_SAID, content_type="application/json")


@flask_view.get(FORWARD_AUTH)
def _forward_auth() -> Response:
    if not request.args.getlist("scope") or not request.headers.get("Authorization", "").startswith("Bearer "):
        return Response(status=401)
    return Response(headers=_TOLD)


@flask_view.get(KEYS)
def _keys() -> dict[str, Any]:
    return _KEY_SET


def plain_wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The same without Flask."""
    if environ["PATH_INFO"] == KEYS:
        payload = json.dumps(_KEY_SET).encode()
    else:
        form = parse_qs(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode())
        scheme, _, proof = environ["HTTP_AUTHORIZATION"].partition(" ")
        if form["grant_type"] != ["client_credentials"] or scheme != "Basic":
            start_response("400 Bad Request", [("Content-Length", "0")])
            return []
        payload = _answer(base64.b64decode(proof).decode().partition(":")[0], form["scope"][0])
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(payload)))])
    return [payload]

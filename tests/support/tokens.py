"""Test keys, and tokens made piece by piece: honest ones and forged ones.

The keys are in `tests/vectors/tokens.json`, for everybody to read: nothing but tests may ever believe them.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.support.credentials import CLIENT_ID, NOW, ORGANIZATION_ID
from tokenserver.tokens.claims import AccessClaims
from tokenserver.tokens.jws import KeyOf
from tokenserver.tokens.keys import ALGORITHMS, SigningKey, VerifyingKey, signing_key
from tokenserver.tokens.statements import Statement

VECTORS = Path(__file__).resolve().parent.parent / "vectors"
ISSUER = "https://auth.example.com"
AUDIENCE = "https://api.example.com"

CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": CLIENT_ID,
    "client_id": CLIENT_ID,
    "aud": AUDIENCE,
    "iat": NOW,
    "nbf": NOW,
    "exp": NOW + 900,
    "jti": "sSn2wDVpWfXSjMvaVBvuPw",
    "scope": "reports:read reports:write",
    "roles": ["auditor", "cloud_admin"],
    "gen": 7,
    "org": ORGANIZATION_ID,
    "org_gen": 3,
}

STATEMENT: dict[str, Any] = {
    "iss": ISSUER,
    "iat": NOW + 0.125,
    "seq": 12,
    "since": 9,
    "window": 3900,
    "floors": [["bfm53WH-j1ra9ydktfNzmI", 8, NOW], ["bfm53WH-j1ra9ydktfNzmI", 9, NOW + 60]],
    "tokens": [["sSn2wDVpWfXSjMvaVBvuPw", NOW + 900]],
    "keys": ["a revoked key"],
}


@cache
def private_keys() -> Mapping[str, SigningKey]:
    """Algorithm to the private key that is in the vectors."""
    jwks = json.loads((VECTORS / "tokens.json").read_text())["private_keys_for_tests_only"]
    return {jwk["alg"]: signing_key(ALGORITHMS[jwk["alg"]].from_jwk(jwk)) for jwk in jwks}


def key_of(kid: str) -> VerifyingKey | None:
    """The key ring of a resource server that believes the test keys."""
    return next((key.verifying for key in private_keys().values() if key.kid == kid), None)


def believing(*keys: VerifyingKey) -> KeyOf:
    return {key.kid: key for key in keys}.get


def base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def as_bytes(value: object) -> bytes:
    """JSON of a value; text and bytes stand for themselves, so that a test can say exactly what is sent."""
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))).encode()


def header(key: SigningKey, /, **changes: object) -> dict[str, object]:
    """The honest header with changes; a member that is changed to None is left out."""
    members = {"alg": key.alg, "kid": key.kid, "typ": "at+jwt", **changes}
    return {name: value for name, value in members.items() if value is not None}


def compact(head: object, payload: object, sign: Callable[[bytes], bytes]) -> str:
    signing_input = f"{base64url(as_bytes(head))}.{base64url(as_bytes(payload))}"
    return f"{signing_input}.{base64url(sign(signing_input.encode()))}"


def signed(payload: object, key_alg: str = "ES256", /, **header_changes: object) -> str:
    """`payload`, whatever it is, under a good signature and a header with changes."""
    key = private_keys()[key_alg]
    return compact(header(key, **header_changes), payload, lambda raw: sign_as_always(key, raw))


def sign_as_always(key: SigningKey, signing_input: bytes) -> bytes:
    """The same signature each time (RFC 6979 for ES256), so that vectors can be made again and compared."""
    if not isinstance(key.private, ec.EllipticCurvePrivateKey):
        return key.sign(signing_input)
    der = key.private.sign(signing_input, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    r, s = decode_dss_signature(der)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def without(name: str, members: Mapping[str, Any]) -> dict[str, Any]:
    return {each: value for each, value in members.items() if each != name}


def reading(claims: AccessClaims) -> dict[str, Any]:
    """What was read from a token, as plain JSON."""
    return {
        "issuer": claims.issuer,
        "client_id": claims.client_id,
        "audience": list(claims.audience),
        "issued_at": claims.issued_at,
        "not_before": claims.not_before,
        "expires_at": claims.expires_at,
        "token_id": claims.token_id,
        "scopes": sorted(claims.scopes),
        "roles": sorted(claims.roles),
        "generation": claims.generation,
        "organization": claims.organization,
        "organization_generation": claims.organization_generation,
        "project": claims.project,
        "environment": claims.environment,
        "allowed_ips": None if claims.allowed_ips is None else list(claims.allowed_ips.normal_form()),
        "allowed_ips_sha256": claims.allowed_ips_sha256,
        "key_id": claims.key_id,
        "credential_ref": claims.credential_ref,
        "organization_ref": claims.organization_ref,
    }


def statement_reading(statement: Statement) -> dict[str, Any]:
    """What was read from a statement, as plain JSON."""
    return {
        "issuer": statement.issuer,
        "issued_at": statement.issued_at,
        "seq": statement.seq,
        "since": statement.since,
        "window": statement.window,
        "floors": [[ref, floor.number, floor.effective_at] for ref, floor in statement.floors],
        "tokens": dict(statement.tokens),
        "keys": list(statement.keys),
    }

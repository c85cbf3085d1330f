"""Requests that must never pass, and how each is refused: a name, and a function of an honest issuer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import serialization

from tests.support.tokens import CLAIMS, base64url, compact, header
from tokenserver.resource.testing import FakeIssuer
from tokenserver.tokens.keys import new_signing_key

Forge = Callable[[FakeIssuer], str]


def claims_of(issuer: FakeIssuer, **token: Any) -> dict[str, Any]:
    payload = issuer.token(**token).split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=="))


def with_claims(**changes: Any) -> Forge:
    return lambda issuer: issuer.token(claims=changes)


def lacking(name: str) -> Forge:
    return lambda issuer: issuer.token(without={name})


def with_header(**changes: object) -> Forge:
    def forge(issuer: FakeIssuer) -> str:
        key = issuer.signing_key
        return compact(header(key, **changes), claims_of(issuer), key.sign)

    return forge


def with_payload(change: Callable[[str], str]) -> Forge:
    """The payload as text, changed, under a good signature."""

    def forge(issuer: FakeIssuer) -> str:
        key = issuer.signing_key
        return compact(header(key), change(json.dumps(claims_of(issuer))), key.sign)

    return forge


def hmac_with_the_public_key(issuer: FakeIssuer) -> str:
    key = issuer.signing_key
    pem = key.verifying.public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return compact(header(key, alg="HS256"), claims_of(issuer), lambda text: hmac.digest(pem, text, hashlib.sha256))


def signed_by_a_stranger(issuer: FakeIssuer) -> str:
    stranger = new_signing_key("ES256")
    return compact(header(issuer.signing_key), claims_of(issuer), stranger.sign)


def with_the_strangers_key_inside(issuer: FakeIssuer) -> str:
    stranger = new_signing_key("ES256")
    head = {"alg": "ES256", "typ": "at+jwt", "kid": stranger.kid, "jwk": dict(stranger.verifying.jwk)}
    return compact(head, claims_of(issuer), stranger.sign)


def cut(issuer: FakeIssuer) -> str:
    head, payload, _ = issuer.token().split(".")
    return f"{head}.{payload}."


def flipped(issuer: FakeIssuer) -> str:
    head, payload, signature = issuer.token().split(".")
    return f"{head}.{payload}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


def with_signature(token: str, change: Callable[[int, int], tuple[int, int]]) -> str:
    """The same token under another spelling of its ES256 signature."""
    signed, _, signature = token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    r, s = change(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    return f"{signed}.{base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def of_another_issuer(_: FakeIssuer) -> str:
    return FakeIssuer("https://elsewhere.example.com").token()


def a_statement_of_the_feed(issuer: FakeIssuer) -> str:
    return issuer.statement()


def deep(text: str) -> str:
    return f'{text[:-1]}, "deep": {"[" * 2000 + "]" * 2000}}}'


FORGERIES: dict[str, Forge] = {
    "no algorithm": with_header(alg="none"),
    "no algorithm, in capitals": with_header(alg="NONE"),
    "no algorithm and no signature": lambda issuer: compact(
        {"alg": "none", "typ": "at+jwt"}, claims_of(issuer), lambda _: b""
    ),
    "HMAC keyed with the public key": hmac_with_the_public_key,
    "another algorithm than the key's": with_header(alg="RS256"),
    "an algorithm that is a number": with_header(alg=256),
    "signed by a stranger": signed_by_a_stranger,
    "the stranger's key inside": with_the_strangers_key_inside,
    "the signature cut off": cut,
    "a flipped character in the signature": flipped,
    "another type": with_header(typ="JWT"),
    "an ID token's type": with_header(typ="id+jwt"),
    "no type": with_header(typ=None),
    "a type that is a list": with_header(typ=["at+jwt"]),
    "a statement of the feed": a_statement_of_the_feed,
    "no key ID": with_header(kid=None),
    "a key ID that is a number": with_header(kid=7),
    "a key ID that is a list": with_header(kid=["a"]),
    "a key ID that is an object": with_header(kid={"a": 1}),
    "a key ID that is a path": with_header(kid="../../../../dev/null"),
    "a key ID that is a query": with_header(kid="' OR 1=1 --"),
    "a key ID that is an address": with_header(kid="https://evil.example.com/jwks.json"),
    "a key ID of 2,000 characters": with_header(kid="k" * 2000),
    "keys by address (jku)": with_header(kid="unknown", jku="https://evil.example.com/jwks.json"),
    "a certificate by address (x5u)": with_header(kid="unknown", x5u="https://evil.example.com/cert.pem"),
    "a critical extension": with_header(crit=["exp"]),
    "an empty list of critical extensions": with_header(crit=[]),
    "an unencoded payload (b64)": with_header(b64=False),
    "an encrypted token": lambda _: "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..aXY.Y3Q.dGFn",
    "five parts": lambda issuer: issuer.token() + ".YQ.YQ",
    "two parts": lambda issuer: issuer.token().rpartition(".")[0],
    "one word": lambda _: "token",
    "another issuer's token": of_another_issuer,
    "our key, another issuer": with_claims(iss="https://elsewhere.example.com"),
    "an issuer with a slash more": with_claims(iss="https://auth.example.com/"),
    "an issuer that is a list": with_claims(iss=["https://auth.example.com"]),
    "another audience": with_claims(aud="https://elsewhere.example.com"),
    "a longer audience": with_claims(aud="https://api.example.com/v2"),
    "a list of other audiences": with_claims(aud=["https://a.example.com", "https://b.example.com"]),
    "an empty list of audiences": with_claims(aud=[]),
    "an audience that is an object": with_claims(aud={"https://api.example.com": True}),
    "an audience list with a number": with_claims(aud=["https://api.example.com", 1]),
    "a subject that is not the client": with_claims(sub="tsc_somebodyelse"),
    "an empty client ID": with_claims(sub="", client_id=""),
    "generation 0": with_claims(gen=0),
    "a negative generation": with_claims(gen=-1),
    "a generation with a point": with_claims(gen=1.0),
    "a generation in words": with_claims(gen="1"),
    "a generation of 2^53": with_claims(gen=2**53),
    "a generation that is true": with_claims(gen=True),
    "a generation that is a list": with_claims(gen=[1]),
    "an organization generation of 0": with_claims(org_gen=0),
    "an expiry as text": with_claims(exp="2100000000"),
    "an expiry that is true": with_claims(exp=True),
    "an expiry that is null": with_claims(exp=None),
    "an expiry in the past": with_claims(exp=1),
    "an expiry beyond all numbers": with_payload(lambda text: text.replace('"exp": ', '"exp": 1e400, "was": ')),
    "an expiry of infinity": with_payload(lambda text: text.replace('"exp": ', '"exp": Infinity, "was": ')),
    "an expiry that is not a number": with_payload(lambda text: text.replace('"exp": ', '"exp": NaN, "was": ')),
    "from the future (nbf)": with_claims(nbf=1_900_000_000),
    "from the future (iat)": with_claims(iat=1_900_000_000),
    "an empty token ID": with_claims(jti=""),
    "a token ID that is a number": with_claims(jti=7),
    "roles as text": with_claims(roles="cloud_admin"),
    "roles as an object": with_claims(roles={"cloud_admin": True}),
    "a role that is a number": with_claims(roles=["cloud_admin", 1]),
    "roles that are null": with_claims(roles=None),
    "scopes as a list": with_claims(scope=["reports:read"]),
    "addresses as text": with_claims(allowed_ips="192.0.2.1"),
    "addresses that are null": with_claims(allowed_ips=None),
    "addresses not in normal form": with_claims(allowed_ips=["192.0.2.1", "192.0.2.0/24"]),
    "addresses by a path": with_claims(allowed_ips_sha256="../jwks.json"),
    "addresses twice, in both ways": with_claims(allowed_ips=["192.0.2.1"], allowed_ips_sha256="0" * 64),
    "the same claim twice": with_payload(lambda text: text.replace('{"iss"', '{"roles": ["cloud_admin"], "iss"')),
    "deep JSON": with_payload(deep),
    "a payload that is a list": with_payload(lambda text: f"[{text}]"),
    "a payload that is text": with_payload(lambda _: '"cloud_admin"'),
    "a payload with a byte order mark": with_payload(lambda text: "\ufeff" + text),
    "a token of 64 KiB": lambda issuer: issuer.token(claims={"filler": "x" * 64 * 1024}),
    "a word of 64 KiB": lambda _: "x" * 64 * 1024,
    **{f"no {name}": lacking(name) for name in CLAIMS},
}
"""Tokens: each of them is 401 `invalid_token`."""

MALFORMED: dict[str, Callable[[str], list[str]]] = {
    "two headers": lambda token: [f"Bearer {token}", f"Bearer {token}"],
    "the same twice in a list": lambda token: [f"Bearer {token}, Bearer {token}"],
    "a token and an empty header": lambda token: [f"Bearer {token}", ""],
    "a token and another scheme": lambda token: [f"Bearer {token}", "Basic dXNlcjpwdw=="],
    "two spaces": lambda token: [f"Bearer  {token}"],
    "a space at the end": lambda token: [f"Bearer {token} "],
    "a tab at the end": lambda token: [f"Bearer {token}\t"],
    "a comma at the end": lambda token: [f"Bearer {token},"],
    "a parameter": lambda token: [f"Bearer {token}; a=b"],
    "quotation marks": lambda token: [f'Bearer "{token}"'],
    "no token": lambda _: ["Bearer"],
    "a space and no token": lambda _: ["Bearer "],
    "padding alone": lambda _: ["Bearer ="],
    "a letter beyond ASCII": lambda token: [f"Bearer {token}\xe9"],
    "a NUL": lambda token: [f"Bearer {token}\0"],
    "a line break": lambda token: [f"Bearer {token}\r\nX: y"],
}
"""Headers: each of them is 400 `invalid_request`."""

NO_TOKEN: dict[str, Callable[[str], list[str]]] = {
    "no header": lambda _: [],
    "an empty header": lambda _: [""],
    "Basic": lambda _: ["Basic dXNlcjpwdw=="],
    "DPoP": lambda token: [f"DPoP {token}"],
    "the token alone": lambda token: [token],
    "a space before the scheme": lambda token: [f" Bearer {token}"],
    "a tab after the scheme": lambda token: [f"Bearer\t{token}"],
    "a colon after the scheme": lambda token: [f"Bearer: {token}"],
    "a longer scheme": lambda token: [f"Bearers {token}"],
    "another scheme, then a token": lambda token: ["Basic dXNlcjpwdw==", f"Bearer {token}"],
    "a scheme that only looks like ours": lambda token: [f"Bear\xe9r {token}"],
}
"""Headers without a bearer token: each of them is 401 without an error code."""

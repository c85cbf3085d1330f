"""Golden vectors: texts that every release, and every reader in another language, must judge alike.

`python -m tests.support.vectors` makes them again from the literal keys in `tests/vectors/tokens.json`. Signatures are
deterministic, so nothing changes that was not meant to. A vector is for ever: add, and change only what was wrong.
"""

from __future__ import annotations

import hmac
import json
from typing import Any

from tests.support.credentials import CLIENT_ID, NOW
from tests.support.tokens import (
    AUDIENCE,
    CLAIMS,
    ISSUER,
    STATEMENT,
    VECTORS,
    base64url,
    compact,
    header,
    key_of,
    private_keys,
    reading,
    signed,
    statement_reading,
    without,
)
from tokenserver.domain.secret import Pepper, Secret, digest, hint
from tokenserver.tokens.statements import open_statement
from tokenserver.tokens.verification import read_token

ACCEPTED: dict[str, str] = {
    "ES256": signed(CLAIMS),
    "RS256": signed(CLAIMS, "RS256"),
    "EdDSA": signed(CLAIMS, "EdDSA"),
    "a project, an environment and addresses": signed(
        {
            **CLAIMS,
            "project": "billing",
            "env": "production",
            "allowed_ips": ["192.0.2.1-192.0.3.254", "198.51.100.7", "2001:db8::/32"],
        }
    ),
    "addresses that admit nobody": signed({**CLAIMS, "allowed_ips": []}),
    "addresses by reference": signed({**CLAIMS, "allowed_ips_sha256": "0123456789abcdef" * 4}),
    "no scope and no role": signed({**CLAIMS, "scope": "", "roles": []}),
    "several audiences": signed({**CLAIMS, "aud": ["https://other.example.com", AUDIENCE]}),
    "moments with a fraction": signed({**CLAIMS, "iat": NOW + 0.5, "nbf": NOW + 0.5, "exp": NOW + 900.5}),
    "the largest generation": signed({**CLAIMS, "gen": 2**53 - 1, "org_gen": 2**53 - 1}),
    "claims that are not ours": signed({**CLAIMS, "acr": None, "nested": {"any": ["thing"]}}),
    "a project in another script": signed(
        {**CLAIMS, "project": "\u0431\u0438\u043b\u043b\u0438\u043d\u0433 \U0001f9fe"}
    ),
    "the type spelled in full and in capitals": signed(CLAIMS, typ="Application/AT+JWT"),
    "header members that have no effect": signed(CLAIMS, jku="https://evil.example.com/keys", x5u="file:///etc/passwd"),
}

ES256, RS256 = private_keys()["ES256"], private_keys()["RS256"]
_GOOD = ACCEPTED["ES256"]
_HEAD, _BODY, _SIGNATURE = _GOOD.split(".")


def _hmac_with_the_public_key(alg: str) -> str:
    """The oldest trick: the public key as a shared secret."""
    known = json.dumps(dict(ES256.verifying.jwk)).encode()
    head = header(ES256, alg=alg)
    return compact(head, CLAIMS, lambda raw: hmac.digest(known, raw, "sha256"))


REFUSED: dict[str, tuple[str, str]] = {
    "unsigned, alg none": (
        f"{base64url(json.dumps(header(ES256, alg='none')).encode())}.{_BODY}.",
        "not a compact JWS",
    ),
    "alg none with a signature": (signed(CLAIMS, alg="none"), "the algorithm is not the key's"),
    "HS256 with the public key": (_hmac_with_the_public_key("HS256"), "the algorithm is not the key's"),
    "HS256 behind the name ES256": (_hmac_with_the_public_key("ES256"), "bad signature"),
    "the algorithm of another key": (signed(CLAIMS, alg="RS256"), "the algorithm is not the key's"),
    "the key of another algorithm": (signed(CLAIMS, kid=RS256.kid), "the algorithm is not the key's"),
    "an unknown key": (signed(CLAIMS, kid="../../dev/null"), "unknown key"),
    "no key named": (signed(CLAIMS, kid=None), "the header lacks kid, alg or typ"),
    "no type": (signed(CLAIMS, typ=None), "the header lacks kid, alg or typ"),
    "the type of an ID token": (signed(CLAIMS, typ="JWT"), "of another type"),
    "the type of the generation feed": (signed(CLAIMS, typ="generations+jwt"), "of another type"),
    "an extension that must be understood": (signed(CLAIMS, crit=["exp"]), "an extension that is not understood"),
    "a payload that is not encoded": (signed(CLAIMS, b64=False), "an extension that is not understood"),
    "another payload": (
        f"{_HEAD}.{base64url(json.dumps({**CLAIMS, 'roles': ['owner']}).encode())}.{_SIGNATURE}",
        "bad signature",
    ),
    "a signature that is cut": (_GOOD[:-4], "bad signature"),
    "a signature of zeros": (f"{_HEAD}.{_BODY}.{'A' * 86}", "bad signature"),
    "padding": (_GOOD + "==", "not a compact JWS"),
    "a line break at the end": (_GOOD + "\n", "not a compact JWS"),
    "five parts, as an encrypted token has": (f"{_GOOD}.{_HEAD}.{_HEAD}", "not a compact JWS"),
    "JSON serialisation": (
        json.dumps({"payload": _BODY, "protected": _HEAD, "signature": _SIGNATURE}),
        "not a compact JWS",
    ),
    "the same claim twice": (signed(json.dumps(CLAIMS)[:-1] + ', "gen": 99}'), "not strict JSON"),
    "the same member twice, further in": (
        signed(json.dumps({**CLAIMS, "x": {}})[:-2] + '{"a": 1, "a": 2}}'),
        "not strict JSON",
    ),
    "NaN": (signed({**CLAIMS, "exp": float("nan")}), "not strict JSON"),
    "an infinite moment": (signed({**CLAIMS, "exp": float("inf")}), "not strict JSON"),
    "a moment that overflows": (signed(json.dumps({**CLAIMS, "exp": 0})[:-1] + ', "z": 1e999}'), "not strict JSON"),
    "half a surrogate pair": (signed({**CLAIMS, "org": "\ud800"}), "not strict JSON"),
    "a list": (signed([CLAIMS]), "not a JSON object"),
    "another issuer": (signed({**CLAIMS, "iss": ISSUER + "/"}), "another issuer"),
    "another audience": (signed({**CLAIMS, "aud": AUDIENCE + "/"}), "another audience"),
    "no expiry": (signed(without("exp", CLAIMS)), "claim exp"),
    "an expiry in words": (signed({**CLAIMS, "exp": str(NOW + 900)}), "claim exp"),
    "a generation of zero": (signed({**CLAIMS, "gen": 0}), "claim gen"),
    "a generation that is true": (signed({**CLAIMS, "gen": True}), "claim gen"),
    "a generation with a fraction": (signed({**CLAIMS, "gen": 7.0}), "claim gen"),
    "a generation that is too large": (signed({**CLAIMS, "gen": 2**53}), "claim gen"),
    "a subject that is not the client": (signed({**CLAIMS, "sub": "somebody"}), "sub is not client_id"),
    "addresses in words": (signed({**CLAIMS, "allowed_ips": "192.0.2.1"}), "claim allowed_ips"),
    "addresses that are null": (signed({**CLAIMS, "allowed_ips": None}), "claim allowed_ips"),
    "addresses that are not in normal form": (signed({**CLAIMS, "allowed_ips": ["192.0.2.1/32"]}), "claim allowed_ips"),
    "addresses twice": (
        signed({**CLAIMS, "allowed_ips": [], "allowed_ips_sha256": "0" * 64}),
        "claim allowed_ips_sha256",
    ),
}

_REF, _ORGANIZATION = "bfm53WH-j1ra9ydktfNzmI", "C_Dx-nDrZh1AJEgaaaNbtH"
_NOTHING: dict[str, Any] = {"floors": [], "tokens": {}, "keys": []}
_CASES: list[tuple[str, int, dict[str, Any], str | None]] = [
    ("when it was issued", NOW, {}, None),
    ("ten seconds early, for a clock that is behind", NOW - 10, {}, None),
    ("eleven seconds early", NOW - 11, {}, "not yet valid"),
    ("in its last second", NOW + 899, {}, None),
    ("on the second of its expiry", NOW + 900, {}, "expired"),
    ("a floor at its generation", NOW, {"floors": [[_REF, 7, NOW]]}, None),
    ("a floor above its generation", NOW, {"floors": [[_REF, 8, NOW]]}, "generation below the floor"),
    ("the second before a grace period ends", NOW + 59, {"floors": [[_REF, 8, NOW + 60]]}, None),
    (
        "the second a grace period ends",
        NOW + 60,
        {"floors": [[_REF, 8, NOW + 60]]},
        "generation below the floor",
    ),
    (
        "a floor above the generation of its organization",
        NOW,
        {"floors": [[_ORGANIZATION, 4, NOW]]},
        "organization generation below the floor",
    ),
    ("a revoked token", NOW, {"tokens": {CLAIMS["jti"]: NOW + 900}}, "token revoked"),
    ("a revoked key", NOW, {"keys": [ES256.kid]}, "signing key revoked"),
    (
        "what ended others",
        NOW,
        {"floors": [["AAAAAAAAAAAAAAAAAAAAAA", 99, NOW]], "tokens": {"another": NOW + 900}, "keys": ["another"]},
        None,
    ),
]
VERDICTS = [
    {"name": name, "now": now, "endings": {**_NOTHING, **endings}, "refused": refused}
    for name, now, endings, refused in _CASES
]


def tokens() -> dict[str, Any]:
    recorded = json.loads((VECTORS / "tokens.json").read_text())
    return {
        "note": "The private keys are for tests only: never believe them. Times are seconds since the epoch.",
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "jwks": {"keys": [dict(key.verifying.jwk) for key in private_keys().values()]},
        "accepted": [
            {
                "name": name,
                "token": text,
                "reads": reading(read_token(text, key_of, issuer=ISSUER, audience=AUDIENCE)),
            }
            for name, text in ACCEPTED.items()
        ],
        "refused": [{"name": name, "token": text, "reason": reason} for name, (text, reason) in REFUSED.items()],
        "verdicts": {"token": ACCEPTED["ES256"], "cases": VERDICTS},
        "private_keys_for_tests_only": recorded["private_keys_for_tests_only"],
    }


def _feed(members: object, key_alg: str = "ES256", typ: str = "generations+jwt") -> str:
    return signed(members, key_alg, typ=typ)


STATEMENTS: dict[str, str] = {
    "floors, tokens and keys": _feed(STATEMENT),
    "nothing has ended": _feed({**STATEMENT, "seq": 0, "since": 0, "floors": [], "tokens": [], "keys": []}),
    "the whole window": _feed({**STATEMENT, "since": 0}),
    "RS256": _feed(STATEMENT, "RS256"),
    "EdDSA": _feed(STATEMENT, "EdDSA"),
    "the type spelled in full": _feed(STATEMENT, typ="application/generations+jwt"),
    "a member that is not known yet": _feed({**STATEMENT, "next": "release"}),
}

REFUSED_STATEMENTS: dict[str, tuple[str, str]] = {
    "the type of an access token": (_feed(STATEMENT, typ="at+jwt"), "of another type"),
    "another issuer": (_feed({**STATEMENT, "iss": "https://evil.example.com"}), "a statement of another issuer"),
    "an unknown key": (signed(STATEMENT, typ="generations+jwt", kid="unknown"), "unknown key"),
    "another number": (
        _feed(STATEMENT).replace(base64url(json.dumps(STATEMENT, separators=(",", ":")).encode())[:40], "A" * 40),
        "bad signature",
    ),
    "no time": (_feed(without("iat", STATEMENT)), "statement iat"),
    "a time in words": (_feed({**STATEMENT, "iat": "now"}), "statement iat"),
    "no number": (_feed(without("seq", STATEMENT)), "a number of the statement"),
    "a negative number": (_feed({**STATEMENT, "seq": -1}), "a number of the statement"),
    "a number that is true": (_feed({**STATEMENT, "since": True}), "a number of the statement"),
    "floors as an object": (_feed({**STATEMENT, "floors": {_REF: 8}}), "a list of the statement"),
    "a floor without its moment": (_feed({**STATEMENT, "floors": [[_REF, 8]]}), "a row of the statement"),
    "a floor for a number": (_feed({**STATEMENT, "floors": [[1, 8, NOW]]}), "a row of the statement"),
    "a floor with a fraction": (_feed({**STATEMENT, "floors": [[_REF, 8.5, NOW]]}), "a number of the statement"),
    "no tokens": (_feed(without("tokens", STATEMENT)), "a list of the statement"),
    "keys that are numbers": (_feed({**STATEMENT, "keys": [1]}), "a list of the statement"),
}


def statements() -> dict[str, Any]:
    return {
        "note": "The generation feed. The keys are those of tokens.json.",
        "issuer": ISSUER,
        "jwks": {"keys": [dict(key.verifying.jwk) for key in private_keys().values()]},
        "accepted": [
            {"name": name, "statement": text, "reads": statement_reading(open_statement(text, key_of, issuer=ISSUER))}
            for name, text in STATEMENTS.items()
        ],
        "refused": [
            {"name": name, "statement": text, "reason": reason} for name, (text, reason) in REFUSED_STATEMENTS.items()
        ],
    }


PEPPERS = {"bytes that count up": bytes(range(32)), "48 bytes of ones": b"\xff" * 48}

GOOD_SECRETS = {
    "zeros": "tss_" + "0" * 40 + "0GJe0S",
    "every kind of character": "tss_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcd3JL6zR",
    "the end of the alphabet": "tss_" + "z" * 40 + "12uRfr",
}

BAD_SECRETS = {
    "nothing": "",
    "the prefix alone": "tss_",
    "another last character": "tss_" + "0" * 40 + "0GJe0T",
    "two neighbours exchanged": "tss_1023456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcd3JL6zR",
    "another case": "tss_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcD3JL6zR",
    "the checksum in capitals": "tss_" + "0" * 40 + "0GJE0S",
    "another prefix": "tsc_" + "0" * 40 + "0GJe0S",
    "the prefix in capitals": "TSS_" + "0" * 40 + "0GJe0S",
    "no prefix": "0" * 40 + "0GJe0S",
    "a character too few": "tss_" + "0" * 39 + "0GJe0S",
    "a character too many": "tss_" + "0" * 41 + "0GJe0S",
    "a space before": " tss_" + "0" * 40 + "0GJe0S",
    "a line break after": "tss_" + "0" * 40 + "0GJe0S\n",
    "a NUL after": "tss_" + "0" * 40 + "0GJe0S\0",
    "a mark that base64 has and base62 has not": "tss_" + "0" * 39 + "-0GJe0S",
    "digits of another script": "tss_" + "\u0660" * 40 + "0GJe0S",
    "a letter that lower case would make good": "tss_" + "0" * 45 + "\u212a",
}

HASHED = {
    **GOOD_SECRETS,
    "nothing at all": "",
    "a letter of two bytes, one character": "caf\u00e9",
    "the same letter as two characters": "cafe\u0301",
    "longer than 72 bytes": "a" * 100,
    "a NUL inside": "before\0after",
    "half a surrogate pair": "\ud800",
}


def secrets() -> dict[str, Any]:
    return {
        "note": "Made up for tests. A digest is HMAC-SHA-256 under the pepper of client ID, NUL and secret in UTF-8.",
        "well_formed": [
            {"name": name, "secret": text, "hint": hint(Secret(text))} for name, text in GOOD_SECRETS.items()
        ],
        "malformed": [{"name": name, "secret": text} for name, text in BAD_SECRETS.items()],
        "digests": [
            {
                "name": f"{name}; pepper: {pepper_name}",
                "client_id": CLIENT_ID,
                "secret": text,
                "pepper_hex": key.hex(),
                "pepper_id": Pepper.of(key).id,
                "digest_hex": digest(CLIENT_ID, text, Pepper.of(key)).hex(),
            }
            for pepper_name, key in PEPPERS.items()
            for name, text in HASHED.items()
        ],
    }


def write() -> None:
    """All files again."""
    for name, content in [("tokens", tokens()), ("statements", statements()), ("secrets", secrets())]:
        text = json.dumps(content, indent=2, ensure_ascii=True) + "\n"
        (VECTORS / f"{name}.json").write_text(text)


if __name__ == "__main__":
    write()

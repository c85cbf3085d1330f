"""Is this text a JSON Web Signature of ours, and what does it carry? Strict where libraries are lenient.

Compact serialisation only (RFC 7515 §7.1). Refused: over-long text, padding and foreign characters, duplicate members
at any depth, NaN and infinities, half surrogate pairs, nesting too deep, any `typ` but the expected one, `crit` and
`b64` (we understand no extension), an `alg` that is not the key's. The header is judged before any key is touched, the
payload after its signature. `jku`, `x5u`, `jwk` and their like have no effect and nothing is ever fetched (RFC 8725
§3.10).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NewType, NoReturn

from tokenserver.errors import InvalidToken
from tokenserver.tokens.keys import SigningKey, VerifyingKey

LONGEST_TOKEN = 8 * 1024
"""Characters: what common proxies let pass in a header. Longer ones are refused before they are parsed."""

SignedPayload = NewType("SignedPayload", dict[str, Any])
"""Claims under a signature that was checked; made only by `open_signed`."""

KeyOf = Callable[[str], VerifyingKey | None]

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\Z")


class UnknownKey(InvalidToken):
    """The key that a token names is not known here; perhaps it is new."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A payload that a key of ours has signed."""

    payload: SignedPayload
    key_id: str


class Signer:
    """Signs payloads of one type with one key; the header is encoded once."""

    __slots__ = ("_prefix", "key")

    def __init__(self, key: SigningKey, typ: str) -> None:
        self.key = key
        self._prefix = _encode(_dump({"alg": key.alg, "kid": key.kid, "typ": typ})) + b"."

    def sign(self, payload: Mapping[str, Any]) -> str:
        """The compact serialisation of `payload`."""
        signing_input = self._prefix + _encode(_dump(payload))
        return (signing_input + b"." + _encode(self.key.sign(signing_input))).decode("ascii")


def open_signed(unverified_text: str, typ: str, key_of: KeyOf, *, longest: int = LONGEST_TOKEN) -> Opened:
    """What a key of ours has signed as `typ`; raises InvalidToken (or UnknownKey) on anything else."""
    if len(unverified_text) > longest:
        raise InvalidToken(detail="too long")
    parts = _COMPACT.match(unverified_text)
    if parts is None:
        raise InvalidToken(detail="not a compact JWS")
    header_text, payload_text, signature_text = parts.groups()
    kid, alg = _read_header(header_text, typ)
    key = key_of(kid)
    if key is None:
        raise UnknownKey(detail="unknown key")
    if key.alg != alg:
        raise InvalidToken(detail="the algorithm is not the key's")
    signing_input = unverified_text[: -len(signature_text) - 1].encode("ascii")
    if not key.verifies(signing_input, _decode(signature_text)):
        raise InvalidToken(detail="bad signature")
    return Opened(SignedPayload(_load(_decode(payload_text))), kid)


def unverified_payload(unverified_text: str, typ: str, *, longest: int = LONGEST_TOKEN) -> dict[str, Any]:
    """What a text says of itself, whoever wrote it: for whoever has no keys, and trusts nothing of it."""
    parts = _COMPACT.match(unverified_text) if len(unverified_text) <= longest else None
    if parts is None:
        raise InvalidToken(detail="not a compact JWS, or too long")
    _read_header(parts.group(1), typ)
    return _load(_decode(parts.group(2)))


@lru_cache(maxsize=256)
def _read_header(header_text: str, typ: str) -> tuple[str, str]:
    """`kid` and `alg`. Headers repeat from token to token, so that reading one is remembered; a fault is not."""
    header = _load(_decode(header_text))
    kid, alg, found = header.get("kid"), header.get("alg"), header.get("typ")
    if not isinstance(kid, str) or not isinstance(alg, str) or not isinstance(found, str):
        raise InvalidToken(detail="the header lacks kid, alg or typ")
    if found.lower() not in {typ, f"application/{typ}"}:
        raise InvalidToken(detail="of another type")
    if "crit" in header or "b64" in header:
        raise InvalidToken(detail="an extension that is not understood")
    return kid, alg


def _dump(value: Mapping[str, Any]) -> bytes:
    return _compact(value).encode("ascii")


def _load(raw: bytes) -> dict[str, Any]:
    try:
        text = raw.decode("utf-8")
        value = _STRICT.decode(text)
        if "\\u" in text:  # half a surrogate pair is no text (RFC 7493 §2.1): hashing or printing it would fail
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise InvalidToken(detail="not strict JSON") from None
    if not isinstance(value, dict):
        raise InvalidToken(detail="not a JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate members")
    return members


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError("not a number")


def _finite(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise ValueError("not finite")
    return number


_compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode
_STRICT = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite)


def _encode(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _decode(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise InvalidToken(detail="not base64url") from None

"""What is ours is read; everything else is refused with InvalidToken, and with nothing else."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.credentials import QUICK
from tests.support.tokens import (
    CLAIMS,
    as_bytes,
    base64url,
    believing,
    compact,
    header,
    key_of,
    private_keys,
    signed,
)
from tokenserver.errors import InvalidToken
from tokenserver.tokens.jws import LONGEST_TOKEN, Opened, Signer, UnknownKey, open_signed
from tokenserver.tokens.keys import VerifyingKey

KEYS = private_keys()
ES256, RS256, EDDSA = KEYS["ES256"], KEYS["RS256"], KEYS["EdDSA"]
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

GOOD = signed(CLAIMS)
HEAD, BODY, SIGNATURE = GOOD.split(".")


def opened(text: str, typ: str = "at+jwt") -> Opened:
    return open_signed(text, typ, key_of)


def refusal(text: str, typ: str = "at+jwt") -> InvalidToken:
    with pytest.raises(InvalidToken) as caught:
        opened(text, typ)
    return caught.value


@pytest.mark.parametrize("alg", KEYS)
def test_what_was_signed_is_what_is_read(alg: str) -> None:
    found = opened(Signer(KEYS[alg], "at+jwt").sign(CLAIMS))
    assert found == Opened(found.payload, KEYS[alg].kid)
    assert found.payload == CLAIMS


@pytest.mark.parametrize("alg", KEYS)
def test_other_peoples_libraries_read_our_tokens(alg: str) -> None:
    text = Signer(KEYS[alg], "at+jwt").sign({**CLAIMS, "exp": 2**40, "iat": 0, "nbf": 0})
    read = jwt.decode_complete(text, KEYS[alg].verifying.public, [alg], audience=CLAIMS["aud"])
    assert read["header"] == {"alg": alg, "kid": KEYS[alg].kid, "typ": "at+jwt"}
    assert read["payload"]["gen"] == CLAIMS["gen"]


def test_a_token_is_plain_ascii_whatever_it_says() -> None:
    text = Signer(ES256, "at+jwt").sign({"project": "\u0431\u0438\u043b\u043b\u0438\u043d\u0433", "n": "\U0001f9fe"})
    assert text.isascii()
    assert opened(text).payload == {"project": "\u0431\u0438\u043b\u043b\u0438\u043d\u0433", "n": "\U0001f9fe"}


def test_what_is_not_json_is_never_signed() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        Signer(ES256, "at+jwt").sign({"exp": float("nan")})


TYPES = {
    "the type": ("at+jwt", True),
    "in capitals": ("AT+JWT", True),
    "in full": ("application/at+jwt", True),
    "in full, in capitals": ("APPLICATION/AT+JWT", True),
    "the usual type of all": ("JWT", False),
    "the type of another text of ours": ("generations+jwt", False),
    "another tree of types": ("text/at+jwt", False),
    "with a parameter": ("at+jwt; charset=utf-8", False),
    "with a space": (" at+jwt", False),
    "twice in full": ("application/application/at+jwt", False),
    "a beginning of it": ("at", False),
    "empty": ("", False),
    "a list": (["at+jwt"], False),
    "a number": (1, False),
    "true": (True, False),
    "missing": (None, False),
}


@pytest.mark.parametrize(("typ", "good"), TYPES.values(), ids=TYPES.keys())
def test_only_the_expected_type_is_read(typ: object, good: bool) -> None:
    text = signed(CLAIMS, typ=typ)
    if good:
        assert opened(text).payload == CLAIMS
    else:
        assert refusal(text).detail in {"of another type", "the header lacks kid, alg or typ"}


def hmac_with(known: bytes, alg: str) -> str:
    return compact(header(ES256, alg=alg), CLAIMS, lambda raw: hmac.digest(known, raw, "sha256"))


def in_der(signature: bytes) -> bytes:
    return encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))


PUBLIC_FORMS = {
    "PEM": ES256.verifying.public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ),
    "DER": ES256.verifying.public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    ),
    "JWK": as_bytes(dict(ES256.verifying.jwk)),
    "nothing": b"",
}
FORGED: dict[str, str] = {
    "alg none without a signature": compact(header(ES256, alg="none"), CLAIMS, lambda _: b""),
    "alg none with the honest signature": signed(CLAIMS, alg="none"),
    "alg None": compact(header(ES256, alg="None"), CLAIMS, lambda _: b"x"),
    **{f"HS256 with the public key as {form}": hmac_with(known, "HS256") for form, known in PUBLIC_FORMS.items()},
    **{f"HMAC called ES256, public key as {form}": hmac_with(known, "ES256") for form, known in PUBLIC_FORMS.items()},
    "the algorithm of another key that we believe": signed(CLAIMS, alg="RS256"),
    "the name of another key that we believe": signed(CLAIMS, kid=RS256.kid),
    "signed by another key in the name of ours": compact(header(ES256), CLAIMS, EDDSA.sign),
    "alg in small letters": signed(CLAIMS, alg="es256"),
    "alg as a list": signed(CLAIMS, alg=["ES256"]),
    "no alg": signed(CLAIMS, alg=None),
    "a neighbour of our algorithm": signed(CLAIMS, "RS256", alg="PS256"),
    "another payload": f"{HEAD}.{base64url(as_bytes({**CLAIMS, 'gen': 99}))}.{SIGNATURE}",
    "another header": f"{base64url(as_bytes(header(ES256, extra=1)))}.{BODY}.{SIGNATURE}",
    "the signature of another token": f"{HEAD}.{BODY}.{signed({**CLAIMS, 'gen': 8}).split('.')[2]}",
    "zeros for a signature": f"{HEAD}.{BODY}.{base64url(bytes(64))}",
    "ones for a signature": f"{HEAD}.{BODY}.{base64url(bytes([255] * 64))}",
    "a signature that is cut": f"{HEAD}.{BODY}.{SIGNATURE[:-4]}",
    "a signature with more behind it": f"{HEAD}.{BODY}.{SIGNATURE}AAAA",
    "a signature in DER": compact(header(ES256), CLAIMS, lambda raw: in_der(ES256.sign(raw))),
}


@pytest.mark.parametrize("text", FORGED.values(), ids=FORGED.keys())
def test_a_forged_token_is_refused(text: str) -> None:
    refused = refusal(text)
    assert refused.status == 401
    assert refused.public == "The access token is not valid."


NAMES: dict[str, object] = {
    "a path": "../../../../dev/null",
    "a query": "' OR 1=1 --",
    "an address": "https://evil.example.com/jwks.json",
    "a thumbprint in another case": ES256.kid.swapcase(),
    "a thumbprint with a space": ES256.kid + " ",
    "empty": "",
    "half a surrogate pair": "\ud800",
    "a NUL": ES256.kid + "\0",
}


@pytest.mark.parametrize("kid", NAMES.values(), ids=NAMES.keys())
def test_a_kid_is_only_a_name_in_a_map(kid: object) -> None:
    refused = refusal(signed(CLAIMS, kid=kid))
    assert isinstance(refused, UnknownKey) or refused.detail == "not strict JSON"


@pytest.mark.parametrize("kid", [None, 1, True, [ES256.kid], {"kid": ES256.kid}], ids=repr)
def test_a_kid_of_another_type_is_refused_before_any_look_up(kid: object) -> None:
    def never(_: str) -> VerifyingKey | None:
        raise AssertionError("looked up")

    with pytest.raises(InvalidToken, match="not valid"):
        open_signed(signed(CLAIMS, kid=kid), "at+jwt", never)


def test_an_unknown_key_is_told_apart_for_it_may_be_new() -> None:
    with pytest.raises(UnknownKey):
        open_signed(GOOD, "at+jwt", believing(RS256.verifying))
    assert open_signed(GOOD, "at+jwt", believing(ES256.verifying)).payload == CLAIMS


EXTENSIONS: dict[str, dict[str, object]] = {
    "crit with what we check anyway": {"crit": ["exp"], "exp": 1},
    "crit with an unknown member": {"crit": ["x-understand-me"], "x-understand-me": True},
    "an empty crit": {"crit": []},
    "a crit of another type": {"crit": True},
    "b64 false": {"b64": False},
    "b64 true": {"b64": True},
    "b64 declared critical": {"b64": False, "crit": ["b64"]},
}


@pytest.mark.parametrize("members", EXTENSIONS.values(), ids=EXTENSIONS.keys())
def test_an_extension_is_refused_for_we_understand_none(members: dict[str, object]) -> None:
    assert refusal(signed(CLAIMS, **members)).detail == "an extension that is not understood"


def test_null_is_a_crit_too() -> None:
    head = json.dumps({**header(ES256), "crit": None})
    text = compact(head, CLAIMS, ES256.sign)
    assert refusal(text).detail == "an extension that is not understood"


@pytest.mark.parametrize("name", ["jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "cty", "url", "iss", "zip"])
def test_members_that_name_keys_elsewhere_have_no_effect(name: str) -> None:
    evil: object = dict(EDDSA.verifying.jwk) if name == "jwk" else "https://evil.example.com"
    assert opened(signed(CLAIMS, **{name: evil})).payload == CLAIMS
    stranger = compact(header(ES256, **{name: evil}), CLAIMS, EDDSA.sign)
    assert refusal(stranger).detail == "bad signature"


SHAPES: dict[str, str] = {
    "nothing": "",
    "a word": "token",
    "one dot": f"{HEAD}.{BODY}",
    "no header": f".{BODY}.{SIGNATURE}",
    "no payload": f"{HEAD}..{SIGNATURE}",
    "no signature": f"{HEAD}.{BODY}.",
    "only dots": "..",
    "four parts": f"{GOOD}.{SIGNATURE}",
    "five parts, as an encrypted token has": f"{GOOD}.{SIGNATURE}.{SIGNATURE}",
    "padding at the end": GOOD + "==",
    "padding inside": f"{HEAD}=.{BODY}.{SIGNATURE}",
    "the alphabet of plain base64": f"{HEAD}.{BODY}.{SIGNATURE[:-2]}+/",
    "a space before": " " + GOOD,
    "a space after": GOOD + " ",
    "a line break after": GOOD + "\n",
    "a line break inside": f"{HEAD}.\n{BODY}.{SIGNATURE}",
    "a NUL after": GOOD + "\0",
    "the scheme before": "Bearer " + GOOD,
    "quotation marks": f'"{GOOD}"',
    "digits of another script": f"{HEAD}.{BODY}.{SIGNATURE[:-1]}\u0663",
    "half a surrogate pair": GOOD + "\udc80",
    "JSON, flattened": json.dumps({"payload": BODY, "protected": HEAD, "signature": SIGNATURE}),
    "JSON, general": json.dumps({"payload": BODY, "signatures": [{"protected": HEAD, "signature": SIGNATURE}]}),
    "a length that base64 cannot have": f"{HEAD}.{BODY}.A",
    "a header of a length that base64 cannot have": f"AAAAA.{BODY}.{SIGNATURE}",
    "percent signs": GOOD.replace(".", "%2E"),
}


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES.keys())
def test_only_the_compact_form_is_read(text: str) -> None:
    assert refusal(text).detail in {"not a compact JWS", "not base64url"}


def test_a_token_inside_a_token_is_not_unwrapped() -> None:
    assert refusal(signed(GOOD, cty="JWT")).detail == "not strict JSON"


BAD_JSON: dict[str, object] = {
    "nothing but a space": b" ",
    "a list": [CLAIMS],
    "a text": '"claims"',
    "a number": "1",
    "null": "null",
    "cut": json.dumps(CLAIMS)[:-1],
    "more behind it": json.dumps(CLAIMS) + "{}",
    "a comma too many": '{"gen": 1,}',
    "a comment": '{"gen": 1} // one',
    "single quotation marks": "{'gen': 1}",
    "a member twice": '{"gen": 1, "gen": 2}',
    "a member twice with the same value": '{"gen": 1, "gen": 1}',
    "a member twice in two spellings": r'{"gen": 1, "\u0067en": 2}',
    "a member twice, further in": '{"a": {"b": [{"c": 1, "c": 2}]}}',
    "NaN": '{"exp": NaN}',
    "Infinity": '{"exp": Infinity}',
    "minus Infinity": '{"exp": -Infinity}',
    "NaN further in": '{"a": [[{"b": NaN}]]}',
    "a number that overflows": '{"exp": 1e999}',
    "a negative number that overflows": '{"exp": -1e999}',
    "a number that overflows further in": '{"a": [1e400]}',
    "a number with 5,000 digits": '{"exp": ' + "9" * 5000 + "}",
    "a number with a leading zero": '{"gen": 01}',
    "a number with a plus": '{"gen": +1}',
    "hexadecimal": '{"gen": 0x1}',
    "deep lists that never end": "[" * 5500,
    "deep objects that never end": '{"a":' * 1100,
    "half a surrogate pair": r'{"org": "\ud800"}',
    "the other half": r'{"org": "\uDC00"}',
    "two halves in the wrong order": r'{"org": "\udc00\ud800"}',
    "half a surrogate pair as a name": r'{"\ud800": 1}',
    "half a surrogate pair further in": r'{"a": [{"b": "x\ud800"}]}',
    "a line break inside text": '{"org": "a\nb"}',
    "a NUL inside text": '{"org": "a\0b"}',
    "bytes that are not UTF-8": b'{"org": "\xff"}',
    "an overlong encoding": b'{"org": "\xc0\xaf"}',
    "half a surrogate pair in bytes": b'{"org": "\xed\xa0\x80"}',
    "a byte order mark": b'\xef\xbb\xbf{"gen": 1}',
    "UTF-16": '{"gen": 1}'.encode("utf-16"),
}


@pytest.mark.parametrize("raw", BAD_JSON.values(), ids=BAD_JSON.keys())
@pytest.mark.parametrize("part", ["payload", "header"])
def test_json_is_read_strictly_even_under_a_good_signature(raw: object, part: str) -> None:
    text = compact(raw, CLAIMS, ES256.sign) if part == "header" else compact(header(ES256), raw, ES256.sign)
    assert refusal(text).detail in {"not strict JSON", "not a JSON object"}


@pytest.mark.parametrize("deep", ["[" * 2500 + "]" * 2500, '{"a":' * 900 + "1" + "}" * 900], ids=["lists", "objects"])
def test_a_stranger_cannot_break_the_reader_with_depth(deep: str) -> None:
    """How deep JSON may be is up to the interpreter; what was not signed by us is refused at any depth."""
    nested = f'{{"alg":"ES256","kid":"{ES256.kid}","typ":"at+jwt","x":{deep}}}'
    assert is_refused_cleanly(compact(nested, CLAIMS, EDDSA.sign))
    assert is_refused_cleanly(compact(header(ES256), f'{{"x":{deep}}}', EDDSA.sign))
    ours = signed(f'{{"x":{deep}}}')
    assert is_refused_cleanly(ours) or opened(ours).payload.keys() == {"x"}


GOOD_JSON: dict[str, tuple[str, dict[str, Any]]] = {
    "no member": ("{}", {}),
    "spaces and line breaks around": (' \r\n\t{ "gen" : 1 }\n', {"gen": 1}),
    "a pair of surrogates is one character": (r'{"n": "\ud83e\uddfe"}', {"n": "\U0001f9fe"}),
    "a backslash before a u": (r'{"n": "\\ud800"}', {"n": r"\ud800"}),
    "the same name at different depths": ('{"a": {"a": {"a": 1}}}', {"a": {"a": {"a": 1}}}),
    "a long number": ('{"n": ' + "9" * 400 + "}", {"n": int("9" * 400)}),
    "a small fraction": ('{"n": 1e-999}', {"n": 0.0}),
}


@pytest.mark.parametrize(("raw", "value"), GOOD_JSON.values(), ids=GOOD_JSON.keys())
def test_what_json_allows_is_read(raw: str, value: dict[str, Any]) -> None:
    assert opened(signed(raw)).payload == value


def test_a_token_longer_than_headers_carry_is_refused_before_it_is_read() -> None:
    room = LONGEST_TOKEN - len(signed({"x": ""}))
    longest = signed({"x": "a" * (room * 3 // 4 - 2)})
    assert LONGEST_TOKEN - 4 <= len(longest) <= LONGEST_TOKEN
    assert opened(longest).payload["x"]
    assert refusal(longest + "A" * 5).detail == "too long"
    assert refusal("[" * (LONGEST_TOKEN + 1)).detail == "too long"


def test_who_expects_longer_texts_says_so() -> None:
    long = signed({"x": "a" * LONGEST_TOKEN})
    assert refusal(long).detail == "too long"
    assert open_signed(long, "at+jwt", key_of, longest=2 * LONGEST_TOKEN).payload["x"]


def other_half(signature: bytes) -> bytes:
    """(r, n - s): as good a signature as (r, s)."""
    s = int.from_bytes(signature[32:], "big")
    return signature[:32] + (P256_ORDER - s).to_bytes(32, "big")


SPELLINGS: dict[str, Callable[[str], str]] = {
    "the other half of an ES256 signature": lambda text: base64url(other_half(urlsafe_b64decode(text + "=="))),
    "bits that base64 drops": lambda text: text[:-1] + chr(ord(text[-1]) + 1),
}


@pytest.mark.parametrize("respell", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_a_token_in_another_spelling_says_the_same_so_its_text_is_never_a_key_to_anything(
    respell: Callable[[str], str],
) -> None:
    respelled = f"{HEAD}.{BODY}.{respell(SIGNATURE)}"
    assert respelled != GOOD
    assert opened(respelled) == opened(GOOD)


def test_a_header_that_was_read_for_one_type_is_not_good_for_another() -> None:
    assert opened(GOOD).payload == CLAIMS
    assert refusal(GOOD, "generations+jwt").detail == "of another type"
    assert opened(GOOD).payload == CLAIMS


def test_what_was_read_belongs_to_the_reader() -> None:
    opened(GOOD).payload["gen"] = 99
    assert opened(GOOD).payload["gen"] == CLAIMS["gen"]


def is_refused_cleanly(text: str) -> bool:
    try:
        opened(text)
    except InvalidToken:
        return True
    return False


@QUICK
@given(st.text())
@example("\ud800.\ud800.\ud800")
@example("a.b.c\n")
def test_any_text_is_refused_with_invalid_token(text: str) -> None:
    assert is_refused_cleanly(text)


PART = st.text("ABCyz019-_", min_size=1, max_size=24)


@QUICK
@given(PART, PART, PART)
def test_any_three_parts_are_refused_with_invalid_token(head: str, body: str, signature: str) -> None:
    assert is_refused_cleanly(f"{head}.{body}.{signature}")


@QUICK
@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=80))
def test_any_bytes_are_refused_with_invalid_token(head: bytes, body: bytes, signature: bytes) -> None:
    assert is_refused_cleanly(f"{base64url(head)}.{base64url(body)}.{base64url(signature)}")
    assert is_refused_cleanly(f"{HEAD}.{base64url(body)}.{base64url(signature)}")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@QUICK
@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk"]) | st.text(max_size=4), JSON))
def test_any_header_is_read_or_refused_with_invalid_token(changes: dict[str, object]) -> None:
    text = compact({**header(ES256), **changes}, CLAIMS, ES256.sign)
    if not is_refused_cleanly(text):
        assert opened(text).payload == CLAIMS


@QUICK
@given(st.binary(max_size=80) | JSON.map(as_bytes))
def test_any_payload_under_a_good_signature_is_an_object_or_refused(payload: bytes) -> None:
    text = signed(payload)
    if not is_refused_cleanly(text):
        assert opened(text).payload == json.loads(payload)


@QUICK
@given(st.sampled_from(sorted(KEYS)), st.data())
def test_no_change_of_a_single_character_of_what_was_signed_goes_unseen(alg: str, data: st.DataObject) -> None:
    text = signed(CLAIMS, alg)
    place = data.draw(st.integers(0, text.rindex(".") - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda each: each != text[place]))
    assert is_refused_cleanly(text[:place] + other + text[place + 1 :])

"""Which keys sign, which are believed, and that nothing private leaves."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x25519
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm

from tests.support.credentials import QUICK
from tests.support.tokens import private_keys
from tokenserver.tokens.keys import (
    ALGORITHMS,
    SigningKey,
    UnfitKey,
    new_signing_key,
    read_key_set,
    signing_key,
    signing_key_from_der,
    signing_key_from_pem,
    verifying_key,
)

KEYS = private_keys()
ES256, RS256, EDDSA = KEYS["ES256"], KEYS["RS256"], KEYS["EdDSA"]

# RFC 7517 §A.2 has the private half of the key whose thumbprint RFC 7638 §3.1 works out. RFC 8037 §A.1 and §A.3: both.
RFC_7638 = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB"
    "ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8"
    "KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_"
    "xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "e": "AQAB",
    "d": "X4cTteJY_gn4FYPsXB8rdXix5vwsg1FLN5E3EaG6RJoVH-HLLKD9M7dx5oo7GURknchnrRweUkC7hT5fJLM0WbFAKNLWY2vv7B6N"
    "qXSzUvxT0_YSfqijwp3RTzlBaCxWp4doFk5N2o8Gy_nHNKroADIkJ46pRUohsXywbReAdYaMwFs9tv8d_cPVY3i07a3t8MN6TNwm"
    "0dSawm9v47UiCl3Sk5ZiG7xojPLu4sbg1U2jx4IBTNBznbJSzFHK66jT8bgkuqsk0GjskDJk19Z4qwjwbsnn4j2WBii3RL-Us2lG"
    "VkY8fkFzme1z0HbIkfz0Y6mqnOYtqc0X4jfcKoAC8Q",
}
RFC_8037 = {
    "kty": "OKP",
    "crv": "Ed25519",
    "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}


def test_the_thumbprint_of_rfc_7638_is_the_kid() -> None:
    key = signing_key(RSAAlgorithm.from_jwk(RFC_7638))
    assert key.kid == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_the_thumbprint_of_rfc_8037_is_the_kid() -> None:
    assert signing_key(OKPAlgorithm.from_jwk(RFC_8037)).kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize("alg", ["ES256", "RS256", "EdDSA"])
def test_a_new_key_signs_what_its_public_half_believes(alg: str) -> None:
    key = new_signing_key(alg)
    assert key.alg == key.verifying.alg == alg
    signature = key.sign(b"signing input")
    assert key.verifying.verifies(b"signing input", signature)
    assert not key.verifying.verifies(b"another input", signature)
    assert not KEYS[alg].verifying.verifies(b"signing input", signature)
    if isinstance(key.private, rsa.RSAPrivateKey):
        assert key.private.key_size == 3072


@pytest.mark.parametrize("alg", ["none", "HS256", "ES384", "RS512", "PS256", "es256", ""])
def test_no_other_algorithm_signs(alg: str) -> None:
    assert alg not in ALGORITHMS
    with pytest.raises(UnfitKey, match="one of ES256, RS256, EdDSA"):
        new_signing_key(alg)


@QUICK
@given(st.binary(max_size=80) | st.sampled_from([b"\0" * 64, b"\xff" * 64, b"\0" * 256, b"\xff" * 256]))
def test_no_garbage_is_a_signature_and_none_breaks_the_check(garbage: bytes) -> None:
    for key in KEYS.values():
        assert key.verifying.verifies(b"signing input", garbage) is False


WEAK = rsa.generate_private_key(65537, 1024)  # noqa: S505  that is the case
UNFIT = {
    "a key on P-384": ec.generate_private_key(ec.SECP384R1()),
    "a key on secp256k1": ec.generate_private_key(ec.SECP256K1()),
    "an RSA key of 1024 bits": WEAK,
    "an Ed448 key": ed448.Ed448PrivateKey.generate(),
    "an X25519 key": x25519.X25519PrivateKey.generate(),
}


@pytest.mark.parametrize("unfit", UNFIT.values(), ids=UNFIT.keys())
def test_a_key_that_is_unfit_is_refused_with_the_reason(unfit: object) -> None:
    with pytest.raises(UnfitKey, match=r"must (be|have) "):
        signing_key(unfit)


def test_what_is_no_private_key_is_refused() -> None:
    for thing in (None, "key", b"key", ES256.verifying.public, ES256):
        with pytest.raises(UnfitKey):
            signing_key(thing)


PKCS8, OPENSSL = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL


def pem_of(private: object, password: bytes | None = None, form: serialization.PrivateFormat = PKCS8) -> bytes:
    assert isinstance(private, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey)
    protection = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return private.private_bytes(serialization.Encoding.PEM, form, protection)


@pytest.mark.parametrize("alg", KEYS)
def test_a_key_survives_der_and_pem(alg: str) -> None:
    key = KEYS[alg]
    assert signing_key_from_der(key.to_der()).kid == key.kid
    assert signing_key_from_pem(pem_of(key.private)).kid == key.kid


def test_a_key_as_openssl_used_to_write_it_is_read_too() -> None:
    assert signing_key_from_pem(pem_of(ES256.private, form=OPENSSL)).kid == ES256.kid


def as_pem(der: bytes) -> bytes:
    return b"-----BEGIN PRIVATE KEY-----\n" + base64.encodebytes(der) + b"-----END PRIVATE KEY-----\n"


def with_object_id(old: str, new: str) -> bytes:
    return as_pem(ES256.to_der().replace(bytes.fromhex(old), bytes.fromhex(new)))


PUBLIC_PEM = ES256.verifying.public.public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
FAULTY_PEM = {
    "nothing": b"",
    "garbage": b"\xff\x00\xff",
    "an encrypted key": pem_of(ES256.private, b"password"),
    "a public key": PUBLIC_PEM,
    "a certificate that is none": as_pem(b"\x30\x00").replace(b"PRIVATE KEY", b"CERTIFICATE"),
    "a key that is cut": pem_of(ES256.private)[:80],
    "a key that is damaged inside": as_pem(ES256.to_der()[:40]),
    "a curve that nobody knows": with_object_id("06082a8648ce3d030107", "06082a8648ce3d030163"),
    "an algorithm that nobody knows": with_object_id("06072a8648ce3d0201", "06072a8648ce3d0263"),
    "two keys": pem_of(ES256.private) + pem_of(RS256.private),
    "a key of 1024 bits": pem_of(UNFIT["an RSA key of 1024 bits"]),
    "a key on P-384": pem_of(UNFIT["a key on P-384"]),
}


@pytest.mark.parametrize("pem", FAULTY_PEM.values(), ids=FAULTY_PEM.keys())
def test_a_faulty_key_file_is_refused_with_words_and_without_its_content(pem: bytes) -> None:
    with pytest.raises(UnfitKey) as refusal:
        signing_key_from_pem(pem)
    words = str(refusal.value)
    assert words.startswith(("the ", "an "))
    assert not any(line and line in words for line in pem.decode("latin-1").splitlines())
    assert refusal.value.__cause__ is None


@QUICK
@given(st.integers(0, len(ES256.to_der()) - 1), st.integers(0, 255))
def test_a_key_file_with_one_wrong_byte_is_a_key_or_unfit(place: int, byte: int) -> None:
    der = bytearray(ES256.to_der())
    der[place] = byte
    try:
        key = signing_key_from_pem(as_pem(bytes(der)))
    except UnfitKey:
        return
    assert isinstance(key, SigningKey)


PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


@pytest.mark.parametrize("alg", KEYS)
def test_a_published_key_has_only_public_members(alg: str) -> None:
    jwk = KEYS[alg].verifying.jwk
    assert not PRIVATE_MEMBERS & set(jwk)
    assert {"kty", "kid", "alg", "use"} <= set(jwk)
    assert (jwk["alg"], jwk["use"]) == (alg, "sig")


def test_a_key_set_that_holds_private_keys_is_read_without_them() -> None:
    careless = {**RFC_8037, "kid": "careless", "alg": "EdDSA"}
    key = verifying_key(careless)
    assert key is not None
    assert key.kid == "careless"
    assert not PRIVATE_MEMBERS & set(key.jwk)
    assert RFC_8037["d"] not in repr(key)


@pytest.mark.parametrize("alg", KEYS)
def test_a_key_shows_nothing_private(alg: str) -> None:
    key = KEYS[alg]
    assert repr(key) == f"SigningKey(kid='{key.kid}', alg='{alg}')"
    assert str(key) == repr(key)
    private = {line for line in pem_of(key.private).decode().splitlines() if line[0] != "-"}
    assert not any(line in f"{key} {key!r} {key.verifying!r}" for line in private)


@pytest.mark.parametrize("alg", KEYS)
def test_a_published_key_reads_back_to_the_same_key(alg: str) -> None:
    key = KEYS[alg].verifying
    read = verifying_key(json.loads(json.dumps(dict(key.jwk))))
    assert read is not None
    assert (read.kid, read.alg, dict(read.jwk)) == (key.kid, key.alg, dict(key.jwk))
    assert read.verifies(b"signing input", KEYS[alg].sign(b"signing input"))


def public(alg: str, /, **changes: object) -> dict[str, object]:
    members = {**KEYS[alg].verifying.jwk, **changes}
    return {name: value for name, value in members.items() if value is not None}


PASSED_OVER = {
    "a symmetric key": {"kty": "oct", "kid": "k", "alg": "HS256", "k": "c2VjcmV0"},
    "a symmetric key that claims ES256": {"kty": "oct", "kid": "k", "alg": "ES256", "k": "c2VjcmV0"},
    "a key for encryption": public("RS256", use="enc"),
    "a key without kid": public("ES256", kid=None),
    "a kid that is a number": public("ES256", kid=1),
    "a key without alg": public("ES256", alg=None),
    "a list of algorithms": public("ES256", alg=["ES256"]),
    "an algorithm that we do not take": public("RS256", alg="RS512"),
    "an algorithm of another kind of key": public("ES256", alg="RS256"),
    "alg none": public("ES256", alg="none"),
    "a curve that is not its algorithm's": public("ES256", crv="P-384"),
    "a point that is not on the curve": public("ES256", y=KEYS["ES256"].verifying.jwk["x"]),
    "coordinates that are numbers": public("ES256", x=1, y=2),
    "a coordinate that is missing": public("ES256", y=None),
    "RSA of 1024 bits": {
        **json.loads(RSAAlgorithm.to_jwk(WEAK.public_key())),
        "kid": "k",
        "alg": "RS256",
    },
    "RSA with the exponent 1": public("RS256", e="AQ"),
    "RSA with a modulus of zero": public("RS256", n="AA"),
    "Ed448": {
        **json.loads(OKPAlgorithm.to_jwk(ed448.Ed448PrivateKey.generate().public_key())),
        "kid": "k",
        "alg": "EdDSA",
    },
    "an Ed25519 key that is too short": public("EdDSA", x="AAAA"),
    "an unknown kind": {"kty": "AKP", "kid": "k", "alg": "ML-DSA-44", "pub": "AA"},
    "text": "key",
    "null": None,
    "a list": [],
    "an empty object": {},
}


@pytest.mark.parametrize("jwk", PASSED_OVER.values(), ids=PASSED_OVER.keys())
def test_a_key_that_we_cannot_use_is_passed_over(jwk: object) -> None:
    assert verifying_key(jwk) is None
    assert read_key_set({"keys": [jwk, dict(ES256.verifying.jwk)]}).keys() == {ES256.kid}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
MEMBER = st.sampled_from(["kty", "kid", "alg", "use", "crv", "x", "y", "n", "e", "d", "k"])
VALUE = JSON | st.sampled_from(
    ["EC", "RSA", "OKP", "oct", "ES256", "RS256", "EdDSA", "P-256", "Ed25519", "AQAB", "sig"]
)


@QUICK
@given(st.sampled_from(sorted(KEYS)), st.dictionaries(MEMBER, VALUE, max_size=3))
def test_whatever_a_key_set_holds_reading_it_never_fails(alg: str, changes: dict[str, object]) -> None:
    read = verifying_key({**KEYS[alg].verifying.jwk, **changes})
    if read is not None:
        assert read.alg in ALGORITHMS
        assert not PRIVATE_MEMBERS & set(read.jwk)


def test_a_kid_that_names_two_keys_names_none() -> None:
    doubled = {**EDDSA.verifying.jwk, "kid": ES256.kid}
    keys = [dict(ES256.verifying.jwk), doubled, dict(RS256.verifying.jwk)]
    assert read_key_set({"keys": keys}).keys() == {RS256.kid}
    assert read_key_set({"keys": [*keys, keys[0]]}).keys() == {RS256.kid}


@pytest.mark.parametrize("document", [None, [], "keys", {}, {"keys": None}, {"keys": {}}, {"keys": "all"}], ids=repr)
def test_what_is_no_key_set_is_refused(document: object) -> None:
    with pytest.raises(UnfitKey, match="a member keys that is a list"):
        read_key_set(document)


def test_an_empty_key_set_is_a_key_set() -> None:
    assert read_key_set({"keys": []}) == {}

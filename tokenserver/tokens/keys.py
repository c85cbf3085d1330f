"""Which key signs, and which keys are believed?

A key has one algorithm for ever: `alg` is taken from the key, never from a token (RFC 8725 §3.1). `kid` is the RFC 7638
thumbprint of the public key, so that it cannot collide, and is only ever a name in a map (RFC 8725 §3.10). Only public
members leave the process.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from jwt.algorithms import Algorithm, ECAlgorithm, OKPAlgorithm, RSAAlgorithm

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey


class _ES256(ECAlgorithm):
    """PyJWT's algorithm, with the signature turned into R || S (RFC 7518 §3.4) at a fifth of the cost."""

    _ECDSA = ec.ECDSA(hashes.SHA256())

    def sign(self, msg: bytes, key: Any) -> bytes:
        r, s = decode_dss_signature(key.sign(msg, self._ECDSA))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


ALGORITHMS: Mapping[str, Algorithm] = {
    "ES256": _ES256(ECAlgorithm.SHA256, ec.SECP256R1),
    "RS256": RSAAlgorithm(RSAAlgorithm.SHA256),
    "EdDSA": OKPAlgorithm(),
}
"""What may sign a token: never `none`, never symmetric."""

SMALLEST_RSA_BITS = 2048
NEW_RSA_BITS = 3072
_FIT = "the key must be a P-256, RSA or Ed25519 private key"
_REQUIRED_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n"), "OKP": ("crv", "kty", "x")}


class UnfitKey(ValueError):
    """The key cannot be used here; the text says why and holds nothing of the key."""


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key with its one algorithm."""

    kid: str
    alg: str
    public: PublicKey
    jwk: Mapping[str, str]

    def verifies(self, signing_input: bytes, signature: bytes) -> bool:
        return ALGORITHMS[self.alg].verify(signing_input, self.public, signature)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with its one algorithm; its `repr` shows the `kid` only."""

    private: PrivateKey
    verifying: VerifyingKey

    @property
    def kid(self) -> str:
        return self.verifying.kid

    @property
    def alg(self) -> str:
        return self.verifying.alg

    def sign(self, signing_input: bytes) -> bytes:
        return ALGORITHMS[self.alg].sign(signing_input, self.private)

    def to_der(self) -> bytes:
        """PKCS#8 in clear: for sealing, nothing else."""
        return self.private.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def __repr__(self) -> str:
        return f"SigningKey(kid={self.kid!r}, alg={self.alg!r})"


def new_signing_key(alg: str) -> SigningKey:
    """A fresh key: P-256 for ES256, 3072 bits for RS256, Ed25519 for EdDSA."""
    match alg:
        case "ES256":
            return signing_key(ec.generate_private_key(ec.SECP256R1()))
        case "RS256":
            return signing_key(rsa.generate_private_key(public_exponent=65537, key_size=NEW_RSA_BITS))
        case "EdDSA":
            return signing_key(ed25519.Ed25519PrivateKey.generate())
    raise UnfitKey("the algorithm must be one of ES256, RS256, EdDSA")


def signing_key(private: object) -> SigningKey:
    """`private` as a signing key, with the algorithm that its type and size allow."""
    if not isinstance(private, PrivateKey):
        raise UnfitKey(_FIT)
    public = private.public_key()
    alg = _algorithm_of(public)
    jwk = _public_jwk(public, alg)
    return SigningKey(private, VerifyingKey(jwk["kid"], alg, public, jwk))


def signing_key_from_der(der: bytes) -> SigningKey:
    return signing_key(serialization.load_der_private_key(der, password=None))


def signing_key_from_pem(pem: bytes) -> SigningKey:
    """An operator's own key: PEM, not encrypted, and one only, so that nobody wonders which one was taken."""
    if pem.count(b"PRIVATE KEY-----") > 2:
        raise UnfitKey("the file must hold one private key, not several")
    try:
        private = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        raise UnfitKey("the file must hold one unencrypted private key in PEM form") from None
    except UnsupportedAlgorithm:
        raise UnfitKey(_FIT) from None
    return signing_key(private)


def verifying_key(jwk: object) -> VerifyingKey | None:
    """One member of a key set as we can use it, or None: unknown kinds are passed over (RFC 7517 §5)."""
    if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig":
        return None
    kid, alg = jwk.get("kid"), jwk.get("alg")
    if not isinstance(kid, str) or not isinstance(alg, str) or alg not in ALGORITHMS:
        return None
    try:
        public = ALGORITHMS[alg].from_jwk({k: v for k, v in jwk.items() if k in {"kty", "crv", "x", "y", "n", "e"}})
        if not isinstance(public, PublicKey) or _algorithm_of(public) != alg:
            return None
    except Exception:  # noqa: BLE001  whatever a stranger's key does to the parser, it is no key of ours
        return None
    return VerifyingKey(kid, alg, public, {**_public_jwk(public, alg), "kid": kid})


def read_key_set(document: object) -> dict[str, VerifyingKey]:
    """`kid` to key, of a JWK set (RFC 7517 §5). A `kid` that names two keys names none."""
    members = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(members, list):
        raise UnfitKey("a key set has a member keys that is a list")
    found: dict[str, VerifyingKey] = {}
    doubled: set[str] = set()
    for key in filter(None, map(verifying_key, members)):
        if key.kid in found:
            doubled.add(key.kid)
        found[key.kid] = key
    return {kid: key for kid, key in found.items() if kid not in doubled}


def _algorithm_of(public: PublicKey) -> str:
    if isinstance(public, ec.EllipticCurvePublicKey):
        if not isinstance(public.curve, ec.SECP256R1):
            raise UnfitKey("an elliptic-curve key must be on the curve P-256")
        return "ES256"
    if isinstance(public, rsa.RSAPublicKey):
        if public.key_size < SMALLEST_RSA_BITS:
            raise UnfitKey("an RSA key must have at least 2048 bits")
        return "RS256"
    return "EdDSA"


def _public_jwk(public: PublicKey, alg: str) -> dict[str, str]:
    members: dict[str, Any] = ALGORITHMS[alg].to_jwk(public, as_dict=True)
    required = {name: str(members[name]) for name in _REQUIRED_MEMBERS[str(members["kty"])]}
    canonical = json.dumps(required, separators=(",", ":"), sort_keys=True).encode()
    thumbprint = base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()
    return {**required, "kid": thumbprint, "alg": alg, "use": "sig"}

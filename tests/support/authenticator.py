"""An authenticator that a test holds in its hand: it makes passkeys, and signs what it is asked, well or badly."""

from __future__ import annotations

import hashlib
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import encode_cbor

PRESENT, VERIFIED, WITH_KEY = 0x01, 0x04, 0x40


@dataclass
class Authenticator:
    """Of one key. `verifies`: it asks for a finger; `counts`: it says how often it signed."""

    origin: str
    verifies: bool = True
    counts: bool = True
    id: bytes = field(default_factory=lambda: os.urandom(16))
    key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))
    owner: bytes = b""
    count: int = 0

    def make(self, options: str) -> str:
        """What `navigator.credentials.create` answers."""
        asked = json.loads(options)
        self.owner = _bytes(asked["user"]["id"])
        point = self.key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + encode_cbor(public)
        about = self._about(asked["rp"]["id"], WITH_KEY) + attested
        attestation = encode_cbor({"fmt": "none", "attStmt": {}, "authData": about})
        client = self._client("webauthn.create", asked["challenge"])
        return self._answer({"clientDataJSON": _text(client), "attestationObject": _text(attestation)})

    def sign(self, options: str, *, says_owner: bool = True, **claimed: Any) -> str:
        """What `navigator.credentials.get` answers; `claimed` replaces members of what the browser says."""
        asked = json.loads(options)
        self.count += self.counts
        about = self._about(asked["rpId"])
        client = self._client("webauthn.get", asked["challenge"], **claimed)
        signature = self.key.sign(about + hashlib.sha256(client).digest(), ECDSA(SHA256()))
        answer = {"clientDataJSON": _text(client), "authenticatorData": _text(about), "signature": _text(signature)}
        return self._answer(answer | ({"userHandle": _text(self.owner)} if says_owner else {}))

    def _about(self, host: str, flags: int = 0) -> bytes:
        flags |= PRESENT | (VERIFIED if self.verifies else 0)
        return hashlib.sha256(host.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _client(self, kind: str, challenge: str, **claimed: Any) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin, **claimed}).encode()

    def _answer(self, response: dict[str, str]) -> str:
        name = _text(self.id)
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})


def _text(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))

"""Did GitHub send that? Signatures of its secret scanning: ECDSA on P-256 with SHA-256, over the body as it came.

The keys are a setting, in the form in which GitHub's API gives them, and nothing is fetched: a server that hands out
tokens calls nobody for strangers. When GitHub changes its keys, its reports are refused until the setting follows.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from app.settings import InvalidSettings
from tokenserver.errors import NotFound, Refused

_FAULTY = (
    "TOKENSERVER_GITHUB_KEYS: must be JSON as https://api.github.com/meta/public_keys/secret_scanning gives it, with"
    " P-256 keys in PEM"
)
_LONGEST_SIGNATURE = 200


class NotSignedByGithub(Refused):
    code = "invalid_signature"
    status = 403
    public = "The body is not signed by a key of GitHub that this server knows."


class GithubKeys:
    def __init__(self, text: str) -> None:
        """`text` is the setting; empty for none. Raises InvalidSettings."""
        try:
            self._keys = _keys(json.loads(text)) if text else {}
        except (ValueError, KeyError, TypeError, UnsupportedAlgorithm):
            raise InvalidSettings(_FAULTY) from None

    def refuse_unsigned(self, body: bytes, key_id: str, signature: str) -> None:
        """Raise NotSignedByGithub unless one of its keys has signed `body`; NotFound where no keys are known."""
        if not self._keys:
            raise NotFound
        key = self._keys.get(key_id)
        if key is None or len(signature) > _LONGEST_SIGNATURE:
            raise NotSignedByGithub
        try:
            key.verify(base64.b64decode(signature, validate=True), body, ec.ECDSA(hashes.SHA256()))
        except (binascii.Error, ValueError, InvalidSignature):
            raise NotSignedByGithub from None


def _keys(told: object) -> Mapping[str, ec.EllipticCurvePublicKey]:
    listed = told["public_keys"] if isinstance(told, dict) else told
    if not isinstance(listed, list) or not listed:
        raise ValueError
    return {str(each["key_identifier"]): _key(each["key"]) for each in listed}


def _key(pem: str) -> ec.EllipticCurvePublicKey:
    key = load_pem_public_key(str(pem).encode("ascii"))
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise ValueError

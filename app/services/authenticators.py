"""What do we ask of an authenticator, and what did it answer? The only file that knows the library for WebAuthn.

Nothing of the answer is trusted before its signature is checked, and whatever is wrong with it is `NotAnswered`: the
library reads CBOR, ASN.1 and JSON from strangers, and raises what its readers raise. Which make of authenticator it
is, is not asked: anybody may use the one they have.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, parse_authentication_credential_json
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from app.services.challenges import NotAnswered
from tokenserver.domain.operators import Operator

LONGEST = 20_000
"""Characters of an answer."""
_TIMEOUT = 300_000
_NEVER_COUNTED = 0
_DEFAULT_PORTS = {("https", 443), ("http", 80)}


@dataclass(frozen=True, slots=True)
class NewKey:
    id: str
    public_key: bytes
    sign_count: int


class Authenticators:
    """Asked for keys that are good for the pages of one issuer."""

    def __init__(self, issuer: str) -> None:
        url = urlsplit(issuer)
        self._host = url.hostname or ""
        port = "" if url.port is None or (url.scheme, url.port) in _DEFAULT_PORTS else f":{url.port}"
        self._origin = f"{url.scheme}://{self._host}{port}"

    def registration_options(self, operator: Operator, taken: Sequence[str], challenge: bytes) -> str:
        """JSON for `navigator.credentials.create`: a key that knows its owner, where the authenticator can keep it."""
        return options_to_json(
            generate_registration_options(
                rp_id=self._host,
                rp_name=f"tokenserver at {self._host}",
                user_id=operator.id.encode(),
                user_name=operator.email,
                user_display_name=operator.name or operator.email,
                challenge=challenge,
                timeout=_TIMEOUT,
                authenticator_selection=AuthenticatorSelectionCriteria(
                    resident_key=ResidentKeyRequirement.PREFERRED,
                    user_verification=UserVerificationRequirement.PREFERRED,
                ),
                exclude_credentials=_descriptors(taken),
            )
        )

    def registered(self, answer: str, challenge: bytes) -> NewKey:
        """Raises NotAnswered."""
        try:
            made = verify_registration_response(
                credential=_document(answer),
                expected_challenge=challenge,
                expected_rp_id=self._host,
                expected_origin=self._origin,
            )
        except Exception as fault:  # noqa: BLE001  whatever its readers raise
            raise NotAnswered(type(fault).__name__) from None
        return NewKey(bytes_to_base64url(made.credential_id), made.credential_public_key, made.sign_count)

    def assertion_options(self, allowed: Sequence[str], challenge: bytes, *, verify: bool) -> str:
        """JSON for `navigator.credentials.get`; `allowed` empty: whichever key knows its owner."""
        wanted = UserVerificationRequirement.REQUIRED if verify else UserVerificationRequirement.PREFERRED
        return options_to_json(
            generate_authentication_options(
                rp_id=self._host,
                challenge=challenge,
                timeout=_TIMEOUT,
                allow_credentials=_descriptors(allowed),
                user_verification=wanted,
            )
        )

    @staticmethod
    def claimed(answer: str) -> tuple[str, str | None]:
        """Which key the answer says it is by, and whose; nothing is proven. Raises NotAnswered."""
        try:
            read = parse_authentication_credential_json(_document(answer))
            handle = read.response.user_handle
            return read.id, None if handle is None else handle.decode()
        except Exception as fault:  # noqa: BLE001  whatever its readers raise
            raise NotAnswered(type(fault).__name__) from None

    def signed(self, answer: str, challenge: bytes, public_key: bytes, *, verify: bool) -> int:
        """How often the key says that it was used, by then; raises NotAnswered. `verify`: it must know who used it."""
        try:
            read = verify_authentication_response(
                credential=_document(answer),
                expected_challenge=challenge,
                expected_rp_id=self._host,
                expected_origin=self._origin,
                credential_public_key=public_key,
                credential_current_sign_count=_NEVER_COUNTED,
                require_user_verification=verify,
            )
        except Exception as fault:  # noqa: BLE001  whatever its readers raise
            raise NotAnswered(type(fault).__name__) from None
        return read.new_sign_count


def _document(answer: str) -> dict[str, object]:
    if len(answer) > LONGEST:
        raise NotAnswered("too long")
    document = json.loads(answer)
    if not isinstance(document, dict):
        raise NotAnswered("no object")
    return document


def _descriptors(ids: Sequence[str]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(one)) for one in ids]

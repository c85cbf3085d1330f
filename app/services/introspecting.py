"""Is this token live? Asked by a resource server that cannot check by itself (RFC 7662).

It is told about tokens of its own organization, for an API at which its credential holds the scope `tokens:introspect`
(a scope of that API's own catalogue), and about nothing else: whatever is foreign, dead or malformed is not active,
without a reason. There is no grace: the rows are read each time, and combined as everywhere (`standing`).

An answer leaves no audit line, as a check by a resource server leaves none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.services.keys import SigningKeys
from app.services.own_tokens import OwnTokens
from app.services.proving import Proof, Proven, Proving
from app.services.standing import refuse_ended
from app.settings import Settings
from app.store import Transaction
from tokenserver.clock import Clock
from tokenserver.errors import InvalidToken
from tokenserver.tokens.jws import Signer

SCOPE = "tokens:introspect"
INTROSPECTION = "token-introspection+jwt"
"""The type of a signed answer (RFC 9701 §5)."""
INACTIVE: Mapping[str, Any] = {"active": False}


class Introspecting:
    def __init__(
        self, proving: Proving, tokens: OwnTokens, keys: SigningKeys, settings: Settings, clock: Clock
    ) -> None:
        self._proving = proving
        self._tokens = tokens
        self._keys = keys
        self._issuer = settings.issuer
        self._clock = clock

    def introspect(self, asked: Proof, unverified_token: str) -> Mapping[str, Any]:
        """What the token says if it is active, else exactly `INACTIVE`; raises Refused for a caller without proof."""
        return self._proving.prove(asked, lambda tx, caller: self._told(tx, caller, unverified_token))

    def introspect_signed(self, asked: Proof, unverified_token: str) -> str:
        """The same as a signed statement to this caller (RFC 9701)."""
        told = self.introspect(asked, unverified_token)
        statement = {
            "iss": self._issuer,
            "aud": asked.client_id,
            "iat": int(self._clock()),
            "token_introspection": told,
        }
        return Signer(self._keys.ring().access.key, INTROSPECTION).sign(statement)

    def _told(self, tx: Transaction, caller: Proven, unverified_token: str) -> Mapping[str, Any]:
        try:
            claims = self._tokens.read(unverified_token).claims
            if claims.organization != caller.organization_id or not _may_ask(caller, claims.audience):
                return INACTIVE
            refuse_ended(tx, claims, self._clock())
        except InvalidToken:
            return INACTIVE
        return {"active": True, "token_type": "Bearer", **claims.raw}


def _may_ask(caller: Proven, audience: tuple[str, ...]) -> bool:
    return any(SCOPE in caller.scopes.get(name, ()) for name in audience)

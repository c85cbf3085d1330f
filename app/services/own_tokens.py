"""Which claims has a token of this very server? Proven once, and remembered while its key is believed.

Nothing here says that a token is live: that is asked of the rows, each time (see `standing`).
"""

from __future__ import annotations

from app.services.keys import SigningKeys
from app.settings import Settings
from tokenserver.resource.cache import Proven, ProvenTokens
from tokenserver.tokens.verification import read_token_for_any


class OwnTokens:
    def __init__(self, keys: SigningKeys, settings: Settings) -> None:
        self._keys = keys
        self._issuer = settings.issuer
        self._proven = ProvenTokens()
        self.texts_proven = self._proven.texts

    def read(self, unverified_token: str) -> Proven:
        """Raises InvalidToken, whoever the token is for."""
        believed = self._keys.ring().believed
        proven = self._proven.get(unverified_token)
        if proven is not None and believed.get(proven.claims.key_id) == proven.key:
            proven.used = True
            return proven
        claims = read_token_for_any(unverified_token, believed.get, issuer=self._issuer)
        proven = Proven(claims, believed[claims.key_id])
        self._proven.put(unverified_token, proven)
        return proven

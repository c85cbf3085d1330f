"""May the request that a gateway holds go on to the API behind it? The checks of a resource server, made here for it.

The same functions in the same order as in `tokenserver.resource.guard`: token, proof, end, address, requirement. Only
the news differs: what has ended is read from the rows, each time, so that nothing is ever stale here.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from app.services.own_tokens import OwnTokens
from app.services.standing import refuse_ended
from app.store import Store
from tokenserver.clock import Clock
from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.errors import AddressRefused, InvalidToken, Unavailable
from tokenserver.resource.bearer import bearer_token
from tokenserver.resource.cache import NetworkLists
from tokenserver.resource.principal import Principal
from tokenserver.resource.require import Require
from tokenserver.tokens.claims import AccessClaims


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What the gateway says of a request, and what it requires. `address` is empty when it is unknown."""

    authorization: Sequence[str]
    address: str
    audience: str
    require: Require


class Forwarding:
    def __init__(self, store: Store, tokens: OwnTokens, clock: Clock) -> None:
        self._store = store
        self._tokens = tokens
        self._clock = clock
        self._networks = NetworkLists()
        self._lock = threading.Lock()

    def admit(self, asked: Forwarded) -> Principal:
        """The caller, if it may pass; raises Refused or Unavailable."""
        unverified_token = bearer_token(asked.authorization, self._tokens.texts_proven)  # 1. what is presented
        proven = self._tokens.read(unverified_token)  # 2. is it good
        if asked.audience not in proven.claims.audience:
            raise InvalidToken(detail="another audience")
        allowed = self._live(proven.claims)  # 3. is it live
        if allowed is not None and not allowed.admits(asked.address):  # 4. may it be used from there
            raise AddressRefused
        asked.require.check(proven.principal)  # 5. has it what is required
        return proven.principal

    def _live(self, claims: AccessClaims) -> AllowedIPs | None:
        """The addresses from which the token may be used, None for any; raises InvalidToken when it has ended."""
        digest = claims.allowed_ips_sha256
        with self._store.reading() as tx:
            refuse_ended(tx, claims, self._clock())
            if digest is None:
                return claims.allowed_ips
            known = self._networks.get(digest)
            found = tx.credentials.networks(digest) if known is None else known
        if found is None:
            raise Unavailable(detail="a network list is missing")
        if known is None:
            with self._lock:
                self._networks.put(digest, found)
        return found

"""May the request that a gateway holds go on to the API behind it? The checks of a resource server, made here for it.

The same functions in the same order as in `tokenserver.resource.guard`: token, proof, end, address, requirement. Only
the news differs: what has ended is read from the rows, each time, so that nothing is ever stale here. Requests that
wait at the same moment share one such reading, which begins after the last of them has come (see `group`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.services.group import Group, Place
from app.services.own_tokens import OwnTokens
from app.services.standing import live
from app.store import Store, Transaction
from tokenserver.clock import Clock
from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.errors import AddressRefused, InvalidToken, Unavailable
from tokenserver.resource.bearer import bearer_token
from tokenserver.resource.cache import NetworkLists, Proven
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
        self._group: Group[Forwarded, Principal] = Group(self._answer)

    def admit(self, asked: Forwarded) -> Principal:
        """The caller, if it may pass; raises Refused or Unavailable."""
        return self._group.join(asked)

    async def admitted(self, asked: Forwarded) -> Principal:
        """As `admit`, for a caller on an event loop."""
        return await self._group.joined(asked)

    def _answer(self, group: Sequence[Place[Forwarded, Principal]]) -> None:
        asked: list[tuple[Place[Forwarded, Principal], Proven]] = []
        for place in group:
            with place.own_fault():
                asked.append((place, self._proven(place.request)))
        if not asked:
            return
        with self._store.reading() as tx:
            now = self._clock()
            standings = tx.liveness.of([proven.claims for _, proven in asked], now)
            for (place, proven), standing in zip(asked, standings, strict=True):
                with place.own_fault():
                    live(standing, proven.claims, now)  # 3. is it live
                    allowed = self._allowed(tx, proven.claims)
                    if allowed is not None and not allowed.admits(place.request.address):  # 4. and from there
                        raise AddressRefused
                    place.request.require.check(proven.principal)  # 5. has it what is required
                    place.answer = proven.principal

    def _proven(self, asked: Forwarded) -> Proven:
        unverified_token = bearer_token(asked.authorization, self._tokens.texts_proven)  # 1. what is presented
        proven = self._tokens.read(unverified_token)  # 2. is it good
        if asked.audience not in proven.claims.audience:
            raise InvalidToken(detail="another audience")
        return proven

    def _allowed(self, tx: Transaction, claims: AccessClaims) -> AllowedIPs | None:
        """The addresses from which the token may be used, None for any."""
        digest = claims.allowed_ips_sha256
        if digest is None:
            return claims.allowed_ips
        found = self._networks.get(digest)
        if found is None:
            found = tx.networks.get(digest)
            if found is None:
                raise Unavailable(detail="a network list is missing")
            self._networks.put(digest, found)
        return found

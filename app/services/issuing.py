"""How does a secret become a token? The use case behind `POST /oauth/token`.

Five steps, for each request of a group that shares one transaction (see `store.issuing`): authenticate, decide, say,
sign, remember. The answer is given when the audit line is on disk; if it cannot be written, the token is withheld.

Strangers learn nothing: an unknown client costs the same look-up, the same HMAC and the same comparison as a wrong
secret, and gets the same answer. Only who has proven the secret is told why a request is refused.

What has ended by the newest moment on record stays ended when the clock is set back, on this node or on another and
after a restart as well; what a token says of the time is the clock's, since nobody believes a token of tomorrow.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.services.audit import Folding
from app.services.granted import Granted
from app.services.group import Group, Place
from app.services.keys import Ring, SigningKeys
from app.services.limits import Limits
from app.services.proving import NOT_PROVEN, authenticate, refused_entry
from app.settings import Settings
from app.store import Store
from app.store.high_water import HighWater
from app.store.issuing import GroupTransaction, IssuingStore, Known
from tokenserver.clock import Clock, no_earlier
from tokenserver.domain.audit import Entry, Event
from tokenserver.domain.credential import CredentialSecret
from tokenserver.domain.grant import Asked, Permit, decide
from tokenserver.domain.rotation import is_awaited
from tokenserver.domain.secret import (
    Pepper,
    Secret,
    fingerprint,
    looks_like_client_id,
)
from tokenserver.errors import InvalidClient, InvalidScope, Refused, TokenServerError, Unavailable
from tokenserver.tokens.claims import claims_for, new_token_id
from tokenserver.tokens.jws import LONGEST_TOKEN

log = logging.getLogger("tokenserver.issuing")


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What a caller sent, read and separated; nothing of it is proven. `address` is empty when it is unknown."""

    client_id: str
    secret: Secret
    scopes: frozenset[str] | None
    resource: str | None
    address: str
    request_id: str


@dataclass(frozen=True, slots=True)
class IssuedToken:
    access_token: str
    expires_in: int
    scope: str
    rotation_waits: bool = False
    """Whether a new secret waits for the app that has proven its old one."""

    def __repr__(self) -> str:
        return f"IssuedToken(expires_in={self.expires_in})"


class Issuing:
    def __init__(
        self,
        store: Store,
        high_water: HighWater,
        keys: SigningKeys,
        peppers: Sequence[Pepper],
        settings: Settings,
        clock: Clock,
        *,
        limits: Limits,
    ) -> None:
        self._issuing = IssuingStore(store, high_water)
        self._limits = limits
        self._keys = keys
        self._peppers = tuple(peppers)
        self._issuer = settings.issuer
        self._clock = clock
        self._group: Group[TokenRequest, IssuedToken] = Group(self._answer)
        self._folding = Folding()
        self._granted = Granted(store)

    def issue(self, asked: TokenRequest) -> IssuedToken:
        """The token, once its audit line is on disk; raises Refused or Unavailable."""
        self._limits.turn_away_hasty(asked.client_id, asked.address)
        return self._group.join(asked)

    async def issued(self, asked: TokenRequest) -> IssuedToken:
        """As `issue`, for a caller on an event loop."""
        self._limits.turn_away_hasty(asked.client_id, asked.address)
        return await self._group.joined(asked)

    def _answer(self, group: Sequence[Place[TokenRequest, IssuedToken]]) -> None:
        try:
            self._answer_in_one_transaction(group)
        except BaseException:
            self._folding = Folding()  # its lines were not written: the next refusals are the first again
            raise

    def _answer_in_one_transaction(self, group: Sequence[Place[TokenRequest, IssuedToken]]) -> None:
        ring = self._keys.ring()
        client_ids = {place.request.client_id for place in group if looks_like_client_id(place.request.client_id)}
        with self._issuing.group(sorted(client_ids), self._clock()) as work:
            now = self._clock()
            work.entries.extend(self._folding.over(now))
            for place in group:
                known = work.known.get(place.request.client_id)
                try:
                    place.answer = self._issue(place.request, known, work, ring, now)
                except Refused as refusal:
                    place.fault = refusal
                    if isinstance(refusal, InvalidClient) and refusal.detail in NOT_PROVEN:
                        self._limits.failed(place.request.client_id, place.request.address)
                    claimed = place.request.client_id if place.request.client_id in client_ids else ""
                    line = refused_entry(Event.TOKEN_REFUSED, place.request, known, refusal, now)
                    work.entries.extend(self._folding.fold(line, claimed))
                except Unavailable:
                    raise  # of the whole group
                except Exception:
                    log.exception("a token request failed", extra={"request_id": place.request.request_id})
                    place.fault = TokenServerError()

    def _issue(
        self, asked: TokenRequest, known: Known | None, work: GroupTransaction, ring: Ring, now: float
    ) -> IssuedToken:
        self._limits.refuse_hasty(asked.client_id, asked.address)  # again: others of its group may have failed
        moment = no_earlier(now, known.on_record) if known is not None else now
        known, secret, renewed = authenticate(asked, known, self._peppers, moment)  # 1. who is asking
        self._limits.proven(asked.client_id, asked.address)
        permit = self._decide(asked, known, secret, work.catalogue_version, moment, now)  # 2. what may they have
        self._limits.take_token(known.organization.id, asked.client_id)
        token_id = new_token_id()
        claims = claims_for(permit, self._issuer, token_id)  # 3. say it
        text = _signed(ring, claims)  # 4. sign it
        work.entries.append(_issued(asked, permit, token_id, secret, now))  # 5. remember it
        if secret.pepper_id != self._peppers[0].id:
            pepper = self._peppers[0]
            work.renewed[secret.id] = renewed, pepper.id, fingerprint(asked.secret.reveal(), pepper)
        if known.last_use.get(secret.id) != permit.issued_at:
            work.uses[secret.id] = (permit.issued_at, asked.address)
        waits = len(known.secrets) > 1 and is_awaited(secret, known.secrets, known.last_use)
        return IssuedToken(text, permit.expires_at - permit.issued_at, claims["scope"], waits)

    def _decide(
        self,
        asked: TokenRequest,
        known: Known,
        secret: CredentialSecret,
        catalogue_version: int,
        moment: float,
        now: float,
    ) -> Permit:
        credential = known.credential
        _, bound_roles = self._granted.of(known.organization.id, credential.restrictions, catalogue_version)
        scopes = self._granted.scopes_of(known, catalogue_version)
        if known.rights is not None:
            left = replace(credential.restrictions, roles=known.rights.roles_of(credential.restrictions.roles))
            credential = replace(credential, restrictions=left)
        return decide(
            credential,
            secret,
            known.organization,
            Asked(asked.address, asked.scopes, asked.resource),
            scopes,
            moment,
            bound_roles=bound_roles,
            issued_at=int(now),
        )


def _signed(ring: Ring, claims: Mapping[str, Any]) -> str:
    """A token longer than what every reader refuses is refused here, where somebody can do something about it."""
    text = ring.access.sign(claims)
    if len(text) > LONGEST_TOKEN:
        raise InvalidScope("The token would be too long: ask for fewer scopes, or give the credential fewer roles.")
    return text


def _issued(asked: TokenRequest, permit: Permit, token_id: str, secret: CredentialSecret, now: float) -> Entry:
    return Entry(
        event=Event.TOKEN_ISSUED,
        at=now,
        actor=f"credential:{permit.credential.client_id}",
        organization=permit.organization.id,
        credential=permit.credential.client_id,
        address=asked.address,
        request_id=asked.request_id,
        detail={
            "jti": token_id,
            "secret": secret.id,
            "audience": permit.audience,
            "scopes": permit.scopes,
            "generation": permit.generation,
            "expires_at": permit.expires_at,
        },
    )

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
from functools import lru_cache
from typing import Any

from app.services.audit import STRANGER, Folding
from app.services.group import Group, Place
from app.services.keys import Ring, SigningKeys
from app.services.limits import Limits
from app.settings import Settings
from app.store import Store
from app.store.high_water import HighWater
from app.store.issuing import GroupTransaction, IssuingStore, Known
from tokenserver.clock import Clock, no_earlier
from tokenserver.domain.audit import Entry, Event
from tokenserver.domain.catalogue import Catalogue
from tokenserver.domain.credential import CredentialSecret
from tokenserver.domain.grant import Asked, Permit, decide
from tokenserver.domain.restrictions import Grant, Restrictions
from tokenserver.domain.rotation import is_awaited
from tokenserver.domain.secret import (
    Pepper,
    Secret,
    digest,
    fingerprint,
    is_secret_of,
    looks_like_client_id,
    looks_like_secret,
)
from tokenserver.errors import InvalidClient, InvalidScope, Refused, TokenServerError, Unavailable
from tokenserver.tokens.claims import claims_for, new_token_id
from tokenserver.tokens.jws import LONGEST_TOKEN

log = logging.getLogger("tokenserver.issuing")

_NOT_PROVEN = frozenset({"malformed", "not proven"})
_STRANGERS = {*_NOT_PROVEN, "too many failures"}
_DECOY = (CredentialSecret("", bytes(32), "", "", 0),)


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
        self._granted = _Granted(store)

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
                    if isinstance(refusal, InvalidClient) and refusal.detail in _NOT_PROVEN:
                        self._limits.failed(place.request.client_id, place.request.address)
                    claimed = place.request.client_id if place.request.client_id in client_ids else ""
                    work.entries.extend(self._folding.fold(_refused(place.request, known, refusal, now), claimed))
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
        known, secret, renewed = self._authenticate(asked, known, moment)  # 1. who is asking
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

    def _authenticate(
        self, asked: TokenRequest, known: Known | None, now: float
    ) -> tuple[Known, CredentialSecret, bytes]:
        """The credential whose secret was proven, which of its secrets, and the digest of that under the present
        pepper; the same work whoever asks.
        """
        if not looks_like_secret(asked.secret.reveal()):
            raise InvalidClient(detail="malformed")
        computed = {p.id: digest(asked.client_id, asked.secret.reveal(), p) for p in self._peppers}
        proven = None
        for secret in known.secrets if known is not None else _DECOY:
            matches = is_secret_of(secret.digest, computed.get(secret.pepper_id, b""))
            if matches and secret.works_at(now):
                proven = secret
        if known is None or proven is None:
            raise InvalidClient(detail="not proven")
        return known, proven, computed[self._peppers[0].id]

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
        scopes, bound_roles = self._granted.of(known.organization.id, credential.restrictions, catalogue_version)
        if known.rights is not None:
            catalogue = self._granted.catalogue(known.organization.id, catalogue_version)
            scopes = known.rights.scopes_of(scopes, catalogue)
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


class _Granted:
    """What grants and roles mean at the present catalogue; remembered until the catalogue changes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._scopes = lru_cache(maxsize=4096)(self._resolve)
        self._read_at = lru_cache(maxsize=64)(self._read)

    def of(
        self, organization_id: str, terms: Restrictions, version: int
    ) -> tuple[Mapping[str, frozenset[str]], Mapping[str, str]]:
        """Audience to scopes, and role to audience for roles that belong to one API."""
        return self._scopes(organization_id, terms.grants, version), self._read_at(organization_id, version)[1]

    def catalogue(self, organization_id: str, version: int) -> Catalogue:
        return self._read_at(organization_id, version)[0]

    def _resolve(self, organization_id: str, grants: tuple[Grant, ...], version: int) -> Mapping[str, frozenset[str]]:
        return Restrictions(grants=grants).scopes_at(self.catalogue(organization_id, version))

    def _read(self, organization_id: str, _version: int) -> tuple[Catalogue, Mapping[str, str]]:
        with self._store.reading() as tx:
            return tx.catalogue.of(organization_id), tx.catalogue.bound_roles(organization_id)


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


def _refused(asked: TokenRequest, known: Known | None, refusal: Refused, now: float) -> Entry:
    """Names the credential only if there is one by that name: what a stranger typed is not recorded."""
    return Entry(
        event=Event.TOKEN_REFUSED,
        at=now,
        actor=STRANGER if refusal.detail in _STRANGERS else f"credential:{asked.client_id}",
        organization=known.organization.id if known is not None else "",
        credential=asked.client_id if known is not None else "",
        address=asked.address,
        request_id=asked.request_id,
        outcome="refused",
        detail={"error": refusal.code, "reason": refusal.detail or refusal.public},
    )

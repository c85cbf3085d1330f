"""Who may use the admin API? Bearer tokens of this very server, for the audience `urn:tokenserver:admin`.

The same functions check them that every resource server uses, except that nothing is polled: the floor is read from the
credential's row at each request, so that an ended token is refused at once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from app.services.audit import STRANGER, Caller, Folding
from app.services.keys import SigningKeys
from app.services.standing import refuse_ended
from app.settings import Settings
from app.store import Store
from tokenserver.clock import Clock
from tokenserver.domain.audit import Entry, Event
from tokenserver.domain.operators import ADMIN_AUDIENCE
from tokenserver.errors import AddressRefused, InsufficientScope, InvalidToken, MissingToken, Refused
from tokenserver.tokens.claims import AccessClaims
from tokenserver.tokens.verification import read_token


class Admission:
    def __init__(self, store: Store, keys: SigningKeys, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._issuer = settings.issuer
        self._clock = clock
        self._folding = Folding()
        self._lock = threading.Lock()

    def admit(self, unverified_token: str | None, scopes: Iterable[str], address: str, request_id: str) -> Caller:
        """The caller behind a live token that carries `scopes`; raises a Refused that names what is wrong."""
        claims: AccessClaims | None = None
        try:
            if unverified_token is None:
                raise MissingToken
            claims = self._read(unverified_token)
            self._refuse(claims, frozenset(scopes), address)
        except Refused as refusal:
            if unverified_token is not None:
                self._record(claims, refusal, address, request_id)
            raise
        return Caller(
            actor=f"credential:{claims.client_id}",
            organization_id=claims.organization,
            scopes=claims.scopes,
            address=address,
            request_id=request_id,
            claims=claims,
        )

    def _read(self, unverified_token: str) -> AccessClaims:
        key_of = self._keys.ring().believed.get
        return read_token(unverified_token, key_of, issuer=self._issuer, audience=ADMIN_AUDIENCE)

    def _refuse(self, claims: AccessClaims, scopes: frozenset[str], address: str) -> None:
        now = self._clock()
        with self._store.reading() as tx:
            refuse_ended(tx, claims, now)
            allowed = claims.allowed_ips
            if claims.allowed_ips_sha256 is not None:
                allowed = tx.credentials.networks(claims.allowed_ips_sha256)
                if allowed is None:
                    raise InvalidToken(detail="unknown network list")
        if allowed is not None and not allowed.admits(address):
            raise AddressRefused
        if not scopes <= claims.scopes:
            raise InsufficientScope

    def _record(self, claims: AccessClaims | None, refusal: Refused, address: str, request_id: str) -> None:
        """Names the credential only when its signature was good; what a stranger sent is not recorded."""
        now = self._clock()
        entry = Entry(
            event=Event.ADMIN_REFUSED,
            at=now,
            actor=STRANGER if claims is None else f"credential:{claims.client_id}",
            organization="" if claims is None else claims.organization,
            credential="" if claims is None else claims.client_id,
            address=address,
            request_id=request_id,
            outcome="refused",
            detail={"error": refusal.code, "reason": refusal.detail or refusal.public},
        )
        with self._lock:
            entries = list(self._folding.fold(entry))
        if entries:
            with self._store.writing() as tx:
                for folded in entries:
                    tx.audit.append(folded)

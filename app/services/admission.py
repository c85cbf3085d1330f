"""Who may use the admin API? Bearer tokens of this very server, for the audience `urn:tokenserver:admin`.

The same functions check them that every resource server uses, except that nothing is polled: the floor is read from the
credential's row at each request, so that an ended token is refused at once.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from app.services.audit import STRANGER, Caller, Folding
from app.services.keys import SigningKeys
from app.services.standing import refuse_ended
from app.settings import Settings
from app.store import Store
from tokenserver.clock import Clock
from tokenserver.domain.audit import Entry, Event
from tokenserver.domain.names import ADMIN_AUDIENCE
from tokenserver.domain.operators import READ_ALL, WRITE_ALL
from tokenserver.errors import AddressRefused, InsufficientScope, InvalidToken, MissingToken, NotFound, Refused
from tokenserver.tokens.claims import AccessClaims
from tokenserver.tokens.verification import read_token


@dataclass(frozen=True, slots=True)
class Wanted:
    """A scope of the admin API, or `own`, with which operators do the same with their personal credentials."""

    scope: str
    own: str | None = None


class Admission:
    def __init__(self, store: Store, keys: SigningKeys, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._issuer = settings.issuer
        self._clock = clock
        self._folding = Folding()
        self._lock = threading.Lock()

    def admit(
        self, unverified_token: str | None, wanted: Wanted, address: str, request_id: str, elsewhere: str | None = None
    ) -> Caller:
        """The caller behind a live token that carries what is wanted; raises a Refused that names what is wrong.

        `elsewhere` is the organization in which a platform admin acts, if not their own.
        """
        claims: AccessClaims | None = None
        try:
            if unverified_token is None:
                raise MissingToken
            claims = self._read(unverified_token)
            operator_id = self._refuse(claims, wanted, address, elsewhere)
        except Refused as refusal:
            if unverified_token is not None:
                self._record(claims, refusal, address, request_id)
            raise
        return Caller(
            actor=f"credential:{claims.client_id}" if operator_id is None else f"operator:{operator_id}",
            organization_id=elsewhere or claims.organization,
            scopes=claims.scopes,
            address=address,
            request_id=request_id,
            claims=claims,
            operator_id=operator_id,
            only_own=wanted.scope not in claims.scopes,
        )

    def _read(self, unverified_token: str) -> AccessClaims:
        key_of = self._keys.ring().believed.get
        return read_token(unverified_token, key_of, issuer=self._issuer, audience=ADMIN_AUDIENCE)

    def _refuse(self, claims: AccessClaims, wanted: Wanted, address: str, elsewhere: str | None) -> str | None:
        """Returns the operator whose personal credential it is."""
        now = self._clock()
        with self._store.reading() as tx:
            owner_id = refuse_ended(tx, claims, now).owner_id
            there = elsewhere is None or tx.organizations.get(elsewhere) is not None
            allowed = claims.allowed_ips
            if claims.allowed_ips_sha256 is not None:
                allowed = tx.networks.get(claims.allowed_ips_sha256)
                if allowed is None:
                    raise InvalidToken(detail="unknown network list")
        if allowed is not None and not allowed.admits(address):
            raise AddressRefused
        if wanted.scope not in claims.scopes and (owner_id is None or wanted.own not in claims.scopes):
            raise InsufficientScope
        if elsewhere not in {None, claims.organization}:
            everywhere = READ_ALL if wanted.scope.endswith(":read") else WRITE_ALL
            if not there or everywhere not in claims.scopes:
                raise NotFound("There is no organization with this ID.")
        return owner_id

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

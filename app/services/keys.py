"""Which key signs now, and which keys are published?

A key signs from its `active_from` on, until a newer one does. It stays published for the longest token lifetime after
that, so that every token it signed can be checked to its end. `rotate` publishes the new key at once and lets it sign
`JWKS_MAX_AGE` later, when every resource server has fetched it (K12). `revoke` withdraws a key in an emergency: it
leaves the key set, and the feed names it, so that every token it signed dies within the feed interval.

Each node re-reads the keys every few seconds; nothing on the way to a token asks the database for them.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from app.services.audit import Caller
from app.settings import InvalidSettings, Settings
from app.store import Store, Transaction
from app.store.sealing import CannotUnseal, Sealer
from app.store.signing_keys import StoredKey
from tokenserver.clock import Clock, monotonic
from tokenserver.domain.audit import Event
from tokenserver.domain.restrictions import LONGEST_LIFETIME
from tokenserver.errors import Conflict, NotFound
from tokenserver.tokens.claims import ACCESS_TOKEN
from tokenserver.tokens.jws import Signer
from tokenserver.tokens.keys import SigningKey, VerifyingKey, new_signing_key, signing_key_from_der, verifying_key
from tokenserver.tokens.statements import GENERATIONS

JWKS_MAX_AGE = 300
_FRESH_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Ring:
    """The keys as this node knows them: what signs, what is believed, what is published, what is revoked."""

    access: Signer
    statement: Signer
    believed: Mapping[str, VerifyingKey]
    revoked: tuple[str, ...]
    read_at: float = field(default_factory=monotonic)


class SigningKeys:
    def __init__(self, store: Store, sealer: Sealer, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._sealer = sealer
        self._alg = settings.signing_alg
        self._clock = clock
        self._lock = threading.Lock()
        self._ring: Ring | None = None
        self._opened: dict[str, SigningKey] = {}

    def ring(self) -> Ring:
        """The keys, at most a few seconds old; a database that is away leaves us with the last ones known."""
        ring = self._ring
        if ring is not None and monotonic() - ring.read_at < _FRESH_SECONDS:
            return ring
        with self._lock:
            if self._ring is None or monotonic() - self._ring.read_at >= _FRESH_SECONDS:
                self._ring = self._read()
            return self._ring

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public key set (RFC 7517 §5)."""
        return {"keys": [dict(key.jwk) for key in self.ring().believed.values()]}

    def make_first(self, tx: Transaction, caller: Caller, now: float) -> None:
        """A key to start with, where there is none."""
        if not tx.keys.all():
            self._add(tx, new_signing_key(self._alg), now, active_from=int(now))
            tx.audit.append(caller.did(Event.SIGNING_KEY_CREATED, now, alg=self._alg))

    def list(self) -> list[StoredKey]:
        with self._store.reading() as tx:
            return tx.keys.all()

    def rotate(self, caller: Caller, key: SigningKey | None = None, *, at_once: bool = False) -> str:
        """A new key, published now, signing `JWKS_MAX_AGE` later or at once. Returns its `kid`."""
        now = self._clock()
        key = key or new_signing_key(self._alg)
        active_from = int(now) + (0 if at_once else JWKS_MAX_AGE)
        with self._store.writing() as tx:
            if any(stored.kid == key.kid for stored in tx.keys.all()):
                raise Conflict("This signing key is there already.")
            self._add(tx, key, now, active_from)
            tx.audit.append(caller.did(Event.SIGNING_KEY_ROTATED, now, kid=key.kid, alg=key.alg))
        self._ring = None
        return key.kid

    def revoke(self, caller: Caller, kid: str) -> None:
        """Withdraw a key and every token it signed. The key that signs is replaced in the same transaction."""
        now = self._clock()
        with self._store.writing() as tx:
            keys = tx.keys.all()
            found = next((key for key in keys if key.kid == kid), None)
            if found is None or found.revoked_at is not None:
                raise NotFound("There is no signing key with this ID that could be revoked.")
            tx.keys.revoke(kid, int(now))
            if not any(k.kid != kid and k.revoked_at is None and k.active_from <= now for k in keys):
                self._add(tx, new_signing_key(self._alg), now, active_from=int(now))
            tx.feed.tell_revoked_key(caller.organization_id, kid, now)
            tx.audit.append(caller.did(Event.SIGNING_KEY_REVOKED, now, kid=kid))
        self._ring = None

    def _add(self, tx: Transaction, key: SigningKey, now: float, active_from: int) -> None:
        tx.keys.add(
            StoredKey(
                kid=key.kid,
                alg=key.alg,
                jwk=dict(key.verifying.jwk),
                sealed=self._sealer.seal(key.to_der(), f"signing-key:{key.kid}"),
                created_at=int(now),
                active_from=active_from,
            )
        )
        tx.keys.retire_all_but(key.kid, active_from)

    def _read(self) -> Ring:
        now = self._clock()
        with self._store.reading() as tx:
            stored = tx.keys.all()
        live = [key for key in stored if key.revoked_at is None]
        signing = [key for key in live if key.active_from <= now]
        if not signing:
            raise InvalidSettings("There is no signing key yet: run python -m app bootstrap.")
        active = self._open(signing[-1])
        published = [k for k in live if k.retired_at is None or k.retired_at + LONGEST_LIFETIME + JWKS_MAX_AGE > now]
        believed = {key.kid: key for key in map(verifying_key, (k.jwk for k in published)) if key is not None}
        return Ring(
            access=Signer(active, ACCESS_TOKEN),
            statement=Signer(active, GENERATIONS),
            believed=believed,
            revoked=tuple(key.kid for key in stored if key.revoked_at is not None),
        )

    def _open(self, stored: StoredKey) -> SigningKey:
        opened = self._opened.get(stored.kid)
        if opened is None:
            try:
                der = self._sealer.unseal(stored.sealed, f"signing-key:{stored.kid}")
            except CannotUnseal:
                raise InvalidSettings(
                    "The signing key cannot be unsealed: the key-encryption key (TOKENSERVER_KEK, or the file kek)"
                    " is not the one it was sealed with. Restore it."
                ) from None
            opened = self._opened[stored.kid] = signing_key_from_der(der)
        return opened

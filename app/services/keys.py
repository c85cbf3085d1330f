"""Which key signs now, and which keys are published?

A key signs from its `active_from` on, until a newer one does (one that is revoked before its time never does). It
stays published for the longest token lifetime after that, so that every token it signed can be checked to its end.
`rotate` publishes the new key at once and lets it sign `JWKS_MAX_AGE` later, when every resource server has fetched
it (K12). `revoke` withdraws a key in an emergency: it leaves the key set, and the feed names it, so that every token
it signed dies within the feed interval.

Each node re-reads the keys once a second, and at once when the feed tells of a revocation; nothing on the way to a
token asks the database for them.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from app.services.audit import Caller
from app.services.standing import changing
from app.settings import Settings
from app.store import Store, Transaction
from app.store.database import StoreUnavailable
from app.store.sealing import CannotUnseal, Sealer
from app.store.signing_keys import StoredKey
from tokenserver.clock import Clock, monotonic
from tokenserver.domain.audit import Event
from tokenserver.domain.restrictions import LONGEST_LIFETIME
from tokenserver.errors import Conflict, NotFound, Unavailable
from tokenserver.tokens.claims import ACCESS_TOKEN
from tokenserver.tokens.jws import Signer
from tokenserver.tokens.keys import SigningKey, VerifyingKey, new_signing_key, signing_key_from_der, verifying_key
from tokenserver.tokens.statements import GENERATIONS

JWKS_MAX_AGE = 300
NEVER = math.inf
_FRESH_SECONDS = 1.0


class NoUsableKey(Unavailable):
    """What the operator has to do is in `detail`, and no business of the caller's."""


@dataclass(frozen=True, slots=True)
class Ring:
    """The keys as this node knows them: what signs, what is believed, what is published, what is revoked."""

    access: Signer
    statement: Signer
    believed: Mapping[str, VerifyingKey]
    revoked: tuple[str, ...]
    read_at: float = field(default_factory=monotonic)


class KeyState(StrEnum):
    """`waiting`: published, and signs later; `kept`: signs no more, and is published while a token of it may live."""

    WAITING = "waiting"
    SIGNS = "signs"
    KEPT = "kept"
    OVER = "over"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class KeyView:
    """A key and how it stands. `ends_at` is when it stops signing, where another one is to follow it."""

    key: StoredKey
    state: KeyState
    ends_at: int | None


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
        if ring is not None and _is_fresh(ring):
            return ring
        with self._lock:
            ring = self._ring
            if ring is None:
                ring = self._ring = self._read()
            elif not _is_fresh(ring):
                try:
                    ring = self._ring = self._read()
                except StoreUnavailable:
                    ring = self._ring = replace(ring, read_at=monotonic())
            return ring

    def read_anew(self) -> Ring:
        """The keys as they are now: for whoever knows that they have changed."""
        with self._lock:
            self._ring = None
        return self.ring()

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public key set (RFC 7517 §5)."""
        return {"keys": [dict(key.jwk) for key in self.ring().believed.values()]}

    def refuse_unless_opened(self, tx: Transaction) -> None:
        """Raise InvalidSettings when the newest key cannot be unsealed, before another is sealed beside it."""
        for stored in tx.keys.all()[-1:]:
            self._open(stored)

    def make_first(self, tx: Transaction, caller: Caller, now: float) -> None:
        """A key to start with, where there is none."""
        if not tx.keys.all():
            self._add(tx, new_signing_key(self._alg), now, active_from=int(now))
            tx.audit.append(caller.did(Event.SIGNING_KEY_CREATED, now, alg=self._alg))

    def list(self) -> list[StoredKey]:
        with self._store.reading() as tx:
            return tx.keys.all()

    def views(self) -> Sequence[KeyView]:
        """Every key there ever was and how it stands, the newest first."""
        keys, now = self.list(), self._clock()
        signing = signing_at(keys, now) or _next(keys, now)
        published = {key.kid for key in published_at(keys, now)}
        ends = _ends(keys)
        return [
            KeyView(key, _state(key, now, signs=key == signing, is_published=key.kid in published), ends.get(key.kid))
            for key in reversed(keys)
        ]

    def rotate(self, caller: Caller, key: SigningKey | None = None, *, at_once: bool = False) -> str:
        """A new key, published now, signing `JWKS_MAX_AGE` later or at once. Returns its `kid`."""
        key = key or new_signing_key(self._alg)
        with changing(self._store, caller, self._clock) as (tx, now):
            active_from = int(now) + (0 if at_once else JWKS_MAX_AGE)
            if any(stored.kid == key.kid for stored in tx.keys.all()):
                raise Conflict("This signing key is there already.")
            self._add(tx, key, now, active_from)
            tx.audit.append(caller.did(Event.SIGNING_KEY_ROTATED, now, kid=key.kid, alg=key.alg))
        self.read_anew()
        return key.kid

    def revoke(self, caller: Caller, kid: str) -> None:
        """Withdraw a key and every token it signed. The key that signs is replaced in the same transaction."""
        with changing(self._store, caller, self._clock) as (tx, now):
            keys = tx.keys.all()
            found = next((key for key in keys if key.kid == kid), None)
            if found is None or found.revoked_at is not None:
                raise NotFound("There is no signing key with this ID that could be revoked.")
            tx.keys.revoke(kid, int(now))
            if signing_at(tx.keys.all(), now) is None:
                self._add(tx, new_signing_key(self._alg), now, active_from=int(now))
            tx.feed.tell_revoked_key(caller.organization_id, kid, now)
            tx.audit.append(caller.did(Event.SIGNING_KEY_REVOKED, now, kid=kid))
        self.read_anew()

    def _add(self, tx: Transaction, key: SigningKey, now: float, active_from: int) -> None:
        taken = {stored.active_from for stored in tx.keys.all() if stored.revoked_at is None}
        while active_from in taken:  # two keys of one second would have no order
            active_from += 1
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

    def _read(self) -> Ring:
        now = self._clock()
        with self._store.reading() as tx:
            stored = tx.keys.all()
        signing = signing_at(stored, now) or _next(stored, now)
        if signing is None:
            raise NoUsableKey(detail="There is no signing key yet: run python -m app bootstrap.")
        active = self._open(signing)
        published = published_at(stored, now)
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
                raise NoUsableKey(
                    detail="The signing key cannot be unsealed: the key-encryption key (TOKENSERVER_KEK, or the file"
                    " kek) is not the one it was sealed with. Restore it."
                ) from None
            opened = self._opened[stored.kid] = signing_key_from_der(der)
        return opened


def signing_at(keys: Sequence[StoredKey], now: float) -> StoredKey | None:
    """The key that signs at `now`, of all there ever were, oldest first; None if it was revoked, or there is none."""
    ends = _ends(keys)
    begun = (key for key in keys if key.active_from <= now < ends.get(key.kid, NEVER))
    return next((key for key in begun if key.revoked_at is None), None)


def _next(keys: Sequence[StoredKey], now: float) -> StoredKey | None:
    """The next key that will sign: the clock was set back to before there was any. It is published already."""
    return next((key for key in keys if key.revoked_at is None and now < key.active_from), None)


def published_at(keys: Sequence[StoredKey], now: float) -> list[StoredKey]:
    """The keys that are in the key set at `now`: what signs, what will, and what may have signed a token that lives."""
    ends = _ends(keys)
    kept = LONGEST_LIFETIME + JWKS_MAX_AGE
    return [key for key in keys if key.revoked_at is None and now < ends.get(key.kid, NEVER) + kept]


def _ends(keys: Sequence[StoredKey]) -> dict[str, int]:
    """When each key stops signing: when the next one begins. One that is revoked before its time never begins."""
    ends: dict[str, int] = {}
    following: int | None = None
    for key in reversed(keys):
        if following is not None:
            ends[key.kid] = following
        if key.revoked_at is None or key.revoked_at > key.active_from:
            following = key.active_from
    return ends


def _state(key: StoredKey, now: float, *, signs: bool, is_published: bool) -> KeyState:
    if key.revoked_at is not None:
        return KeyState.REVOKED
    if signs:
        return KeyState.SIGNS
    if now < key.active_from:
        return KeyState.WAITING
    return KeyState.KEPT if is_published else KeyState.OVER


def _is_fresh(ring: Ring) -> bool:
    return monotonic() - ring.read_at < _FRESH_SECONDS

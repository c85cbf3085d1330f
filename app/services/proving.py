"""Is it the credential that it says it is? One proof, at every door that takes a client ID and a secret.

Strangers learn nothing: an unknown client costs the same look-up, the same HMAC and the same comparison as a wrong
secret, and gets the same answer. `authenticate` is that proof. `Proving` is all there is to do where no token is issued
(introspection, revocation): it only reads, so that a stranger never takes the turn to write; who fails waits as at the
token endpoint, and leaves a folded audit line.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from app.services.audit import STRANGER, Folding
from app.services.granted import Granted
from app.services.limits import Limits
from app.store import Store, Transaction
from app.store.high_water import HighWater
from app.store.issuing import Known, ProvingStore
from tokenserver.clock import Clock, no_earlier
from tokenserver.domain.audit import Entry, Event
from tokenserver.domain.catalogue import Catalogue
from tokenserver.domain.credential import CredentialSecret
from tokenserver.domain.grant import refuse_address, refuse_ended
from tokenserver.domain.secret import Pepper, Secret, digest, is_secret_of, looks_like_client_id, looks_like_secret
from tokenserver.errors import InvalidClient, Refused

Found = TypeVar("Found")

NOT_PROVEN = frozenset({"malformed", "not proven"})
_STRANGERS = {*NOT_PROVEN, "too many failures"}
_DECOY = (CredentialSecret("", bytes(32), "", "", 0),)


class Asking(Protocol):
    """What every request that proves a secret says of itself. `address` is empty when it is unknown."""

    @property
    def client_id(self) -> str: ...
    @property
    def secret(self) -> Secret: ...
    @property
    def address(self) -> str: ...
    @property
    def request_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Proof:
    """What a caller sent to prove itself; nothing of it is proven."""

    client_id: str
    secret: Secret
    address: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Proven:
    """A credential that has proven its secret, and may be used now and from there; `scopes` by audience."""

    client_id: str
    organization_id: str
    scopes: Mapping[str, frozenset[str]]


def authenticate(
    asked: Asking, known: Known | None, peppers: Sequence[Pepper], now: float
) -> tuple[Known, CredentialSecret, bytes]:
    """The credential whose secret was proven, which of its secrets, and the digest of that under the present pepper;
    the same work whoever asks. Raises InvalidClient.
    """
    if not looks_like_secret(asked.secret.reveal()):
        raise InvalidClient(detail="malformed")
    computed = {p.id: digest(asked.client_id, asked.secret.reveal(), p) for p in peppers}
    proven = None
    for secret in known.secrets if known is not None else _DECOY:
        matches = is_secret_of(secret.digest, computed.get(secret.pepper_id, b""))
        if matches and secret.works_at(now):
            proven = secret
    if known is None or proven is None:
        raise InvalidClient(detail="not proven")
    return known, proven, computed[peppers[0].id]


def refused_entry(event: Event, asked: Asking, known: Known | None, refusal: Refused, now: float) -> Entry:
    """Names the credential only if there is one by that name: what a stranger typed is not recorded."""
    return Entry(
        event=event,
        at=now,
        actor=STRANGER if refusal.detail in _STRANGERS else f"credential:{asked.client_id}",
        organization=known.organization.id if known is not None else "",
        credential=asked.client_id if known is not None else "",
        address=asked.address,
        request_id=asked.request_id,
        outcome="refused",
        detail={"error": refusal.code, "reason": refusal.detail or refusal.public},
    )


class Proving:
    """One for each door, whose refusals are `refused` in the audit log."""

    def __init__(
        self,
        store: Store,
        high_water: HighWater,
        peppers: Sequence[Pepper],
        clock: Clock,
        *,
        limits: Limits,
        refused: Event,
    ) -> None:
        self._store = store
        self._rows = ProvingStore(store, high_water)
        self._peppers = tuple(peppers)
        self._clock = clock
        self._limits = limits
        self._refused = refused
        self._granted = Granted(store)
        self._folding = Folding()
        self._lock = threading.Lock()

    def prove(self, asked: Proof, then: Callable[[Transaction, Proven], Found]) -> Found:
        """What `then` finds for a proven caller, in the same transaction, which only reads.

        Raises Refused, in the words of the token endpoint, or Unavailable.
        """
        self.turn_away_hasty(asked)
        known: Known | None = None
        try:
            now = self._clock()
            with self._store.reading() as tx:
                found, catalogue_version = self.known(tx, [asked], now)
                known = found.get(asked.client_id)
                return then(tx, self.proven(asked, known, catalogue_version, now))
        except Refused as refusal:
            self.refused(asked, known, refusal)
            raise

    # --- the steps of it, for who proves many at once ---------------------------------------------------------------

    def turn_away_hasty(self, asked: Proof) -> None:
        """Raise TooManyFailures for who has been wrong too often to be looked at."""
        self._limits.turn_away_hasty(asked.client_id, asked.address)

    def known(self, tx: Transaction, asked: Iterable[Proof], now: float) -> tuple[dict[str, Known], int]:
        """The credentials that are claimed, and the version of the catalogue."""
        claimed = {one.client_id if looks_like_client_id(one.client_id) else "" for one in asked}
        return self._rows.known(tx, sorted(claimed), now)

    def catalogue(self, organization_id: str, version: int) -> Catalogue:
        """The APIs that are in force in an organization."""
        return self._granted.catalogue(organization_id, version)

    def proven(self, asked: Proof, known: Known | None, catalogue_version: int, now: float) -> Proven:
        """The credential whose secret was proven, if it may be used now and from there; raises Refused."""
        moment = no_earlier(now, known.on_record) if known is not None else now
        known, _, _ = authenticate(asked, known, self._peppers, moment)
        self._limits.proven(asked.client_id, asked.address)
        refuse_ended(known.credential, known.organization, moment)
        refuse_address(known.credential.restrictions, asked.address)
        scopes = self._granted.scopes_of(known, catalogue_version)
        return Proven(asked.client_id, known.organization.id, scopes)

    def refused(self, asked: Proof, known: Known | None, refusal: Refused) -> None:
        """Count and record a refusal; may wait for the turn to write."""
        if refusal.detail in NOT_PROVEN:
            self._limits.failed(asked.client_id, asked.address)
        self._record(asked, known, refusal)

    def _record(self, asked: Proof, known: Known | None, refusal: Refused) -> None:
        claimed = asked.client_id if looks_like_client_id(asked.client_id) else ""
        entry = refused_entry(self._refused, asked, known, refusal, self._clock())
        with self._lock:
            entries = list(self._folding.fold(entry, claimed))
        if entries:
            with self._store.writing() as tx:
                tx.audit.append(*entries)

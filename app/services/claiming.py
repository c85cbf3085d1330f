"""How does an app get the new secret of a rotation on schedule? It proves the old one, and is told the new one.

The same proof, restrictions and words as at the token endpoint: strangers learn nothing, and only who has proven the
secret is told why a claim is refused. The first claim makes both secrets work (see `domain.rotation`). A reply can get
lost, so the claim may be repeated until the new secret has been used; whether it has is asked here as well, in the
transaction, since the clock's work looks only now and then.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from app.services.audit import STRANGER, Caller, Folding
from app.services.rotations import purpose_of
from app.services.saving import save_changes
from app.store import Store, Transaction
from app.store.rotations import Provable
from app.store.sealing import CannotUnseal, Sealer
from tokenserver.clock import Clock, no_earlier
from tokenserver.domain.audit import Entry, Event
from tokenserver.domain.credential import Credential, CredentialSecret, SecretState
from tokenserver.domain.grant import refuse_address, refuse_ended
from tokenserver.domain.rotation import claimed, handed_out
from tokenserver.domain.secret import Pepper, Secret, digest, is_secret_of, looks_like_client_id, looks_like_secret
from tokenserver.errors import InvalidClient, NotFound, Refused, Unavailable

_DECOY = (CredentialSecret("", bytes(32), "", "", 0),)


class NothingWaits(NotFound):
    code = "no_rotation"
    public = "No new secret waits to be claimed with this one."


@dataclass(frozen=True, slots=True)
class Claim:
    """What a caller sent; nothing of it is proven. `address` is empty when it is unknown."""

    client_id: str
    secret: Secret
    address: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """`grace_expires_at`: the old secret works until then at least, and longer if the new one is used later."""

    client_id: str
    secret: Secret
    grace_expires_at: int


class Claiming:
    def __init__(self, store: Store, sealer: Sealer, peppers: Sequence[Pepper], clock: Clock) -> None:
        self._store = store
        self._sealer = sealer
        self._peppers = tuple(peppers)
        self._clock = clock
        self._folding = Folding()
        self._lock = threading.Lock()

    def claim(self, asked: Claim) -> Claimed:
        """The new secret; raises NothingWaits, another Refused, or Unavailable."""
        known: Provable | None = None
        try:
            with self._store.reading() as tx:  # a stranger never takes the turn to write
                known = self._known(tx, asked)
                self._authenticate(tx, known, asked)
            with self._store.writing() as tx:
                return self._claim(tx, asked)
        except NothingWaits:
            raise
        except Refused as refusal:
            self._record(asked, known, refusal)
            raise

    def _claim(self, tx: Transaction, asked: Claim) -> Claimed:
        now = self._clock()
        known, secret, moment = self._authenticate(tx, self._known(tx, asked), asked)  # 1. who is asking
        credential = tx.credentials.get(known.organization_id, asked.client_id)
        organization = tx.organizations.get(known.organization_id)
        if credential is None or organization is None:
            raise InvalidClient(detail="not proven")
        refuse_ended(credential, organization, moment)  # 2. may they
        refuse_address(credential.restrictions, asked.address)
        found = tx.rotations.get(asked.client_id)  # 3. is there something for them
        if found is None or not _is_for(credential, secret) or tx.rotations.used([found[0].secret_id]):
            raise NothingWaits
        rotation, sealed = found
        new = self._unsealed(sealed, asked.client_id, rotation.secret_id)
        self._remember(tx, asked, credential, now)  # 4. say so, and hand it out
        tx.rotations.save_all([handed_out(rotation, now)])
        return Claimed(asked.client_id, new, math.ceil(now) + rotation.grace_seconds)

    def _known(self, tx: Transaction, asked: Claim) -> Provable | None:
        return tx.rotations.provable(asked.client_id) if looks_like_client_id(asked.client_id) else None

    def _authenticate(
        self, tx: Transaction, known: Provable | None, asked: Claim
    ) -> tuple[Provable, CredentialSecret, float]:
        """What was proven and the moment that counts; the same work whoever asks."""
        if not looks_like_secret(asked.secret.reveal()):
            raise InvalidClient(detail="malformed")
        computed = {p.id: digest(asked.client_id, asked.secret.reveal(), p) for p in self._peppers}
        proven = None
        for secret in known.secrets if known is not None else _DECOY:
            if is_secret_of(secret.digest, computed.get(secret.pepper_id, b"")):
                proven = secret
        if known is None or proven is None:
            raise InvalidClient(detail="not proven")
        moment = no_earlier(self._clock(), tx.rotations.on_record(known.organization_id))
        if not proven.works_at(moment):
            raise InvalidClient(detail="not proven")
        return known, proven, moment

    def _unsealed(self, sealed: bytes, client_id: str, secret_id: str) -> Secret:
        try:
            return Secret(self._sealer.unseal(sealed, purpose_of(client_id, secret_id)).decode())
        except CannotUnseal:
            raise Unavailable(detail="the waiting secret was sealed under another key-encryption key") from None

    def _remember(self, tx: Transaction, asked: Claim, credential: Credential, now: float) -> None:
        caller = Caller(
            f"credential:{asked.client_id}",
            credential.organization_id,
            address=asked.address,
            request_id=asked.request_id,
        )
        if credential.waiting is None:
            tx.audit.append(caller.did(Event.ROTATION_CLAIMED, now, asked.client_id, again=True))
        else:
            save_changes(tx, caller, Event.ROTATION_CLAIMED, [(credential, claimed(credential, now))], now)

    def _record(self, asked: Claim, known: Provable | None, refusal: Refused) -> None:
        """Names the credential only if there is one by that name: what a stranger typed is not recorded."""
        entry = Entry(
            event=Event.ROTATION_REFUSED,
            at=self._clock(),
            actor=STRANGER if refusal.detail in {"malformed", "not proven"} else f"credential:{asked.client_id}",
            organization="" if known is None else known.organization_id,
            credential="" if known is None else asked.client_id,
            address=asked.address,
            request_id=asked.request_id,
            outcome="refused",
            detail={"error": refusal.code, "reason": refusal.detail or refusal.public},
        )
        claimed_id = asked.client_id if looks_like_client_id(asked.client_id) else ""
        with self._lock:
            entries = list(self._folding.fold(entry, claimed_id))
        if entries:
            with self._store.writing() as tx:
                tx.audit.append(*entries)


def _is_for(credential: Credential, proven: CredentialSecret) -> bool:
    """Whether what was proven is the old secret: the new one, once claimed, claims nothing."""
    if credential.waiting is not None:
        return proven.state is SecretState.CURRENT
    return proven.state is SecretState.RETIRING and proven.expires_at is None

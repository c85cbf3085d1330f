"""Who found a secret of ours? Whoever shows one proves that others may know it: its credential's secrets end at once.

Nobody gets a new secret here: the credential has none that works until an operator regenerates it. Both secrets of a
rotation end, as with *regenerate*, since where one was kept the other often is. A secret that had ended before changes
nothing, and so does one of a credential that has ended for good.

A secret is found by its fingerprint, whoever reports it and whatever they do not know. A secret from before there were
fingerprints is found where its client ID is told as well; it gets one when it is used under another pepper.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from app.services.audit import STRANGER, Caller
from app.services.feed import Feed
from app.services.saving import save_changes
from app.store import Store, Transaction
from app.store.secrets import Holder
from tokenserver.clock import Clock
from tokenserver.domain.audit import Event
from tokenserver.domain.credential import Credential, SecretState, Status
from tokenserver.domain.secret import (
    SECRET_PREFIX,
    Pepper,
    Secret,
    digest,
    fingerprint,
    is_secret_of,
    looks_like_client_id,
    looks_like_secret,
)

LEAKED = "credential.secret_leaked"
"""What webhooks are told."""
_URL = re.compile(r"https?://[\x21-\x7e]{1,2000}\Z")
_SOURCE = re.compile(r"[A-Za-z0-9_ .-]{1,64}\Z")


@dataclass(frozen=True, slots=True)
class LeakReport:
    """A secret, and what its finder says of the place. Nothing of it is proven but that the secret is known."""

    secret: Secret
    client_id: str = ""
    url: str = ""
    source: str = ""


class Leaks:
    def __init__(self, store: Store, feed: Feed, peppers: Sequence[Pepper], clock: Clock) -> None:
        self._store = store
        self._feed = feed
        self._peppers = tuple(peppers)
        self._clock = clock

    def report(self, leak: LeakReport, address: str, request_id: str) -> bool:
        """Whether the secret is or was one of ours; it works no more when this returns."""
        if not looks_like_secret(leak.secret.reveal()):
            return False
        with self._store.reading() as tx:
            holder = self._holder(tx, leak)
        if holder is None:
            return False
        with self._store.writing() as tx:
            ended = self._end(tx, holder, leak, address, request_id)
        if ended:
            self._feed.changed()
        return True

    def _holder(self, tx: Transaction, leak: LeakReport) -> Holder | None:
        text = leak.secret.reveal()
        found = tx.secrets.holders([fingerprint(text, pepper) for pepper in self._peppers])
        if looks_like_client_id(leak.client_id):
            found += tx.secrets.holders_of(leak.client_id)
        for holder in found:
            for pepper in self._peppers:
                if holder.secret.pepper_id == pepper.id and is_secret_of(
                    holder.secret.digest, digest(holder.client_id, text, pepper)
                ):
                    return holder
        return None

    def _end(self, tx: Transaction, holder: Holder, leak: LeakReport, address: str, request_id: str) -> bool:
        now = self._clock()
        before = tx.credentials.get(holder.organization_id, holder.client_id)
        if before is None or not _works(before, holder.secret.id, now):
            return False
        after = before.leaked(now)
        reporter = Caller(STRANGER, holder.organization_id, address=address, request_id=request_id)
        place = {"url": _told(_URL, leak.url, leak), "source": _told(_SOURCE, leak.source, leak)}
        save_changes(tx, reporter, Event.SECRET_LEAKED, [(before, after)], now, secret=holder.secret.id, **place)
        told = {"client_id": before.client_id, "name": before.name, "secret_id": holder.secret.id}
        tx.outbox.owe(holder.organization_id, LEAKED, {**told, "hint": holder.secret.hint, **place}, now)
        return True


def _works(credential: Credential, secret_id: str, now: float) -> bool:
    """Whether anybody could use it, now or once the credential is enabled."""
    if credential.status(now) is Status.REVOKED or credential.has_expired(now):
        return False
    return any(s.id == secret_id and s.state_at(now) is not SecretState.ENDED for s in credential.secrets)


def _told(form: re.Pattern[str], text: str, leak: LeakReport) -> str:
    """What a stranger says, where it has the right form and no secret in it; else nothing."""
    plain = unquote(text)
    hides = SECRET_PREFIX in plain or leak.secret.reveal().removeprefix(SECRET_PREFIX) in plain
    return text if form.match(text) is not None and not hides else ""

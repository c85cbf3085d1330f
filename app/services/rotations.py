"""What does the clock's work do about rotations on schedule? Prepares what is due, looks after what is under way.

The rules are in `domain.rotation`. Each step is one transaction with its audit line and its event; what it is about is
read in that transaction, so that a step that another process has done, or that was cut short, is not done twice. The
new secret is made and sealed before, outside of the turn to write; it is in no event: those name the address where the
app claims it (`claiming`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.services.audit import Caller
from app.services.feed import Feed
from app.services.ids import new_id
from app.services.pace import Pace
from app.services.saving import save_changes
from app.settings import Settings
from app.store import Store, Transaction
from app.store.outbox import Owed
from app.store.sealing import Sealer
from tokenserver.clock import HOUR, monotonic, rfc3339
from tokenserver.domain.audit import Event
from tokenserver.domain.credential import Credential, CredentialSecret
from tokenserver.domain.rotation import (
    Rotation,
    Step,
    abandoned,
    begun,
    completed,
    is_due,
    next_step,
    prepared,
    stepped,
    withdrawn,
)
from tokenserver.domain.secret import Pepper, digest, fingerprint, hint, new_secret
from tokenserver.errors import Unavailable

log = logging.getLogger("tokenserver.rotations")

CLAIM_PATH = "/oauth/rotation/claim"
DUE, UNCLAIMED, FAILED = "credential.rotation_due", "credential.rotation_unclaimed", "credential.rotation_failed"
PUT_OFF_SECONDS = HOUR
SCHEDULE = "schedule"
"""The actor of what the clock does."""

Changes = dict[Event, list[tuple[Credential, Credential]]]

_AUDITED = {
    Step.REMIND: Event.ROTATION_REMINDED,
    Step.EXTEND: Event.ROTATION_EXTENDED,
    Step.ALERT: Event.ROTATION_UNUSED,
    Step.WITHDRAW: Event.ROTATION_WITHDRAWN,
    Step.COMPLETE: Event.ROTATION_COMPLETED,
    Step.ABANDON: Event.SCHEDULE_ENDED,
}
_TOLD = {Step.REMIND: UNCLAIMED, Step.EXTEND: UNCLAIMED, Step.ALERT: FAILED, Step.WITHDRAW: FAILED}


@dataclass(frozen=True, slots=True)
class _New:
    """A secret that nobody has seen: as it is remembered, and under seal."""

    kept: CredentialSecret
    sealed: bytes


class Rotations:
    def __init__(self, store: Store, feed: Feed, sealer: Sealer, pepper: Pepper, settings: Settings) -> None:
        self._store = store
        self._feed = feed
        self._sealer = sealer
        self._pepper = pepper
        self._claim_url = settings.issuer + CLAIM_PATH
        self._preparing, self._looking = Pace(), Pace()
        self._looked_up_to = 0.0

    def work(self, now: float) -> int:
        """One turn to write for each of the two; how many credentials it was about."""
        return self._look(now) + self._prepare(now)

    def under_way(self, caller: Caller, client_id: str) -> Rotation | None:
        """The rotation on schedule of a credential that the caller may see, while its end is not set."""
        with self._store.reading() as tx:
            found = tx.rotations.get(client_id)
        return None if found is None or found[0].organization_id != caller.organization_id else found[0]

    @property
    def held(self) -> float:
        """For how many seconds the turn to write was held, in all."""
        return self._preparing.held + self._looking.held

    def _prepare(self, now: float) -> int:
        with self._store.reading() as tx:
            due = tx.rotations.due(now, self._preparing.size)
        if due:
            self._each_if_not_all(due, lambda some: self._prepare_some(some, now), now)
        return len(due)

    def _prepare_some(self, due: Sequence[str], now: float) -> None:
        new = {client_id: self._new(client_id, now) for client_id in due}
        with self._store.writing() as tx:
            began = monotonic()
            self._prepare_in(tx, new, now)
        self._preparing.took(monotonic() - began, len(due))

    def _each_if_not_all(self, client_ids: Sequence[str], do: Callable[[Sequence[str]], None], now: float) -> None:
        """One that cannot be done, whatever the reason, keeps nobody else from their turn, and is put off."""
        try:
            do(client_ids)
        except Unavailable:
            raise
        except Exception:
            if len(client_ids) == 1:
                log.exception("a rotation cannot be worked on and is put off", extra={"credential": client_ids[0]})
                with self._store.writing() as tx:
                    tx.rotations.put_off(client_ids[0], int(now) + PUT_OFF_SECONDS)
                return
            for client_id in client_ids:
                self._each_if_not_all([client_id], do, now)

    def _prepare_in(self, tx: Transaction, new: Mapping[str, _New], now: float) -> None:
        changes: Changes = {}
        begun_with: list[tuple[Rotation, bytes]] = []
        owed: list[Owed] = []
        for before in tx.credentials.of(list(new)).values():
            if before.schedule is None or not is_due(before, now):
                continue  # somebody was faster
            one = new[before.client_id]
            after = prepared(before, one.kept, now)
            if after.waiting is None:
                event = Event.SCHEDULE_ENDED if after.schedule is None else Event.SCHEDULE_POSTPONED
            else:
                event = Event.ROTATION_PREPARED
                rotation = begun(after, one.kept.id, before.schedule, now)
                begun_with.append((rotation, one.sealed))
                owed.append(self._owed(DUE, rotation, after))
            changes.setdefault(event, []).append((before, after))
        save_grouped(tx, changes, now)
        tx.rotations.add_all(begun_with)
        tx.outbox.owe_all(owed, now)

    def _new(self, client_id: str, now: float) -> _New:
        secret, secret_id = new_secret(), new_id("sec")
        kept = CredentialSecret(
            id=secret_id,
            digest=digest(client_id, secret.reveal(), self._pepper),
            fingerprint=fingerprint(secret.reveal(), self._pepper),
            pepper_id=self._pepper.id,
            hint=hint(secret),
            created_at=int(now),
        )
        return _New(kept, self._sealer.seal(secret.reveal().encode(), purpose_of(client_id, secret_id)))

    def _look(self, now: float) -> int:
        if now == self._looked_up_to:
            return 0
        with self._store.reading() as tx:
            found = [rotation.client_id for rotation in tx.rotations.to_look_at(now, self._looking.size)]
        if not found:
            self._looked_up_to = now
            return 0
        self._each_if_not_all(found, lambda some: self._look_at_some(some, now), now)
        self._feed.changed()
        return len(found)

    def _look_at_some(self, client_ids: Sequence[str], now: float) -> None:
        with self._store.writing() as tx:
            began = monotonic()
            self._look_in(tx, tx.rotations.to_look_at(now, len(client_ids), client_ids), now)
        self._looking.took(monotonic() - began, len(client_ids))

    def _look_in(self, tx: Transaction, rotations: Sequence[Rotation], now: float) -> None:
        found = tx.credentials.of([rotation.client_id for rotation in rotations])
        used = tx.rotations.used(rotation.secret_id for rotation in rotations)
        changes: Changes = {}
        moved: list[Rotation] = []
        owed: list[Owed] = []
        for rotation in rotations:
            before = found[rotation.client_id]
            step = next_step(rotation, before, used=rotation.secret_id in used, now=now)
            after, rotation_after = _changed(rotation, before, step, now), stepped(rotation, step, now)
            moved.append(rotation_after)
            if step in _TOLD:
                owed.append(self._owed(_TOLD[step], rotation_after, after))
            if step in _AUDITED:
                changes.setdefault(_AUDITED[step], []).append((before, after))
        tx.rotations.save_all(moved)
        save_grouped(tx, changes, now)
        tx.outbox.owe_all(owed, now)

    def _owed(self, type_: str, rotation: Rotation, credential: Credential) -> Owed:
        data: dict[str, Any] = {"client_id": credential.client_id, "name": credential.name}
        if type_ == FAILED:
            data["reason"] = "unclaimed" if rotation.claimed_at is None else "unused"
        else:
            data |= {"claim_url": self._claim_url, "claim_by": rfc3339(rotation.ends_at)}
        if type_ == UNCLAIMED:
            data |= {"claimed": rotation.claimed_at is not None, "extended": rotation.extended}
        return Owed(rotation.organization_id, type_, data)


def purpose_of(client_id: str, secret_id: str) -> str:
    """What is authenticated with a sealed secret: it opens in its own row only."""
    return f"rotation {client_id} {secret_id}"


def save_grouped(tx: Transaction, changes: Changes, now: float) -> None:
    """Each change under its event and in its organization; a pair that is the same twice is an audit line only."""
    for event, pairs in changes.items():
        for organization_id in dict.fromkeys(before.organization_id for before, _ in pairs):
            caller = Caller(SCHEDULE, organization_id)
            ours = [pair for pair in pairs if pair[0].organization_id == organization_id]
            changed = [(before, after) for before, after in ours if after is not before]
            if changed:
                save_changes(tx, caller, event, changed, now)
            lines = [caller.did(event, now, before.client_id) for before, after in ours if after is before]
            if lines:
                tx.audit.append(*lines)


def _changed(rotation: Rotation, credential: Credential, step: Step, now: float) -> Credential:
    if step is Step.COMPLETE:
        return completed(credential, now, rotation.grace_seconds)
    if step is Step.WITHDRAW:
        return withdrawn(credential, now)
    if step is Step.ABANDON:
        return abandoned(credential)
    return credential

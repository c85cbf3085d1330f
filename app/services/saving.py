"""What does every change of credentials leave behind? Rows, the floors that moved, audit lines; whoever makes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from app.services.audit import Caller, changes, schedule_shown
from app.store import Transaction
from tokenserver.domain.audit import Entry, Event
from tokenserver.domain.credential import Credential
from tokenserver.domain.liveness import reference


def save_changes(
    tx: Transaction,
    caller: Caller,
    event: Event,
    changed: Sequence[tuple[Credential, Credential]],
    now: float,
    **detail: str,
) -> dict[str, int]:
    """What every change of credentials does, before and after each: rows, floors that moved, audit lines; in this
    order. `detail` is told in the lines as well. By reference, the number of the last floor that was told.

    Each is told to its own organization, which is not the caller's where the platform takes away what it shared.
    """
    tx.credentials.save_all(changed)
    told = [
        (after.organization_id, reference(after.client_id), floor)
        for before, after in changed
        for floor in after.generation.floors_to_tell(before.generation, now)
    ]
    numbers = tx.feed.tell_all(told, now)
    callers = {after.organization_id: replace(caller, organization_id=after.organization_id) for _, after in changed}
    lines = []
    for before, after in changed:
        seq = numbers.get(reference(after.client_id))
        more: dict[str, object] = {**detail} if seq is None else {**detail, "feed_seq": seq}
        there = callers[after.organization_id]
        lines.append(there.did(event, now, after.client_id, changed=changes(before, after, now), **more))
        lines.extend(lines_of_schedule(there, before, after, now))
    tx.audit.append(*lines)
    return numbers


def lines_of_schedule(caller: Caller, before: Credential, after: Credential, now: float) -> Iterator[Entry]:
    """A line of its own where the schedule changed."""
    old, new = schedule_shown(before.schedule), schedule_shown(after.schedule)
    if old != new:
        changed = {"rotation_schedule": [old, new]}
        yield caller.did(Event.SCHEDULE_CHANGED, now, after.client_id, changed=changed)

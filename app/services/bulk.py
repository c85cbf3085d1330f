"""How are many credentials ended, rotated or enabled again at once? As one by one, in one transaction, or not at all.

A dry run tells what would happen to each, and changes nothing. What cannot be done to one (it has ended, or holds admin
scopes that the caller does not) is told with the others, and then nothing is done to any: an incident is no moment to
find out which half went through. Whoever means all but those leaves them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.services.audit import Caller
from app.services.credentials import Credentials, NewSecret
from app.services.feed import Feed
from app.services.saving import save_changes
from app.services.standing import changing
from app.services.terms import Reach
from app.store import Store, Transaction
from tokenserver.clock import Clock
from tokenserver.domain.audit import Event
from tokenserver.domain.credential import Credential
from tokenserver.domain.selection import Place, Selection
from tokenserver.errors import Conflict, Refused

MOST_AT_ONCE = 1000
NOT_THERE = "not_found"


class Action(StrEnum):
    DISABLE = "disable"
    ENABLE = "enable"
    REVOKE = "revoke"
    ROTATE = "rotate"


_EVENTS = {
    Action.DISABLE: Event.CREDENTIAL_DISABLED,
    Action.ENABLE: Event.CREDENTIAL_ENABLED,
    Action.REVOKE: Event.CREDENTIAL_REVOKED,
    Action.ROTATE: Event.SECRET_ROTATED,
}


class NotAll(Conflict):
    """`client_ids` are the first of those that it cannot be done to; `count` is how many there are."""

    code = "not_all"

    def __init__(self, client_ids: Sequence[str]) -> None:
        self.client_ids = list(client_ids[:100])
        self.count = len(client_ids)
        super().__init__(
            f"It cannot be done to some of them ({self.count}), so that nothing was done: leave them out, or see why"
            " with dry_run."
        )


class TooMany(Conflict):
    code = "too_many"
    public = f"More than {MOST_AT_ONCE} credentials are selected: select fewer at a time."


@dataclass(frozen=True, slots=True)
class Task:
    """What shall be done. `client_ids` or, where they are None, what `selection` selects.

    `in_parts`: where more are selected than can be changed at once, to the first of them `after` a place. `leaves_out`:
    those to which it cannot be done are told, and it is done to the others.
    """

    action: Action
    client_ids: tuple[str, ...] | None
    selection: Selection
    reason: str = ""
    grace_seconds: int = 0
    dry_run: bool = False
    in_parts: bool = False
    leaves_out: bool = False
    after: Place | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of one. `refusal` is the code of why not; `made` the new secret, of a rotation that was done."""

    client_id: str
    changes: bool = False
    refusal: str | None = None
    made: NewSecret | None = None


class Bulk:
    def __init__(self, store: Store, feed: Feed, credentials: Credentials, clock: Clock) -> None:
        self._store = store
        self._feed = feed
        self._credentials = credentials
        self._clock = clock

    def apply(self, caller: Caller, order: Task) -> list[Outcome]:
        """In the order of client IDs."""
        return self.part(caller, order)[0]

    def extent(self, caller: Caller, selection: Selection) -> tuple[int, Place | None]:
        """How many are selected, and the place before the first of them: whoever is made later is before it, where the
        newest are first.
        """
        now = self._clock()
        with self._store.reading() as tx:
            first = tx.credentials.page(caller.organization_id, selection, None, 1, now)
            count = tx.credentials.count(caller.organization_id, selection, now)
        if not first:
            return 0, None
        moment, client_id = first[0][1]
        return count, (moment, f"{client_id}_")

    def part(self, caller: Caller, order: Task) -> tuple[list[Outcome], Place | None]:
        """With the place after which to go on with the rest; None where there is none."""
        with changing(self._store, caller, self._clock) as (tx, now):
            found, rest = self._found(tx, caller, order, now)
            named = order.client_ids or ()
            missing = sorted(set(named) - {credential.client_id for credential in found})
            outcomes = [Outcome(client_id, refusal=NOT_THERE) for client_id in missing]
            changed: list[tuple[Credential, Credential]] = []
            reach = Reach(tx, caller)
            for credential in found:
                outcome, after = self._one(tx, reach, order, credential, now)
                outcomes.append(outcome)
                if outcome.changes:
                    changed.append((credential, after))
            refused = [outcome.client_id for outcome in outcomes if outcome.refusal is not None]
            if order.dry_run:
                return outcomes, rest
            if refused and not order.leaves_out:
                raise NotAll(refused)
            if changed:
                save_changes(tx, caller, _EVENTS[order.action], changed, now)
        self._feed.changed()
        return outcomes, rest

    @staticmethod
    def _found(tx: Transaction, caller: Caller, order: Task, now: float) -> tuple[list[Credential], Place | None]:
        rest = None
        if order.client_ids is not None:
            found = tx.credentials.some(caller.organization_id, order.client_ids)
        else:
            page = tx.credentials.page(caller.organization_id, order.selection, order.after, MOST_AT_ONCE + 1, now)
            if order.in_parts and len(page) > MOST_AT_ONCE:
                page = page[:MOST_AT_ONCE]
                rest = page[-1][1]
            found = sorted((credential for credential, _ in page), key=lambda credential: credential.client_id)
        if len(found) > MOST_AT_ONCE:
            raise TooMany
        return found, rest

    def _one(
        self, tx: Transaction, reach: Reach, order: Task, before: Credential, now: float
    ) -> tuple[Outcome, Credential]:
        made = None
        try:
            reach.refuse_beyond(before.restrictions)
            match order.action:
                case Action.DISABLE:
                    after = before.disabled(now)
                case Action.ENABLE:
                    after = before.enabled(now)
                case Action.REVOKE:
                    after = before.revoked(now, order.reason)
                case Action.ROTATE:
                    after, made = self._credentials.rotated_in(tx, before, order.grace_seconds, now)
        except Refused as refusal:
            return Outcome(before.client_id, refusal=refusal.code), before
        return Outcome(before.client_id, after is not before, made=None if order.dry_run else made), after

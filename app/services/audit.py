"""Who did what? How use cases word their audit lines.

A line of a change says what changed from what to what, never a secret. Refusals of strangers are folded, so that
nobody fills the disk from outside: per address (IPv6 by its /64), claimed client ID and reason, the first of a minute
is written at once, the others are counted and written as one line when the minute is over. What a stop or a
crash can lose is such a count, never the fact.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import Any

from app.store.idempotency import Attempt
from tokenserver.clock import MINUTE, rfc3339
from tokenserver.domain.audit import Entry, Event
from tokenserver.domain.credential import Credential
from tokenserver.domain.liveness import reference
from tokenserver.domain.restrictions import AllowedIPs
from tokenserver.domain.schedule import RotationSchedule
from tokenserver.tokens.claims import MOST_RANGES_CARRIED, AccessClaims

STRANGER = "stranger"
"""The actor who has proven nothing."""
MOST_FOLDED = 500
"""Different refusals of one minute that are told apart; what is beyond counts as one."""
MOST_CLAIMED = 16
"""Client IDs that one address may claim in a minute with a line for each; what is beyond counts as one."""
_MANY = ("many", "", "")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks for a change: an actor such as `credential:tsc_…` or `shell`, and what it may do."""

    actor: str
    organization_id: str
    scopes: frozenset[str] = frozenset()
    address: str = ""
    request_id: str = ""
    claims: AccessClaims | None = field(default=None, repr=False)
    """What the caller's token says; None for the shell."""
    operator_id: str | None = None
    """The operator whose personal credential is calling."""
    only_own: bool = False
    """Whether other credentials than the operator's own are out of reach."""
    session_id: str | None = None
    """Where an operator is signed in who is calling from the console."""
    attempt: Attempt | None = None
    """Where the request may be a repeated one (see `idempotency`)."""

    def did(self, event: Event, now: float, credential: str = "", **detail: Any) -> Entry:
        """The audit line of what this caller did."""
        return Entry(
            event=event,
            at=now,
            actor=self.actor,
            organization=self.organization_id,
            credential=credential,
            address=self.address,
            request_id=self.request_id,
            detail=detail,
        )


def changes(before: Credential, after: Credential, now: float) -> dict[str, list[Any]]:
    """Name to `[from, to]` for everything that differs."""
    old, new = _shown(before, now), _shown(after, now)
    return {name: [old[name], new[name]] for name in new if old[name] != new[name]}


def _shown(credential: Credential, now: float) -> dict[str, Any]:
    terms, generation = credential.restrictions, credential.generation
    return {
        "name": credential.name,
        "description": credential.description,
        "project": credential.project,
        "environment": credential.environment,
        "owner": credential.owner_id,
        "status": credential.status(now).value,
        "roles": sorted(terms.roles),
        "grants": [[g.audience, g.access.value, sorted(g.scopes)] for g in terms.grants],
        "allowed_ips": _ranges_shown(terms.allowed_ips),
        "token_lifetime": terms.token_lifetime,
        "expires_at": rfc3339(terms.expires_at),
        "generation": generation.current,
        "floor": generation.floor_at(now),
        "grace_expires_at": rfc3339(generation.next_floor_at) if generation.in_grace(now) else None,
        "rotation_schedule": schedule_shown(credential.schedule),
        "rotates_at": rfc3339(credential.rotate_at),
        "secrets": [[secret.id, secret.state_at(now).value] for secret in credential.secrets],
    }


def schedule_shown(schedule: RotationSchedule | None) -> dict[str, Any] | None:
    return None if schedule is None else asdict(schedule)


def _ranges_shown(allowed: AllowedIPs | None) -> object:
    if allowed is None:
        return None
    if len(allowed) > MOST_RANGES_CARRIED:
        return {"sha256": allowed.digest(), "ranges": len(allowed)}
    return list(allowed.normal_form())


class Folding:
    """Folds refusals. Used by one thread at a time; what it remembers is bounded, and forgotten every minute."""

    def __init__(self) -> None:
        self._minute = 0
        self._counts: dict[tuple[str, str, str], list[Any]] = {}
        self._claims: Counter[str] = Counter()

    def fold(self, entry: Entry, claimed: str = "", times: int = 1) -> Iterator[Entry]:
        """The lines to write now: the first of its minute, and counts of the minute before.

        `claimed` is the client ID that a stranger typed. What is written, and so the time of the answer, is the same
        whether there is such a credential or not.
        """
        yield from self.over(entry.at)
        key = self._key(entry, claimed)
        if key is _MANY:
            entry = replace(entry, address="", credential="", detail={"reason": "many strangers"})
        counted = self._counts.get(key)
        if counted is None:
            self._counts[key] = [times - 1, entry]
            yield entry
        else:
            counted[0] += times
            counted[1] = entry

    def __bool__(self) -> bool:
        """Whether something is counted that no line tells of yet."""
        return any(more for more, _ in self._counts.values())

    def over(self, now: float) -> Iterator[Entry]:
        """The counts of the minute before the present one, which are then forgotten; nothing while it lasts."""
        minute = int(now) // MINUTE
        if minute <= self._minute:
            return
        ended, self._counts, self._minute = self._counts, {}, minute
        self._claims.clear()
        for more, last in ended.values():
            if more:
                yield replace(last, detail={**last.detail, "more": more})

    def _key(self, entry: Entry, claimed: str) -> tuple[str, str, str]:
        place = neighbourhood(entry.address)
        key = (place, reference(claimed or entry.credential), str(entry.detail.get("reason", "")))
        if key in self._counts:
            return key
        if entry.actor == STRANGER:
            if self._claims[place] >= MOST_CLAIMED:
                return (place, "", "many client IDs")
            self._claims[place] += 1
        return key if len(self._counts) < MOST_FOLDED else _MANY


@lru_cache(maxsize=1024)
def neighbourhood(address: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 one: what one stranger can vary at will counts as one."""
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network(f"{address}/64", strict=False))
    except ValueError:  # the name of a socket, perhaps
        return address

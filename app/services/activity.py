"""How many tokens were issued and refused over time, and why? What the audit log says, counted by the hour.

Nothing is counted while a token is issued: the clock reads the log afterwards, some lines at a time, and remembers in
the same transaction how far it has come, so that nothing is counted twice or left out. A folded refusal counts as many
times as it says. An hour is kept for 90 days; the sum of all that was ever counted goes on (see `measures`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.services.audit import Caller
from app.store import Store
from app.store.activity import Counted
from tokenserver.clock import DAY, HOUR, Clock
from tokenserver.domain.audit import Event, Head
from tokenserver.domain.operators import READ_ALL

KEPT = 90 * DAY
AT_ONCE = 10_000
"""Lines of one piece: some 20 ms."""
_LONGEST_REASON = 100
_ISSUED, _REFUSED = (f',"event":"{event.value}",' for event in (Event.TOKEN_ISSUED, Event.TOKEN_REFUSED))


@dataclass(frozen=True, slots=True)
class Activity:
    """By the beginning of each period: how many were issued, and refused by reason. Every period is there."""

    period: int
    issued: Mapping[int, int]
    refused: Mapping[int, Mapping[str, int]]

    def reasons(self) -> list[tuple[str, int]]:
        """Of all refusals, the most frequent first."""
        total: Counter[str] = Counter()
        for found in self.refused.values():
            total.update(found)
        return total.most_common()


class Activities:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def piece(self, now: float) -> bool:
        """Count some more lines; True: there may be as many again. One commit is for thousands of them."""
        left = AT_ONCE
        found: list[tuple[Head, int, Counter[Counted]]] = []
        with self._store.reading() as tx:
            for was, end in tx.activity.behind():
                last = min(end, was.seq + left)
                left -= last - was.seq
                counts = tx.activity.issued(was, last, _ISSUED)
                counts.update(_refusals(tx.activity.refused(was, last, _REFUSED)))
                found.append((was, last, counts))
                if left == 0:
                    break
        if not found:
            return False
        with self._store.writing() as tx:
            for was, last, counts in found:
                tx.activity.count(counts, was, last)
            tx.activity.prune(int(now) - KEPT)
        return left == 0

    def over(self, caller: Caller, periods: int, period: int) -> Activity:
        """The last `periods`, each so many seconds long (whole hours); strangers for platform admins only."""
        now = int(self._clock())
        last = now - now % period
        first = last - (periods - 1) * period
        mine = [caller.organization_id, ""] if READ_ALL in caller.scopes else [caller.organization_id]
        starts = range(first, last + 1, period)
        issued, refused = dict.fromkeys(starts, 0), {start: Counter[str]() for start in starts}
        with self._store.reading() as tx:
            for counted, count in tx.activity.hours(mine, first):
                start = counted.hour - counted.hour % period
                if start not in issued:  # an hour that has not come: a clock was wrong
                    continue
                if counted.reason:
                    refused[start][counted.reason] += count
                else:
                    issued[start] += count
        return Activity(period, issued, refused)


def _refusals(lines: Iterable[tuple[str, int, str]]) -> Counter[Counted]:
    counts: Counter[Counted] = Counter()
    for organization_id, at, line in lines:
        detail = json.loads(line)["detail"]
        reason = str(detail.get("reason") or detail.get("error") or "refused")[:_LONGEST_REASON]
        counts[Counted(organization_id, at - at % HOUR, reason)] += detail.get("more", 1)
    return counts

"""Who has called what, how often? Counts of requests in groups, bounded whatever strangers send.

A group is a credential, a route, a status, an address; and, of a caller who was let in, the roles and scopes by which,
and the generation of the token. The request path adds one to a group under a short lock, and does nothing else. When
there are too many groups, the oldest goes and only its number of requests is kept (`untold`).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from tokenserver.clock import Clock
from tokenserver.resource.require import Needs

MOST_GROUPS: Final = 1000


class Group(NamedTuple):
    """`client_id` and `address` are None where nothing was proven; `route` where no template names the path; `needs`
    and `generation` for whoever was not let in.
    """

    client_id: str | None
    route: str | None
    status: int
    address: str | None
    needs: Needs | None = None
    generation: int | None = None


_Key = tuple[str | None, str | None, int, str | None, Needs | None, int | None]
"""A group, without the cost of making one."""


class Use:
    """How often, and when first and last on our monotonic clock."""

    __slots__ = ("count", "first", "last")

    def __init__(self, now: float) -> None:
        self.count = 0
        self.first = self.last = now


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted until it was taken."""

    uses: Mapping[Group, Use]
    untold: int = 0

    def __iter__(self) -> Iterator[tuple[Group, Use]]:
        return iter(self.uses.items())


class Tally:
    """Counts until somebody takes what there is."""

    def __init__(self, ticks: Clock, most: int = MOST_GROUPS) -> None:
        self._ticks = ticks
        self._most = most
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget everything: a forked child must not tell what its parent has counted."""
        self._lock = threading.Lock()
        self._uses: OrderedDict[_Key, Use] = OrderedDict()
        self._untold = 0

    def add(
        self,
        client_id: str | None,
        route: str | None,
        status: int,
        address: str | None,
        needs: Needs | None = None,
        generation: int | None = None,
    ) -> None:
        """One request more."""
        now = self._ticks()
        group = (client_id, route, status, address, needs, generation)
        with self._lock:
            use = self._uses.get(group)
            if use is None:
                use = self._new(group, now)
            use.count += 1
            use.last = now

    def take(self) -> Counted:
        """All that was counted, which is then forgotten here."""
        with self._lock:
            uses, self._uses = self._uses, OrderedDict()
            untold, self._untold = self._untold, 0
        return Counted({Group(*group): use for group, use in uses.items()}, untold)

    def __len__(self) -> int:
        return len(self._uses)

    def _new(self, group: _Key, now: float) -> Use:
        if len(self._uses) >= self._most:
            _, oldest = self._uses.popitem(last=False)
            self._untold += oldest.count
        use = self._uses[group] = Use(now)
        return use

"""How do things stand? What an operator wants to see first: of the organization, or of their own credentials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.services.audit import Caller
from app.store import Store
from app.store.census import Census
from tokenserver.clock import DAY, Clock
from tokenserver.domain.catalogue import Api
from tokenserver.domain.credential import Credential, Status
from tokenserver.domain.names import ADMIN_AUDIENCE
from tokenserver.domain.selection import Order, Selection
from tokenserver.domain.usage import COUNTED_FOR, Instance

UNUSED_FOR = 90 * DAY
_SHOWN = 8
_LIVE = frozenset({Status.ACTIVE, Status.EXPIRES_SOON})


@dataclass(frozen=True, slots=True)
class Overview:
    """`instances`: the resource servers that have reported lately, by API; of one that is shared, its owner's."""

    now: float
    standing: Census
    unused: Sequence[Credential]
    instances: Sequence[tuple[Api, Sequence[Instance]]]
    last_seq: int


class Overviews:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def of(self, caller: Caller) -> Overview:
        """Of one's own credentials where no others are in reach."""
        now = self._clock()
        owner_id = caller.operator_id if caller.only_own else None
        since = int(now) - UNUSED_FOR
        selection = Selection(statuses=_LIVE, unused_since=since, order=Order.OLDEST)
        selection = replace(selection, owner_id=owner_id)
        with self._store.reading() as tx:
            standing = tx.census.of(caller.organization_id, owner_id, now)
            unused = tx.credentials.page(caller.organization_id, selection, None, _SHOWN, now)
            apis = [] if caller.only_own else tx.catalogue.list_apis(caller.organization_id, None, 200)
            instances = [
                (api, tx.usage.instances(api, now - COUNTED_FOR)) for api in apis if api.audience != ADMIN_AUDIENCE
            ]
            last_seq = tx.feed.last_seq()
        reported = [(api, [one for one in found if not one.has_left]) for api, found in instances]
        return Overview(now, standing, [one for one, _ in unused], [one for one in reported if one[1]], last_seq)

    def has(self, caller: Caller) -> FirstSteps:
        """Which of the first steps are done; by one's own credentials where no others are in reach."""
        everything = Selection(statuses=None, owner_id=caller.operator_id if caller.only_own else None)
        with self._store.reading() as tx:
            apis = [a for a in tx.catalogue.list_apis(caller.organization_id, None, 2) if a.audience != ADMIN_AUDIENCE]
            found = tx.credentials.page(caller.organization_id, everything, None, 20, self._clock())
            holding = [c for c, _ in found if any(g.audience != ADMIN_AUDIENCE for g in c.restrictions.grants)]
            histories = tx.secrets.histories(holding)
            used = [c for c in holding if any(use is not None for _, use in histories[c.client_id])]
            regenerated = [c for c in holding if c.generation.current > 1]
            reporting = bool(apis) and bool(tx.usage.instances(apis[0], 0))
        return FirstSteps(
            api=apis[0] if apis else None,
            credential=next(iter(used or holding), None),
            used=bool(used),
            checked=reporting,
            ended=bool(regenerated),
        )


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """The first API and credential there are, whether a token was got, checked, and ended."""

    api: Api | None
    credential: Credential | None
    used: bool
    checked: bool
    ended: bool

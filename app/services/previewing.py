"""What would this change of a credential do? Said before it is made, by the checks of the change itself.

Does it end the tokens that are out, and by which terms; and which calls of the last days, as resource servers have told
them, would it have refused? The judgement is in `tokenserver.domain.foresight`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from app.services.audit import Caller
from app.services.terms import refuse_unfit_change
from app.store import Store
from app.store.usage import KEPT_DAYS
from tokenserver.clock import DAY, HOUR, Clock
from tokenserver.domain.credential import Credential
from tokenserver.domain.foresight import Reason, Refusals, Why, narrowed, would_have_refused
from tokenserver.errors import NotFound

__all__ = ["KEPT_DAYS", "Preview", "Previewing", "Reason", "Refusals", "Why"]


@dataclass(frozen=True, slots=True)
class Preview:
    """`narrowed` names the terms that take something away. `silent` are the audiences of grants of which nothing was
    told since: what the change would have refused there, nobody knows.
    """

    before: Credential
    after: Credential
    ends_tokens: bool
    narrowed: tuple[str, ...]
    since: float
    refusals: Refusals
    silent: tuple[str, ...]


class Previewing:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def preview(
        self, caller: Caller, client_id: str, edit: Callable[[Credential], Credential], days: int = 30
    ) -> Preview:
        """Raises what the change itself would raise, but for a name that is taken."""
        now = self._clock()
        since = now - days * DAY
        with self._store.reading() as tx:
            before = tx.credentials.get(caller.organization_id, client_id)
            if before is None or (caller.only_own and before.owner_id != caller.operator_id):
                raise NotFound("There is no credential with this client ID.")
            wanted = replace(edit(before), name=before.name)
            refuse_unfit_change(tx, caller, before, wanted, now)
            catalogue = tx.catalogue.of(caller.organization_id)
            after = before.restricted(wanted.restrictions, catalogue, now)
            after = after.placed(wanted.project, wanted.environment, now)
            totals = tx.usage.totals(caller.organization_id, client_id, int(since) // HOUR * HOUR)
            telling = tx.usage.apis_that_report(catalogue.values())
        audiences = {api.id: api.audience for api in catalogue.values()}
        calls = [(audiences[one.api_id], one) for one in totals if one.was_let_in and one.api_id in audiences]
        told = {audience for audience, _ in calls} | {audiences[api_id] for api_id in telling}
        left = [
            name for name in ("project", "environment") if getattr(before, name) not in {None, getattr(after, name)}
        ]
        less = narrowed(before.restrictions, after.restrictions, catalogue)
        return Preview(
            before=before,
            after=after,
            ends_tokens=after.generation.floor_at(now) > before.generation.floor_at(now),
            narrowed=(*less, *left),
            since=since,
            refusals=would_have_refused(before.restrictions, after.restrictions, catalogue, calls),
            silent=tuple(grant.audience for grant in before.restrictions.grants if grant.audience not in told),
        )

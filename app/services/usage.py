"""What do resource servers do with our tokens? Taking their reports, and saying what is known from them.

A reporter tells of APIs of its own organization and of no other, and of the credentials of every organization in which
such an API is in force: of its own, and where the API is shared, of others. What else it names is counted and ignored.
What a credential did is told to its own organization; what strangers did, and which processes there are, to that whose
API it is. So who is granted a shared API does not say what was done there: its owner does.

A batch is counted once, however often it is sent: its process numbers its batches, and the number is kept with the
sums, in one transaction. A report changes nothing that anybody is judged by, and leaves no audit line.

What was let in moves the last use of the secret behind it, which the generation of its token tells: never back, and
never that of a secret that the token endpoint has not seen, since a rotation on schedule takes that for a sign of life.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from app.services.audit import Caller
from app.services.sharing import OfAnotherOrganization
from app.services.standing import changing
from app.store import Store, Transaction
from app.store.secrets import LastUse
from app.store.usage import KEPT_DAYS, MOST_INSTANCES, Place
from tokenserver.clock import HOUR, Clock
from tokenserver.domain.catalogue import Api
from tokenserver.domain.credential import Credential
from tokenserver.domain.usage import COUNTED_FOR, Call, Instance, Total
from tokenserver.errors import Conflict, Fault, InvalidInput, NotFound

__all__ = ["KEPT_DAYS", "Proof", "Report", "Taken", "Usage", "UsageView"]


class ReportedByItsOwner(OfAnotherOrganization):
    public = "Another organization shares this API with yours: its resource servers report there."


@dataclass(frozen=True, slots=True)
class Report:
    """`calls` are by client ID, which is empty for those who have proven nothing. Moments are by our clock."""

    audience: str
    instance: Instance
    calls: Sequence[tuple[str, Call]]


@dataclass(frozen=True, slots=True)
class Taken:
    """Requests that were counted, and those of credentials that can have no token for the API."""

    counted: int
    ignored: int
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class UsageView:
    """`unused` are the APIs at which the credential holds a grant, whose use is told, and where it did nothing.

    `unused_scopes` are by audience, of APIs that tell what their routes require; `unused_roles` None where not all do.
    """

    credential: Credential
    since: float
    audiences: dict[str, str]
    totals: Sequence[Total]
    unused: Sequence[str]
    unused_scopes: dict[str, list[str]]
    unused_roles: list[str] | None


@dataclass(frozen=True, slots=True)
class Proof:
    """Who has applied change `seq`, which was recorded at `told_at`, if that is still known."""

    seq: int
    told_at: float | None
    now: float
    instances: Sequence[Instance]


class Usage:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._pruned_hour = 0

    def take(self, caller: Caller, report: Report) -> Taken:
        with changing(self._store, caller, self._clock) as (tx, now):
            api = tx.catalogue.of(caller.organization_id).get(report.audience)
            if api is None:
                raise InvalidInput([Fault("/audience", "There is no such API: create it with POST /v1/apis.")])
            if api.organization_id != caller.organization_id:
                raise ReportedByItsOwner
            organization_id, told = caller.organization_id, report.instance
            known = tx.usage.instance(organization_id, api.id, told.process)
            if known is None and tx.usage.count_instances(organization_id, api.id) >= MOST_INSTANCES:
                raise Conflict("As many processes of this API as are told apart have reported. Try again in two hours.")
            self._prune(tx, now)
            if known is not None and told.batch <= known.batch:
                tx.usage.save_instance(organization_id, api.id, replace(told, batch=known.batch, untold=known.untold))
                return Taken(0, 0, repeated=True)
            untold = told.untold + (0 if known is None else known.untold)
            tx.usage.save_instance(organization_id, api.id, replace(told, untold=untold))
            return _counted(tx, api, told.name, report.calls)

    def of_credential(self, caller: Caller, client_id: str) -> UsageView:
        now = self._clock()
        with self._store.reading() as tx:
            credential = tx.credentials.get(caller.organization_id, client_id)
            if credential is None or (caller.only_own and credential.owner_id != caller.operator_id):
                raise NotFound("There is no credential with this client ID.")
            catalogue = tx.catalogue.of(caller.organization_id)
            apis = {api.id: api for api in catalogue.values()}
            totals = tx.usage.totals(caller.organization_id, client_id)
            telling = tx.usage.apis_that_report(catalogue.values())
        let_in = [(apis[one.api_id].audience, one) for one in totals if one.api_id in apis and one.was_let_in]
        used = {audience for audience, _ in let_in}
        granted = [grant.audience for grant in credential.restrictions.grants]
        told = {apis[api_id].audience for api_id in telling} | used
        clear = told - {audience for audience, one in let_in if one.needs is None}
        needs = [(audience, one.needs) for audience, one in let_in if one.needs is not None]
        needed = {audience: {name for at, one in needs if at == audience for name in one.scopes} for audience in clear}
        roles = {name for _, one in needs for name in one.roles}
        return UsageView(
            credential=credential,
            since=now - KEPT_DAYS * 24 * HOUR,
            audiences={api.id: api.audience for api in apis.values()},
            totals=totals,
            unused=[audience for audience in granted if audience in told - used],
            unused_scopes={
                audience: sorted(scopes - needed[audience])
                for audience, scopes in credential.restrictions.scopes_at(catalogue).items()
                if audience in clear and not scopes <= needed[audience]
            },
            unused_roles=sorted(credential.restrictions.roles - roles) if set(granted) <= clear else None,
        )

    def proof(self, caller: Caller, api_id: str, seq: int | None) -> Proof:
        """Without a number, of the last change there was."""
        now = self._clock()
        with self._store.reading() as tx:
            api = _found(tx.catalogue.api(caller.organization_id, api_id))
            last = tx.feed.last_seq()
            if seq is not None and seq > last:
                raise NotFound("There is no change with this number yet.")
            asked = last if seq is None else seq
            told_at = tx.usage.told_at(caller.organization_id, asked)
            found = tx.usage.instances(api, now - COUNTED_FOR)
        return Proof(asked, told_at, now, [one for one in found if not one.has_left])

    def _prune(self, tx: Transaction, now: float) -> None:
        """At the first report of an hour."""
        hour = int(now) // HOUR
        with self._lock:
            due, self._pruned_hour = self._pruned_hour != hour, hour
        if due:
            tx.usage.prune(now)


def _counted(tx: Transaction, api: Api, instance: str, told: Sequence[tuple[str, Call]]) -> Taken:
    known = _known(tx, api, sorted({client_id for client_id, _ in told if client_id}))
    homes = {"": api.organization_id, **{name: credential.organization_id for name, credential in known.items()}}
    groups: dict[tuple[int, str], list[Call]] = {}
    for client_id, call in told:
        if client_id in homes:
            groups.setdefault((int(call.last_at) // HOUR * HOUR, client_id), []).append(call)
    for (hour, client_id), calls in groups.items():
        tx.usage.add(Place(homes[client_id], api.id, instance), hour, client_id, calls)
    tx.secrets.move_last_uses(_last_uses(known, told))
    counted = sum(call.count for client_id, call in told if client_id in homes)
    return Taken(counted, sum(call.count for _, call in told) - counted)


def _known(tx: Transaction, api: Api, client_ids: Sequence[str]) -> dict[str, Credential]:
    """Those of these credentials in whose organization the API is in force."""
    if not api.shared:
        return {one.client_id: one for one in tx.credentials.some(api.organization_id, client_ids)}
    found = tx.credentials.of(client_ids)
    having = tx.catalogue.having(api, {one.organization_id for one in found.values()})
    return {client_id: one for client_id, one in found.items() if one.organization_id in having}


def _last_uses(known: Mapping[str, Credential], told: Sequence[tuple[str, Call]]) -> dict[str, LastUse]:
    """By the ID of the secret that is behind a call, as far as that is certain."""
    found: dict[str, LastUse] = {}
    for client_id, call in told:
        if client_id not in known or call.generation is None or not call.was_let_in:
            continue
        secret = known[client_id].minter_of(call.generation)
        if secret is not None and (secret.id not in found or found[secret.id].at < int(call.last_at)):
            found[secret.id] = LastUse(int(call.last_at), call.address)
    return found


def _found(api: Api | None) -> Api:
    if api is None:
        raise NotFound("There is no API with this ID.")
    return api

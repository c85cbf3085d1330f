"""Which APIs, scopes and roles can be granted? Changing the catalogue with care for the credentials that hold parts.

An audience belongs to the organization that had it first: resource servers know tokens by it. Only a platform admin
gives it to another organization, and says there which scopes it has; else whoever administers an organization could
mint tokens, with scopes of their own making, for an API of somebody else.

Taking something away that credentials hold (deleting a role, an API or a scope; making a scope sensitive; changing
what kind a scope is) is refused with their number and the first of them, or done with a bump of each when asked to
*cascade*: nothing that is out goes on under terms that are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from app.services.audit import Caller
from app.services.feed import Feed
from app.services.ids import new_id
from app.services.saving import save_changes
from app.services.standing import changing
from app.services.terms import Reach
from app.store import Store, Transaction
from tokenserver.clock import Clock
from tokenserver.domain.audit import Event
from tokenserver.domain.catalogue import Api, Catalogue, Kind, Role, Scope
from tokenserver.domain.credential import Credential, Status
from tokenserver.domain.names import ADMIN_AUDIENCE
from tokenserver.domain.operators import ADMIN_SCOPES, WRITE_ALL
from tokenserver.domain.restrictions import Access, Grant, Restrictions, narrows
from tokenserver.errors import Conflict, Fault, InvalidInput, NotFound, PreconditionFailed

MOST_NAMED = 100
Found = TypeVar("Found", Api, Role)


class StillHeld(Conflict):
    """Credentials hold what was to go; `client_ids` are the first of them, `count` is how many there are."""

    code = "still_held"

    def __init__(self, client_ids: list[str]) -> None:
        self.client_ids = client_ids[:MOST_NAMED]
        self.count = len(client_ids)
        super().__init__(
            f"It is held by credentials ({self.count}). Change them first, or repeat with cascade=true: it is then"
            " taken from each of them, and their outstanding tokens end."
        )


class OfAnotherOrganization(Conflict):
    code = "of_another_organization"
    public = (
        "This audience belongs to another organization: a platform admin may give it to yours, and say which scopes it"
        " has there."
    )


class BelongsToTheServer(Conflict):
    code = "belongs_to_the_server"
    public = "This API is the server's own and cannot be changed."


@dataclass(frozen=True, slots=True)
class ApiDraft:
    audience: str
    name: str
    scopes: tuple[Scope, ...]
    shared: bool = False


@dataclass(frozen=True, slots=True)
class RoleDraft:
    name: str
    description: str
    audience: str | None
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Gain:
    """What a change of an API's scopes means to a credential."""

    credential: Credential
    gains: frozenset[str]
    loses: frozenset[str]


class CatalogueService:
    def __init__(self, store: Store, feed: Feed, clock: Clock) -> None:
        self._store = store
        self._feed = feed
        self._clock = clock

    def create_api(self, caller: Caller, draft: ApiDraft) -> Api:
        with changing(self._store, caller, self._clock) as (tx, now):
            return self.create_api_in(tx, caller, draft, now)

    def create_api_in(self, tx: Transaction, caller: Caller, draft: ApiDraft, now: float) -> Api:
        """`create_api` as a part of a larger transaction."""
        _refuse_foreign(tx, caller, draft.audience)
        api = Api(
            new_id("api"),
            caller.organization_id,
            draft.audience,
            draft.name,
            draft.scopes,
            int(now),
            shared=draft.shared,
        )
        tx.catalogue.add_api(api)
        tx.audit.append(caller.did(Event.API_CREATED, now, **_shown_api(api)))
        return api

    def keep_admin_api_in(self, tx: Transaction, caller: Caller, now: float) -> None:
        """The server's own API in the catalogue of an organization, with every scope that this release knows."""
        there = tx.catalogue.of(caller.organization_id).get(ADMIN_AUDIENCE)
        if there is None:
            self.create_api_in(tx, caller, ApiDraft(ADMIN_AUDIENCE, "tokenserver admin API", ADMIN_SCOPES), now)
        elif there.scopes != ADMIN_SCOPES:
            tx.catalogue.save_api(replace(there, scopes=ADMIN_SCOPES, version=there.version + 1), was=there)

    def list_apis(self, caller: Caller, after: tuple[int, str] | None, limit: int) -> list[Api]:
        with self._store.reading() as tx:
            return tx.catalogue.list_apis(caller.organization_id, after, limit)

    def get_api(self, caller: Caller, api_id: str) -> Api:
        with self._store.reading() as tx:
            return _found(tx.catalogue.api(caller.organization_id, api_id), "API")

    def update_api(
        self, caller: Caller, api_id: str, version: int | None, edit: Callable[[Api], Api], *, cascade: bool = False
    ) -> Api:
        """Apply `edit`, which sets the name, the scopes, or whether it is shared."""
        with changing(self._store, caller, self._clock) as (tx, now):
            before = _found(tx.catalogue.api(caller.organization_id, api_id), "API")
            _refuse_stale(before.version, version)
            _refuse_own(before)
            after = edit(before)
            if after == before:
                return before
            if after.scopes != before.scopes:
                _refuse_foreign(tx, caller, before.audience)
            after = replace(after, version=before.version + 1)
            self._take_away(tx, caller, before, after, now, cascade=cascade)
            tx.catalogue.save_api(after, was=before)
            old, new = _shown_api(before), _shown_api(after)
            changed = {name: [old[name], new[name]] for name in new if old[name] != new[name]}
            tx.audit.append(caller.did(Event.API_UPDATED, now, api=api_id, changed=changed))
        self._feed.changed()
        return after

    def preview_api(self, caller: Caller, api_id: str, edit: Callable[[Api], Api]) -> list[Gain]:
        """Which credentials would gain or lose which scopes by `edit`; nothing changes. In the order of client IDs."""
        with self._store.reading() as tx:
            before = _found(tx.catalogue.api(caller.organization_id, api_id), "API")
            after, now = edit(before), self._clock()
            found = []
            for credential in tx.credentials.granted_at(caller.organization_id, before.audience):
                if credential.status(now) in {Status.REVOKED, Status.EXPIRED}:
                    continue
                (grant,) = (g for g in credential.restrictions.grants if g.audience == before.audience)
                has, will_have = grant.resolved(before), grant.resolved(after)
                if has != will_have:
                    found.append(Gain(credential, will_have - has, has - will_have))
        return sorted(found, key=lambda gain: gain.credential.client_id)

    def holders_of_api(self, caller: Caller, api_id: str) -> list[Credential]:
        """Credentials that are granted something there and have not ended; in the order of client IDs."""
        with self._store.reading() as tx:
            api = _found(tx.catalogue.api(caller.organization_id, api_id), "API")
            return _living(tx.credentials.granted_at(caller.organization_id, api.audience), self._clock())

    def delete_api(self, caller: Caller, api_id: str, version: int | None, *, cascade: bool = False) -> None:
        with changing(self._store, caller, self._clock) as (tx, now):
            api = _found(tx.catalogue.api(caller.organization_id, api_id), "API")
            _refuse_stale(api.version, version)
            _refuse_own(api)
            if tx.catalogue.roles_of_api(caller.organization_id, api.audience):
                raise Conflict("Roles belong to this API: delete them first.")
            self._take_away(tx, caller, api, None, now, cascade=cascade)
            tx.catalogue.delete_api(api)
            tx.audit.append(caller.did(Event.API_DELETED, now, **_shown_api(api)))
        self._feed.changed()

    def create_role(self, caller: Caller, draft: RoleDraft) -> Role:
        with changing(self._store, caller, self._clock) as (tx, now):
            if draft.audience is not None and draft.audience not in tx.catalogue.of(caller.organization_id):
                raise InvalidInput([Fault("/audience", "There is no such API: create it with POST /v1/apis.")])
            role = Role(
                new_id("role"),
                caller.organization_id,
                draft.name,
                draft.description,
                draft.audience,
                int(now),
                shared=draft.shared,
            )
            tx.catalogue.add_role(role)
            tx.audit.append(caller.did(Event.ROLE_CREATED, now, **_shown_role(role)))
        return role

    def list_roles(self, caller: Caller, after: tuple[int, str] | None, limit: int) -> list[Role]:
        with self._store.reading() as tx:
            return tx.catalogue.list_roles(caller.organization_id, after, limit)

    def get_role(self, caller: Caller, role_id: str) -> Role:
        with self._store.reading() as tx:
            return _found(tx.catalogue.role(caller.organization_id, role_id), "role")

    def update_role(
        self,
        caller: Caller,
        role_id: str,
        version: int | None,
        edit: Callable[[Role], Role],
        *,
        cascade: bool = False,  # noqa: ARG002  sharing is to come
    ) -> Role:
        """Apply `edit`, which sets the description or whether it is shared. A role's name is what tokens and resource
        servers know it by, and never changes.
        """
        with changing(self._store, caller, self._clock) as (tx, now):
            before = _found(tx.catalogue.role(caller.organization_id, role_id), "role")
            _refuse_stale(before.version, version)
            after = edit(before)
            if after == before:
                return before
            after = replace(after, version=before.version + 1)
            tx.catalogue.save_role(after, was=before)
            old, new = _shown_role(before), _shown_role(after)
            changed = {name: [old[name], new[name]] for name in new if old[name] != new[name]}
            tx.audit.append(caller.did(Event.ROLE_UPDATED, now, role=role_id, name=before.name, changed=changed))
        return after

    def holders_of_role(self, caller: Caller, role_id: str) -> list[Credential]:
        """Credentials that hold it and have not ended; in the order of client IDs."""
        with self._store.reading() as tx:
            role = _found(tx.catalogue.role(caller.organization_id, role_id), "role")
            return _living(tx.credentials.holding_role(caller.organization_id, role.name), self._clock())

    def delete_role(self, caller: Caller, role_id: str, version: int | None, *, cascade: bool = False) -> None:
        with changing(self._store, caller, self._clock) as (tx, now):
            role = _found(tx.catalogue.role(caller.organization_id, role_id), "role")
            _refuse_stale(role.version, version)
            holders = tx.credentials.holding_role(caller.organization_id, role.name)
            _narrow(
                tx, caller, holders, lambda terms: replace(terms, roles=terms.roles - {role.name}), now, cascade=cascade
            )
            tx.catalogue.delete_role(role)
            tx.audit.append(caller.did(Event.ROLE_DELETED, now, **_shown_role(role)))
        self._feed.changed()

    def _take_away(
        self, tx: Transaction, caller: Caller, before: Api, after: Api | None, now: float, *, cascade: bool
    ) -> None:
        """Credentials that would lose a scope when `before` becomes `after` (or goes)."""
        if after is not None and set(map(_meaning, before.scopes)) <= set(map(_meaning, after.scopes)):
            return
        catalogue = tx.catalogue.of(caller.organization_id)
        then: Catalogue = {audience: api for audience, api in catalogue.items() if audience != before.audience}
        if after is not None:
            then = {**then, after.audience: after}
        holders = [
            credential
            for credential in tx.credentials.granted_at(caller.organization_id, before.audience)
            if after is None or narrows(credential.restrictions, credential.restrictions, catalogue, then=then)
        ]
        kept = after.scope_names() if after is not None else frozenset[str]()

        def taken(terms: Restrictions) -> Restrictions:
            return replace(terms, grants=tuple(_without(terms.grants, before.audience, kept, gone=after is None)))

        _narrow(tx, caller, holders, taken, now, cascade=cascade)


def _meaning(scope: Scope) -> tuple[str, Kind, bool]:
    """What grants go by; a description means nothing to them."""
    return scope.name, scope.access, scope.sensitive


def _without(grants: Iterable[Grant], audience: str, kept: frozenset[str], *, gone: bool) -> Iterable[Grant]:
    for grant in grants:
        if grant.audience != audience:
            yield grant
        elif not gone:
            yield replace(grant, scopes=grant.scopes & kept) if grant.access is Access.CUSTOM else grant


def _narrow(
    tx: Transaction,
    caller: Caller,
    holders: list[Credential],
    taken: Callable[[Restrictions], Restrictions],
    now: float,
    *,
    cascade: bool,
) -> None:
    """Refuse, or take from each holder and bump it; in the order of client IDs, as every writer does."""
    living = _living(holders, now)
    if living and not cascade:
        raise StillHeld([credential.client_id for credential in living])
    reach = Reach(tx, caller)
    for credential in living:
        reach.refuse_beyond(credential.restrictions)
    changed = [(credential, credential.narrowed(taken(credential.restrictions), now)) for credential in living]
    if changed:
        save_changes(tx, caller, Event.CREDENTIAL_UPDATED, changed, now)


def _living(holders: Iterable[Credential], now: float) -> list[Credential]:
    """What has been revoked or has expired holds nothing any more."""
    final = {Status.REVOKED, Status.EXPIRED}
    return sorted((c for c in holders if c.status(now) not in final), key=lambda holder: holder.client_id)


def _found(value: Found | None, what: str) -> Found:
    if value is None:
        raise NotFound(f"There is no {what} with this ID.")
    return value


def _refuse_stale(found: int, version: int | None) -> None:
    if version is not None and found != version:
        raise PreconditionFailed


def _refuse_foreign(tx: Transaction, caller: Caller, audience: str) -> None:
    if audience == ADMIN_AUDIENCE or WRITE_ALL in caller.scopes:
        return
    if tx.catalogue.is_foreign(audience, caller.organization_id):
        raise OfAnotherOrganization


def _refuse_own(api: Api) -> None:
    if api.audience == ADMIN_AUDIENCE:
        raise BelongsToTheServer


def _shown_api(api: Api) -> dict[str, Any]:
    scopes = [[scope.name, scope.access.value, scope.sensitive, scope.description] for scope in api.scopes]
    return {"api": api.id, "audience": api.audience, "name": api.name, "scopes": scopes, "shared": api.shared}


def _shown_role(role: Role) -> dict[str, Any]:
    return {
        "role": role.id,
        "name": role.name,
        "audience": role.audience,
        "description": role.description,
        "shared": role.shared,
    }

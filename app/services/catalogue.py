"""What can be done with APIs, scopes and roles? Create, read, change, share, delete; and take away what credentials
hold of them.

Every organization has its own and those that others share; of one audience, or of roles by one name, its own is in
force. So an own one that is made where one is shared, or that goes, changes what its credentials hold like any other
change of scopes. Who may do what is in `sharing`, who loses what in `taking_away`.

Whoever is no platform admin sees of the holders of what is shared only those of their own organization.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from app.services.audit import Caller
from app.services.feed import Feed
from app.services.ids import new_id
from app.services.sharing import (
    BelongsToTheServer,
    OfAnotherOrganization,
    SharedByAnother,
    refuse_foreign,
    refuse_own,
    refuse_sharing,
    refuse_unowned,
)
from app.services.standing import changing
from app.services.taking_away import MOST_NAMED, Gain, StillHeld, Taking, gains_of, living_of
from app.store import Store, Transaction
from app.store.catalogue import AlreadyThere
from tokenserver.clock import Clock
from tokenserver.domain.audit import Event
from tokenserver.domain.catalogue import Api, Kind, Role, Scope
from tokenserver.domain.credential import Credential
from tokenserver.domain.names import ADMIN_AUDIENCE
from tokenserver.domain.operators import ADMIN_SCOPES, WRITE_ALL
from tokenserver.errors import Conflict, Fault, InvalidInput, NotFound, PreconditionFailed

__all__ = [
    "MOST_NAMED",
    "ApiDraft",
    "BelongsToTheServer",
    "CatalogueService",
    "Gain",
    "OfAnotherOrganization",
    "RoleDraft",
    "SharedByAnother",
    "StillHeld",
]

Found = TypeVar("Found", Api, Role)


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


class CatalogueService:
    def __init__(self, store: Store, feed: Feed, clock: Clock) -> None:
        self._store = store
        self._feed = feed
        self._clock = clock

    # --- APIs -------------------------------------------------------------------------------------------------------

    def create_api(self, caller: Caller, draft: ApiDraft, *, cascade: bool = False) -> Api:
        """Where another organization shares one with this audience, it takes away what it does not have of that."""
        with changing(self._store, caller, self._clock) as (tx, now):
            made = self.create_api_in(tx, caller, draft, now, cascade=cascade)
        self._feed.changed()
        return made

    @staticmethod
    def create_api_in(tx: Transaction, caller: Caller, draft: ApiDraft, now: float, *, cascade: bool = False) -> Api:
        """`create_api` as a part of a larger transaction; who calls it tells the feed."""
        refuse_foreign(tx, caller, draft.audience)
        api = Api(
            new_id("api"),
            caller.organization_id,
            draft.audience,
            draft.name,
            draft.scopes,
            int(now),
            shared=draft.shared,
        )
        refuse_sharing(tx, caller, None, api)
        theirs = tx.catalogue.shared_api(api.audience)
        tx.catalogue.add_api(api)
        if theirs is not None:
            holders = tx.credentials.granted_at(caller.organization_id, api.audience)
            Taking(tx, caller, now, cascade).scopes(holders, theirs, lambda _: api)
        tx.audit.append(caller.did(Event.API_CREATED, now, **_shown_api(api)))
        return api

    def keep_admin_api_in(self, tx: Transaction, caller: Caller, now: float) -> None:
        """The server's own API in the catalogue of an organization, with every scope that this release knows."""
        there = tx.catalogue.own(caller.organization_id).get(ADMIN_AUDIENCE)
        if there is None:
            self.create_api_in(tx, caller, ApiDraft(ADMIN_AUDIENCE, "tokenserver admin API", ADMIN_SCOPES), now)
        elif there.scopes != ADMIN_SCOPES:
            tx.catalogue.save_api(replace(there, scopes=ADMIN_SCOPES, version=there.version + 1), was=there)

    def list_apis(self, caller: Caller, after: tuple[int, str] | None, limit: int) -> list[Api]:
        """Its own and those that others share with it, oldest first."""
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
            refuse_unowned(caller, before)
            _refuse_stale(before.version, version)
            refuse_own(before)
            after = edit(before)
            if after == before:
                return before
            refuse_sharing(tx, caller, before, after)
            if after.scopes != before.scopes:
                refuse_foreign(tx, caller, before.audience)
            after = replace(after, version=before.version + 1)
            if _takes_away(before, after):
                holders = tx.credentials.granted(before)
                Taking(tx, caller, now, cascade).scopes(holders, before, _afterwards(before, after))
            tx.catalogue.save_api(after, was=before)
            changed = _changes(_shown_api(before), _shown_api(after))
            tx.audit.append(caller.did(Event.API_UPDATED, now, api=api_id, changed=changed))
        self._feed.changed()
        return after

    def preview_api(self, caller: Caller, api_id: str, edit: Callable[[Api], Api]) -> list[Gain]:
        """Which credentials would gain or lose which scopes by `edit`; nothing changes. In the order of client IDs."""
        with self._store.reading() as tx:
            before = _found(tx.catalogue.api(caller.organization_id, api_id), "API")
            return gains_of(_granted(tx, caller, before), before, _afterwards(before, edit(before)), self._clock())

    def holders_of_api(self, caller: Caller, api_id: str) -> list[Credential]:
        """Credentials that are granted something there and have not ended; in the order of client IDs."""
        with self._store.reading() as tx:
            api = _found(tx.catalogue.api(caller.organization_id, api_id), "API")
            return living_of(_granted(tx, caller, api), self._clock())

    def delete_api(self, caller: Caller, api_id: str, version: int | None, *, cascade: bool = False) -> None:
        """Where another organization shares one with this audience, that is in force from now on."""
        with changing(self._store, caller, self._clock) as (tx, now):
            api = _found(tx.catalogue.api(caller.organization_id, api_id), "API")
            refuse_unowned(caller, api)
            _refuse_stale(api.version, version)
            refuse_own(api)
            refuse_sharing(tx, caller, api, None)
            theirs = None if api.shared else tx.catalogue.shared_api(api.audience)
            if theirs is None and tx.catalogue.roles_of_api(caller.organization_id, api.audience):
                raise Conflict("Roles belong to this API: delete them first.")
            Taking(tx, caller, now, cascade).scopes(tx.credentials.granted(api), api, lambda _: theirs)
            tx.catalogue.delete_api(api)
            tx.audit.append(caller.did(Event.API_DELETED, now, **_shown_api(api)))
        self._feed.changed()

    def api_behind(self, api: Api) -> Api | None:
        """What another organization shares with the same audience: in force in its place, once it is gone."""
        with self._store.reading() as tx:
            return None if api.shared else tx.catalogue.shared_api(api.audience)

    # --- roles ------------------------------------------------------------------------------------------------------

    def create_role(self, caller: Caller, draft: RoleDraft) -> Role:
        with changing(self._store, caller, self._clock) as (tx, now):
            if draft.audience is not None and draft.audience not in tx.catalogue.of(caller.organization_id):
                raise InvalidInput([Fault("/audience", "There is no such API: create it with POST /v1/apis.")])
            if draft.name in tx.catalogue.role_names(caller.organization_id):
                raise AlreadyThere
            role = Role(
                new_id("role"),
                caller.organization_id,
                draft.name,
                draft.description,
                draft.audience,
                int(now),
                shared=draft.shared,
            )
            refuse_sharing(tx, caller, None, role)
            tx.catalogue.add_role(role)
            tx.audit.append(caller.did(Event.ROLE_CREATED, now, **_shown_role(role)))
        return role

    def list_roles(self, caller: Caller, after: tuple[int, str] | None, limit: int) -> list[Role]:
        """Its own and those that others share with it, oldest first."""
        with self._store.reading() as tx:
            return tx.catalogue.list_roles(caller.organization_id, after, limit)

    def get_role(self, caller: Caller, role_id: str) -> Role:
        with self._store.reading() as tx:
            return _found(tx.catalogue.role(caller.organization_id, role_id), "role")

    def update_role(
        self, caller: Caller, role_id: str, version: int | None, edit: Callable[[Role], Role], *, cascade: bool = False
    ) -> Role:
        """Apply `edit`, which sets the description or whether it is shared. A role's name is what tokens and resource
        servers know it by, and never changes.
        """
        with changing(self._store, caller, self._clock) as (tx, now):
            before = _found(tx.catalogue.role(caller.organization_id, role_id), "role")
            refuse_unowned(caller, before)
            _refuse_stale(before.version, version)
            after = edit(before)
            if after == before:
                return before
            refuse_sharing(tx, caller, before, after)
            after = replace(after, version=before.version + 1)
            if before.shared and not after.shared:
                Taking(tx, caller, now, cascade).role(
                    tx.credentials.holding(before), before, _afterwards(before, after)
                )
            tx.catalogue.save_role(after, was=before)
            changed = _changes(_shown_role(before), _shown_role(after))
            tx.audit.append(caller.did(Event.ROLE_UPDATED, now, role=role_id, name=before.name, changed=changed))
        self._feed.changed()
        return after

    def holders_of_role(self, caller: Caller, role_id: str) -> list[Credential]:
        """Credentials that hold it and have not ended; in the order of client IDs."""
        with self._store.reading() as tx:
            role = _found(tx.catalogue.role(caller.organization_id, role_id), "role")
            everywhere = _sees_all_holders(caller, role)
            held = (
                tx.credentials.holding(role)
                if everywhere
                else tx.credentials.holding_role(caller.organization_id, role.name)
            )
            return living_of(held, self._clock())

    def role_behind(self, role: Role) -> Role | None:
        """What another organization shares by the same name: in force in its place, once it is gone."""
        with self._store.reading() as tx:
            return None if role.shared else tx.catalogue.shared_role(role.name)

    def delete_role(self, caller: Caller, role_id: str, version: int | None, *, cascade: bool = False) -> None:
        """Where another organization shares one by this name, that is in force from now on."""
        with changing(self._store, caller, self._clock) as (tx, now):
            role = _found(tx.catalogue.role(caller.organization_id, role_id), "role")
            refuse_unowned(caller, role)
            _refuse_stale(role.version, version)
            refuse_sharing(tx, caller, role, None)
            theirs = None if role.shared else tx.catalogue.shared_role(role.name)
            Taking(tx, caller, now, cascade).role(tx.credentials.holding(role), role, lambda _: theirs)
            tx.catalogue.delete_role(role)
            tx.audit.append(caller.did(Event.ROLE_DELETED, now, **_shown_role(role)))
        self._feed.changed()


def _takes_away(before: Api, after: Api) -> bool:
    """Whether somebody might lose something."""
    return (before.shared and not after.shared) or not set(map(_meaning, before.scopes)) <= set(
        map(_meaning, after.scopes)
    )


def _meaning(scope: Scope) -> tuple[str, Kind, bool]:
    """What grants go by; a description means nothing to them."""
    return scope.name, scope.access, scope.sensitive


def _afterwards(before: Found, after: Found) -> Callable[[str], Found | None]:
    """What is in force in an organization where `before` was: nothing elsewhere, when it is shared no more."""
    return lambda organization_id: after if after.shared or organization_id == before.organization_id else None


def _sees_all_holders(caller: Caller, one: Api | Role) -> bool:
    return one.shared and one.organization_id == caller.organization_id and WRITE_ALL in caller.scopes


def _granted(tx: Transaction, caller: Caller, api: Api) -> list[Credential]:
    """The holders of grants there that the caller may see."""
    if _sees_all_holders(caller, api):
        return tx.credentials.granted(api)
    return tx.credentials.granted_at(caller.organization_id, api.audience)


def _found(value: Found | None, what: str) -> Found:
    if value is None:
        raise NotFound(f"There is no {what} with this ID.")
    return value


def _refuse_stale(found: int, version: int | None) -> None:
    if version is not None and found != version:
        raise PreconditionFailed


def _changes(old: dict[str, Any], new: dict[str, Any]) -> dict[str, list[Any]]:
    return {name: [old[name], new[name]] for name in new if old[name] != new[name]}


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

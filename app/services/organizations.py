"""What can be done with organizations and their projects?

Whoever holds `organizations:*` (a platform admin) does it with every organization; everybody else sees their own, and
an organization that is not theirs is not there. Suspending, and *end everything*, is one bump of the organization's
generation and one line in the feed: it takes as long with 100,000 credentials as with one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from app.services.audit import Caller
from app.services.catalogue import CatalogueService
from app.services.feed import Feed
from app.services.ids import new_id
from app.services.standing import changing
from app.store import Store, Transaction
from tokenserver.clock import Clock
from tokenserver.domain.audit import Event
from tokenserver.domain.credential import Credential
from tokenserver.domain.generation import Generation
from tokenserver.domain.liveness import reference
from tokenserver.domain.operators import READ_ALL, WRITE_ALL
from tokenserver.domain.organizations import Organization, Policy, Project
from tokenserver.errors import Conflict, InsufficientScope, NotFound, PreconditionFailed

MOST_NAMED = 100


class ProjectInUse(Conflict):
    """Credentials are in the project; `client_ids` are the first of them, `count` is how many there are."""

    code = "project_in_use"

    def __init__(self, client_ids: list[str]) -> None:
        self.client_ids = client_ids[:MOST_NAMED]
        self.count = len(client_ids)
        super().__init__(f"Credentials are in this project ({self.count}): move or delete them first.")


class Organizations:
    def __init__(self, store: Store, feed: Feed, catalogue: CatalogueService, clock: Clock) -> None:
        self._store = store
        self._feed = feed
        self._catalogue = catalogue
        self._clock = clock

    def create(self, caller: Caller, name: str, policy: Policy) -> Organization:
        """With the server's own API in its catalogue, and nobody in it yet."""
        with changing(self._store, caller, self._clock) as (tx, now):
            made = Organization(new_id("org"), name, Generation(), policy=policy, created_at=int(now))
            tx.organizations.add(made)
            inside = replace(caller, organization_id=made.id)
            tx.audit.append(inside.did(Event.ORGANIZATION_CREATED, now, **_shown(made)))
            self._catalogue.keep_admin_api_in(tx, inside, now)
        return made

    def list(self, caller: Caller, after: tuple[int, str] | None, limit: int) -> list[Organization]:
        """Oldest first."""
        with self._store.reading() as tx:
            if READ_ALL in caller.scopes:
                return tx.organizations.page(after, limit)
            own = tx.organizations.get(caller.organization_id)
            return [own] if own is not None and after is None else []

    def get(self, caller: Caller, organization_id: str) -> Organization:
        with self._store.reading() as tx:
            return _found(tx, caller, organization_id, READ_ALL)

    def names(self, caller: Caller, organization_ids: Collection[str]) -> dict[str, str]:
        """What these are called, by ID, to whoever may see every organization; to everybody else, nothing."""
        if READ_ALL not in caller.scopes:
            return {}
        with self._store.reading() as tx:
            return {found.id: found.name for found in tx.organizations.some(organization_ids)}

    def update(
        self,
        caller: Caller,
        organization_id: str,
        version: int | None,
        edit: Callable[[Organization], Organization],
    ) -> Organization:
        """Apply `edit`, which sets the name or the policy. The quota is the platform's to set."""

        def change(before: Organization, _now: float) -> Organization:
            after = edit(before)
            if after == before:
                return before
            if after.policy.credential_quota != before.policy.credential_quota and WRITE_ALL not in caller.scopes:
                raise InsufficientScope("The quota is set by platform admins.")
            return replace(after, version=before.version + 1)

        return self._change(caller, organization_id, Event.ORGANIZATION_UPDATED, change, version)

    def suspend(self, caller: Caller, organization_id: str, version: int | None = None) -> Organization:
        return self._change(
            caller, organization_id, Event.ORGANIZATION_SUSPENDED, lambda o, now: o.suspended(now), version
        )

    def resume(self, caller: Caller, organization_id: str, version: int | None = None) -> Organization:
        return self._change(caller, organization_id, Event.ORGANIZATION_RESUMED, lambda o, _: o.resumed(), version)

    def end_everything(self, caller: Caller, organization_id: str, version: int | None = None) -> Organization:
        """Every token of the organization that is out has ended when this returns; secrets go on."""
        return self._change(
            caller, organization_id, Event.ORGANIZATION_TOKENS_ENDED, lambda o, now: o.everything_ended(now), version
        )

    def create_project(self, caller: Caller, name: str, description: str) -> Project:
        with changing(self._store, caller, self._clock) as (tx, now):
            made = Project(new_id("prj"), caller.organization_id, name, description, int(now))
            tx.organizations.add_project(made)
            tx.audit.append(caller.did(Event.PROJECT_CREATED, now, **_project_shown(made)))
        return made

    def list_projects(self, caller: Caller, after: tuple[int, str] | None, limit: int) -> Sequence[Project]:
        with self._store.reading() as tx:
            return tx.organizations.projects(caller.organization_id, after, limit)

    def get_project(self, caller: Caller, project_id: str) -> Project:
        with self._store.reading() as tx:
            return _project(tx, caller, project_id)

    def update_project(self, caller: Caller, project_id: str, version: int | None, description: str | None) -> Project:
        """The name is what tokens and resource servers know it by, and never changes."""
        with changing(self._store, caller, self._clock) as (tx, now):
            before = _project(tx, caller, project_id)
            _refuse_stale(before.version, version)
            if description is None or description == before.description:
                return before
            after = replace(before, description=description, version=before.version + 1)
            tx.organizations.save_project(after, was=before)
            changed = {"description": [before.description, after.description]}
            tx.audit.append(
                caller.did(Event.PROJECT_UPDATED, now, project=project_id, name=before.name, changed=changed)
            )
        return after

    def credentials_in(self, caller: Caller, project_id: str, limit: int) -> tuple[Sequence[Credential], int]:
        """The first of those for whose sake the project cannot be deleted, and how many they are."""
        with self._store.reading() as tx:
            inside = tx.organizations.in_project(caller.organization_id, _project(tx, caller, project_id).name)
            return tx.credentials.some(caller.organization_id, inside[:limit]), len(inside)

    def delete_project(self, caller: Caller, project_id: str, version: int | None) -> None:
        with changing(self._store, caller, self._clock) as (tx, now):
            project = _project(tx, caller, project_id)
            _refuse_stale(project.version, version)
            inside = tx.organizations.in_project(caller.organization_id, project.name)
            if inside:
                raise ProjectInUse(inside)
            tx.organizations.delete_project(project)
            tx.audit.append(caller.did(Event.PROJECT_DELETED, now, **_project_shown(project)))

    def _change(
        self,
        caller: Caller,
        organization_id: str,
        event: Event,
        change: Callable[[Organization, float], Organization],
        version: int | None,
    ) -> Organization:
        with changing(self._store, caller, self._clock) as (tx, now):
            before = _found(tx, caller, organization_id, WRITE_ALL)
            _refuse_stale(before.version, version)
            after = change(before, now)
            if after is before:
                return before
            tx.organizations.save(after, was=before)
            floors = after.generation.floors_to_tell(before.generation, now)
            seq = tx.feed.tell_floors(after.id, reference(after.id), floors, now)
            more: dict[str, Any] = {} if seq is None else {"feed_seq": seq}
            old, new = _shown(before), _shown(after)
            changed = {name: [old[name], new[name]] for name in new if old[name] != new[name]}
            inside = replace(caller, organization_id=after.id)
            tx.audit.append(inside.did(event, now, changed=changed, **more))
        self._feed.changed()
        return after


def _found(tx: Transaction, caller: Caller, organization_id: str, over_all: str) -> Organization:
    found = tx.organizations.get(organization_id)
    if found is None or (organization_id != caller.organization_id and over_all not in caller.scopes):
        raise NotFound("There is no organization with this ID.")
    return found


def _project(tx: Transaction, caller: Caller, project_id: str) -> Project:
    found = tx.organizations.project(caller.organization_id, project_id)
    if found is None:
        raise NotFound("There is no project with this ID.")
    return found


def _refuse_stale(found: int, version: int | None) -> None:
    if version is not None and found != version:
        raise PreconditionFailed


def _shown(organization: Organization) -> dict[str, Any]:
    return {
        "name": organization.name,
        "suspended": organization.suspended_at is not None,
        "generation": organization.generation.current,
        "credential_quota": organization.policy.credential_quota,
        "longest_expiry_days": organization.policy.longest_expiry_days,
        "names_are_fixed": organization.policy.names_are_fixed,
    }


def _project_shown(project: Project) -> dict[str, Any]:
    return {"project": project.id, "name": project.name, "description": project.description}

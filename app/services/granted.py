"""Which scopes does a credential hold at which API, now? What is granted, and what is left of it for its owner.

What organizations share is read, kept and resolved once for all of them: ten thousand organizations that use one API of
four hundred scopes take little more memory than one of them.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import lru_cache

from app.store import Store
from app.store.issuing import Known
from tokenserver.domain.catalogue import Catalogue
from tokenserver.domain.restrictions import Grant, Restrictions

MOST_SCOPES = 400_000
"""Scopes of organizations' own APIs that are kept in memory, some 60 MiB; one more for each organization."""

_Here = tuple[Catalogue, Mapping[str, str]]


class Granted:
    """What grants and roles mean at the present catalogue; remembered until the catalogue changes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._scopes = lru_cache(maxsize=4096)(self._resolve)
        self._names = lru_cache(maxsize=4096)(self._resolve_one)
        self._shared_at = lru_cache(maxsize=2)(self._read_shared)
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, int], tuple[_Here, int]] = {}
        self._weight = 0

    def scopes_of(self, known: Known, version: int) -> Mapping[str, frozenset[str]]:
        """Audience to scopes: of a personal credential, what its owner may hold as well."""
        scopes, _ = self.of(known.organization.id, known.credential.restrictions, version)
        if known.rights is None:
            return scopes
        return known.rights.scopes_of(scopes, self.catalogue(known.organization.id, version))

    def of(
        self, organization_id: str, terms: Restrictions, version: int
    ) -> tuple[Mapping[str, frozenset[str]], Mapping[str, str]]:
        """Audience to scopes, and role to audience for roles that belong to one API."""
        return self._scopes(organization_id, terms.grants, version), self._here(organization_id, version)[1]

    def catalogue(self, organization_id: str, version: int) -> Catalogue:
        return self._here(organization_id, version)[0]

    def _resolve(self, organization_id: str, grants: tuple[Grant, ...], version: int) -> Mapping[str, frozenset[str]]:
        catalogue = self.catalogue(organization_id, version)
        owners = {name: catalogue[name].organization_id for name in (g.audience for g in grants) if name in catalogue}
        return {g.audience: self._names(owners[g.audience], g, version) for g in grants if g.audience in owners}

    def _resolve_one(self, owner_id: str, grant: Grant, version: int) -> frozenset[str]:
        """By the organization whose API it is, so that one answer does for everybody with whom it is shared."""
        api = self.catalogue(owner_id, version).get(grant.audience)
        return frozenset() if api is None else grant.resolved(api)  # it went after the version was read

    def _here(self, organization_id: str, version: int) -> _Here:
        """What is in force in this organization."""
        kept = self._kept.get((organization_id, version))
        return self._read(organization_id, version) if kept is None else kept[0]

    def _read(self, organization_id: str, version: int) -> _Here:
        apis, roles = self._shared_at(version)
        with self._store.reading() as tx:
            own = tx.catalogue.own(organization_id)
            roles = {**roles, **tx.catalogue.own_roles(organization_id)}
        bound = {name: audience for name, audience in roles.items() if audience is not None}
        found = {**apis, **own}, bound
        self._keep((organization_id, version), found, 1 + sum(len(api.scopes) for api in own.values()))
        return found

    def _read_shared(self, _version: int) -> tuple[Catalogue, Mapping[str, str | None]]:
        with self._store.reading() as tx:
            return tx.catalogue.shared(), tx.catalogue.shared_roles()

    def _keep(self, name: tuple[str, int], found: _Here, weight: int) -> None:
        """As long as there is room: those that were read first go first."""
        with self._lock:
            self._weight += weight - self._kept.pop(name, (found, 0))[1]
            self._kept[name] = found, weight
            while len(self._kept) > 1 and self._weight > MOST_SCOPES:
                self._weight -= self._kept.pop(next(iter(self._kept)))[1]

"""Which scopes does a credential hold at which API, now? What is granted, and what is left of it for its owner."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from app.store import Store
from app.store.issuing import Known
from tokenserver.domain.catalogue import Catalogue
from tokenserver.domain.restrictions import Grant, Restrictions


class Granted:
    """What grants and roles mean at the present catalogue; remembered until the catalogue changes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._scopes = lru_cache(maxsize=4096)(self._resolve)
        self._read_at = lru_cache(maxsize=64)(self._read)

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
        return self._scopes(organization_id, terms.grants, version), self._read_at(organization_id, version)[1]

    def catalogue(self, organization_id: str, version: int) -> Catalogue:
        return self._read_at(organization_id, version)[0]

    def _resolve(self, organization_id: str, grants: tuple[Grant, ...], version: int) -> Mapping[str, frozenset[str]]:
        return Restrictions(grants=grants).scopes_at(self.catalogue(organization_id, version))

    def _read(self, organization_id: str, _version: int) -> tuple[Catalogue, Mapping[str, str]]:
        with self._store.reading() as tx:
            return tx.catalogue.of(organization_id), tx.catalogue.bound_roles(organization_id)

"""Which APIs, scopes and roles does an organization have? Its own, and what others share (see `in_force`)."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterable

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.store.in_force import in_force, where_in_force
from app.store.models import ApiRow, CounterRow, OrganizationRow, RoleRow
from app.store.places import in_order
from app.store.rows import api_from, role_from, scope_rows
from tokenserver.domain.catalogue import Api, Catalogue, Role
from tokenserver.errors import Conflict, PreconditionFailed


class AlreadyThere(Conflict):
    code = "already_exists"
    public = "There is one by that name already."


class CatalogueStore:
    def __init__(self, session: Session) -> None:
        self._session = session

    def version(self) -> int:
        """Another number after every change of what APIs and roles mean: what was resolved is remembered by it."""
        return self._session.scalars(select(CounterRow.value).where(CounterRow.name == "catalogue")).one()

    def of(self, organization_id: str) -> Catalogue:
        """What is in force there, by audience."""
        return {**self.shared(), **self.own(organization_id)}

    def own(self, organization_id: str) -> Catalogue:
        """What it shares is among it."""
        found = self._session.scalars(select(ApiRow).where(ApiRow.organization_id == organization_id))
        return {row.audience: api_from(row) for row in found}

    def shared(self) -> Catalogue:
        """What is shared by whichever organization."""
        return {row.audience: api_from(row) for row in self._session.scalars(select(ApiRow).where(ApiRow.shared))}

    def shared_api(self, audience: str) -> Api | None:
        row = self._session.scalars(select(ApiRow).where(ApiRow.audience == audience, ApiRow.shared)).first()
        return None if row is None else api_from(row)

    def shared_role(self, name: str) -> Role | None:
        row = self._session.scalars(select(RoleRow).where(RoleRow.name == name, RoleRow.shared)).first()
        return None if row is None else role_from(row)

    def having(self, api: Api, organization_ids: Iterable[str]) -> frozenset[str]:
        """Of these organizations, those in which this API is in force."""
        query = select(OrganizationRow.id).where(
            OrganizationRow.id.in_(list(organization_ids)), where_in_force(OrganizationRow.id, api)
        )
        return frozenset(self._session.scalars(query))

    def is_foreign(self, audience: str, organization_id: str) -> bool:
        """Whether another organization had an API with this audience before this one, or in the same second."""
        rows = self._session.execute(
            select(ApiRow.organization_id, ApiRow.created_at).where(ApiRow.audience == audience)
        ).all()
        ours = min((at for owner, at in rows if owner == organization_id), default=math.inf)
        return any(owner != organization_id and at <= ours for owner, at in rows)

    def api(self, organization_id: str, api_id: str) -> Api | None:
        """One that is in force there."""
        row = self._session.scalars(
            select(ApiRow).where(ApiRow.id == api_id, in_force(ApiRow, organization_id))
        ).first()
        return None if row is None else api_from(row)

    def list_apis(self, organization_id: str, after: tuple[int, str] | None, limit: int) -> list[Api]:
        query = select(ApiRow).where(in_force(ApiRow, organization_id))
        query = in_order(query, (ApiRow.created_at, ApiRow.id), after)
        return [api_from(row) for row in self._session.scalars(query.limit(limit))]

    def add_api(self, api: Api) -> None:
        row = ApiRow(
            id=api.id,
            organization_id=api.organization_id,
            audience=api.audience,
            name=api.name,
            created_at=api.created_at,
            version=api.version,
            shared=api.shared,
            scopes=scope_rows(api),
        )
        self._add(row)
        self._bump_version()

    def save_api(self, api: Api, *, was: Api) -> None:
        """Compare and swap on the version; raises PreconditionFailed when somebody else was faster."""
        changed = self._session.execute(
            update(ApiRow)
            .where(ApiRow.id == api.id, ApiRow.organization_id == api.organization_id, ApiRow.version == was.version)
            .values(name=api.name, version=api.version, shared=api.shared)
        )
        if changed.rowcount != 1:  # type: ignore[attr-defined]  # a CursorResult, for DML
            raise PreconditionFailed
        row = self._api_row(api.organization_id, api.id)
        if row is not None:
            row.scopes.clear()
            self._session.flush()
            row.scopes.extend(scope_rows(api))
            self._session.flush()
        self._bump_version()

    def delete_api(self, api: Api) -> None:
        row = self._api_row(api.organization_id, api.id)
        if row is not None:
            self._session.delete(row)
            self._session.flush()
        self._bump_version()

    def role(self, organization_id: str, role_id: str) -> Role | None:
        row = self._session.scalars(
            select(RoleRow).where(RoleRow.id == role_id, in_force(RoleRow, organization_id))
        ).first()
        return None if row is None else role_from(row)

    def role_names(self, organization_id: str) -> frozenset[str]:
        return frozenset({**self.shared_roles(), **self.own_roles(organization_id)})

    def own_roles(self, organization_id: str) -> dict[str, str | None]:
        """Name to audience: None of a role of the whole platform."""
        query = select(RoleRow.name, RoleRow.audience).where(RoleRow.organization_id == organization_id)
        return {found.name: found.audience for found in self._session.execute(query)}

    def shared_roles(self) -> dict[str, str | None]:
        """The same of what is shared, by whichever organization."""
        query = select(RoleRow.name, RoleRow.audience).where(RoleRow.shared)
        return {found.name: found.audience for found in self._session.execute(query)}

    def list_roles(self, organization_id: str, after: tuple[int, str] | None, limit: int) -> list[Role]:
        query = select(RoleRow).where(in_force(RoleRow, organization_id))
        query = in_order(query, (RoleRow.created_at, RoleRow.id), after)
        return [role_from(row) for row in self._session.scalars(query.limit(limit))]

    def add_role(self, role: Role) -> None:
        self._add(
            RoleRow(
                id=role.id,
                organization_id=role.organization_id,
                name=role.name,
                description=role.description,
                audience=role.audience,
                created_at=role.created_at,
                version=role.version,
                shared=role.shared,
            )
        )
        self._bump_version()

    def save_role(self, role: Role, *, was: Role) -> None:
        changed = self._session.execute(
            update(RoleRow)
            .where(
                RoleRow.id == role.id, RoleRow.organization_id == role.organization_id, RoleRow.version == was.version
            )
            .values(description=role.description, version=role.version, shared=role.shared)
        )
        if changed.rowcount != 1:  # type: ignore[attr-defined]  # a CursorResult, for DML
            raise PreconditionFailed
        if role.shared != was.shared:  # nothing is resolved by a description
            self._bump_version()

    def delete_role(self, role: Role) -> None:
        self._session.execute(
            delete(RoleRow).where(RoleRow.organization_id == role.organization_id, RoleRow.id == role.id)
        )
        self._bump_version()

    def roles_of_api(self, organization_id: str, audience: str) -> int:
        query = select(func.count()).where(RoleRow.organization_id == organization_id, RoleRow.audience == audience)
        return self._session.scalars(query).one()

    def shared_roles_of_api(self, audience: str) -> int:
        """How many roles of this API are shared, by whichever organization."""
        return self._session.scalars(select(func.count()).where(RoleRow.audience == audience, RoleRow.shared)).one()

    def _api_row(self, organization_id: str, api_id: str) -> ApiRow | None:
        return self._session.scalars(
            select(ApiRow).where(ApiRow.organization_id == organization_id, ApiRow.id == api_id)
        ).first()

    def _add(self, row: ApiRow | RoleRow) -> None:
        try:
            with self._session.begin_nested():
                self._session.add(row)
        except IntegrityError:
            raise AlreadyThere from None

    def _bump_version(self) -> None:
        """Random rather than the next: a number that a lost future has used means nothing after a restore."""
        drawn = secrets.randbits(62)
        self._session.execute(update(CounterRow).where(CounterRow.name == "catalogue").values(value=drawn))

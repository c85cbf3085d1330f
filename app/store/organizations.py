"""Which organizations and projects are there, and what is known about this installation?"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.store.models import CredentialRow, InstallationRow, OrganizationRow, ProjectRow
from app.store.places import in_order
from app.store.rows import organization_columns, organization_from, project_from
from tokenserver.domain.organizations import Organization, Project
from tokenserver.errors import Conflict, PreconditionFailed


class OrganizationStore:
    def __init__(self, session: Session) -> None:
        self._session = session

    def first(self) -> Organization | None:
        """The default organization: the oldest one."""
        row = self._session.scalars(select(OrganizationRow).order_by(OrganizationRow.created_at).limit(1)).first()
        return None if row is None else organization_from(row)

    def all(self) -> list[Organization]:
        return [organization_from(row) for row in self._session.scalars(select(OrganizationRow))]

    def page(self, after: tuple[int, str] | None, limit: int) -> list[Organization]:
        """Oldest first; `after` is the place of the last one seen."""
        query = in_order(select(OrganizationRow), (OrganizationRow.created_at, OrganizationRow.id), after)
        return [organization_from(row) for row in self._session.scalars(query.limit(limit))]

    def get(self, organization_id: str) -> Organization | None:
        row = self._session.get(OrganizationRow, organization_id)
        return None if row is None else organization_from(row)

    def some(self, organization_ids: Collection[str]) -> list[Organization]:
        query = select(OrganizationRow).where(OrganizationRow.id.in_(organization_ids))
        return [organization_from(row) for row in self._session.scalars(query)]

    def add(self, organization: Organization) -> None:
        self._session.add(OrganizationRow(**organization_columns(organization)))
        self._session.flush()

    def save(self, organization: Organization, *, was: Organization) -> None:
        """Compare and swap on the version; raises PreconditionFailed when somebody else was faster."""
        swapped = self._session.execute(
            update(OrganizationRow)
            .where(OrganizationRow.id == was.id, OrganizationRow.version == was.version)
            .values(organization_columns(organization))
            .execution_options(synchronize_session=False)
        )
        if swapped.rowcount != 1:  # type: ignore[attr-defined]  # what an UPDATE gives
            raise PreconditionFailed
        self._session.expire_all()

    def projects(self, organization_id: str, after: tuple[int, str] | None, limit: int) -> list[Project]:
        """Oldest first; `after` is the place of the last one seen."""
        query = select(ProjectRow).where(ProjectRow.organization_id == organization_id)
        query = in_order(query, (ProjectRow.created_at, ProjectRow.id), after)
        return [project_from(row) for row in self._session.scalars(query.limit(limit))]

    def project(self, organization_id: str, project_id: str) -> Project | None:
        found = select(ProjectRow).where(ProjectRow.id == project_id, ProjectRow.organization_id == organization_id)
        row = self._session.scalars(found).first()
        return None if row is None else project_from(row)

    def has_project(self, organization_id: str, name: str) -> bool:
        found = select(ProjectRow.id).where(ProjectRow.organization_id == organization_id, ProjectRow.name == name)
        return self._session.scalars(found).first() is not None

    def add_project(self, project: Project) -> None:
        if self.has_project(project.organization_id, project.name):
            raise Conflict("There is a project by this name already.")
        self._session.add(
            ProjectRow(
                id=project.id,
                organization_id=project.organization_id,
                name=project.name,
                description=project.description,
                created_at=project.created_at,
                version=project.version,
            )
        )
        self._session.flush()

    def save_project(self, project: Project, *, was: Project) -> None:
        """The description; the name never changes."""
        row = self._session.get_one(ProjectRow, was.id)
        if row.version != was.version:
            raise PreconditionFailed
        row.description, row.version = project.description, project.version
        self._session.flush()

    def delete_project(self, project: Project) -> None:
        self._session.delete(self._session.get_one(ProjectRow, project.id))
        self._session.flush()

    def in_project(self, organization_id: str, name: str) -> list[str]:
        """The client IDs of credentials there, without deleted ones."""
        found = select(CredentialRow.client_id).where(
            CredentialRow.organization_id == organization_id,
            CredentialRow.project == name,
            CredentialRow.deleted_at.is_(None),
        )
        return list(self._session.scalars(found.order_by(CredentialRow.client_id)))

    def fact(self, name: str) -> str | None:
        """A fact about this installation."""
        row = self._session.get(InstallationRow, name)
        return None if row is None else row.value

    def facts(self, prefix: str) -> dict[str, str]:
        """Those whose name begins so, in the order of their names."""
        row = InstallationRow
        query = select(row).where(row.name.startswith(prefix, autoescape=True)).order_by(row.name)
        return {found.name: found.value for found in self._session.scalars(query)}

    def set_fact(self, name: str, value: str) -> None:
        self._session.merge(InstallationRow(name=name, value=value))

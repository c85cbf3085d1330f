"""How do organizations and projects look from outside? Bodies to domain values, and domain values to bodies."""

from __future__ import annotations

from app.api import outputs
from app.api.conditions import etag
from app.api.operation import Answer, Call
from app.inputs.fields import moment_text
from app.inputs.organizations import changing, policy_of
from app.services.organizations import Organizations
from app.settings import Settings
from tokenserver.clock import rfc3339
from tokenserver.domain.organizations import Organization, Project

PATH = "/v1/organizations"
PROJECTS = "/v1/projects"


class OrganizationOperations:
    def __init__(self, organizations: Organizations, settings: Settings) -> None:
        self._organizations = organizations
        self._issuer = settings.issuer

    def create(self, call: Call) -> Answer:
        asked = call.body
        made = self._organizations.create(call.caller, asked.name, policy_of(asked))
        return Answer(shown(made), [("Location", f"{self._issuer}{PATH}/{made.id}"), *etag(made.version)])

    def list(self, call: Call) -> Answer:
        found = self._organizations.list(call.caller, call.page.after_moment, call.page.limit + 1)
        items, cursor, headers = call.page.cut(found, lambda o: (o.created_at, o.id), self._issuer + PATH)
        return Answer(outputs.OrganizationList(items=[shown(item) for item in items], next=cursor), headers)

    def read(self, call: Call) -> Answer:
        return _answer(self._organizations.get(call.caller, call.subject))

    def update(self, call: Call) -> Answer:
        change = changing(call.body)
        return _answer(self._organizations.update(call.caller, call.subject, call.version, change))

    def suspend(self, call: Call) -> Answer:
        return _answer(self._organizations.suspend(call.caller, call.subject, call.version))

    def resume(self, call: Call) -> Answer:
        return _answer(self._organizations.resume(call.caller, call.subject, call.version))

    def end_everything(self, call: Call) -> Answer:
        return _answer(self._organizations.end_everything(call.caller, call.subject, call.version))

    def create_project(self, call: Call) -> Answer:
        made = self._organizations.create_project(call.caller, call.body.name, call.body.description)
        headers = [("Location", f"{self._issuer}{PROJECTS}/{made.id}"), *etag(made.version)]
        return Answer(project_shown(made), headers)

    def list_projects(self, call: Call) -> Answer:
        found = self._organizations.list_projects(call.caller, call.page.after_moment, call.page.limit + 1)
        items, cursor, headers = call.page.cut(found, lambda p: (p.created_at, p.id), self._issuer + PROJECTS)
        return Answer(outputs.ProjectList(items=[project_shown(item) for item in items], next=cursor), headers)

    def read_project(self, call: Call) -> Answer:
        found = self._organizations.get_project(call.caller, call.subject)
        return Answer(project_shown(found), etag(found.version))

    def update_project(self, call: Call) -> Answer:
        description = call.body.given().get("description")
        after = self._organizations.update_project(call.caller, call.subject, call.version, description)
        return Answer(project_shown(after), etag(after.version))

    def delete_project(self, call: Call) -> Answer:
        self._organizations.delete_project(call.caller, call.subject, call.version)
        return Answer(None)


def shown(organization: Organization) -> outputs.Organization:
    return outputs.Organization(
        id=organization.id,
        name=organization.name,
        suspended_at=rfc3339(organization.suspended_at),
        generation=organization.generation.current,
        credential_quota=organization.policy.credential_quota,
        longest_expiry_days=organization.policy.longest_expiry_days,
        names_are_fixed=organization.policy.names_are_fixed,
        created_at=moment_text(organization.created_at),
        version=organization.version,
    )


def project_shown(project: Project) -> outputs.Project:
    return outputs.Project(
        id=project.id,
        name=project.name,
        description=project.description,
        created_at=moment_text(project.created_at),
        version=project.version,
    )


def _answer(organization: Organization) -> Answer:
    return Answer(shown(organization), etag(organization.version))

"""Which operations are there on organizations and projects?"""

from __future__ import annotations

from app.api import examples, outputs
from app.api.conditions import Condition
from app.api.operation import PAGE, Operation
from app.api.organizations import PATH, PROJECTS, OrganizationOperations
from app.inputs import bodies as inputs

_ONE = PATH + "/{organization_id}"
_ONE_PROJECT = PROJECTS + "/{project_id}"


def rows(do: OrganizationOperations) -> tuple[Operation, ...]:
    return (*_organizations(do), *_endings(do), *_projects(do))


def _organizations(do: OrganizationOperations) -> tuple[Operation, ...]:
    return (
        Operation(
            name="createOrganization",
            method="POST",
            path=PATH,
            scope="organizations:write",
            handler=do.create,
            summary="Create an organization",
            description=(
                "Nobody is in it yet: add operators and credentials with the header Tokenserver-Organization, which"
                " names the organization that a platform admin means."
            ),
            takes=inputs.OrganizationCreation,
            gives=outputs.Organization,
            status=201,
            asked=examples.ORGANIZATION_CREATION,
            answered=examples.ORGANIZATION,
        ),
        Operation(
            name="listOrganizations",
            method="GET",
            path=PATH,
            scope="organization:read",
            handler=do.list,
            summary="List organizations",
            description="Oldest first. With the scope organizations:read all of them, otherwise your own.",
            gives=outputs.OrganizationList,
            query=PAGE,
            answered=examples.ORGANIZATIONS,
        ),
        Operation(
            name="readOrganization",
            method="GET",
            path=_ONE,
            scope="organization:read",
            handler=do.read,
            summary="Read an organization",
            description="Your own; with the scope organizations:read any.",
            gives=outputs.Organization,
            answered=examples.ORGANIZATION,
        ),
        Operation(
            name="changeOrganization",
            method="PATCH",
            path=_ONE,
            scope="organization:write",
            handler=do.update,
            summary="Change an organization",
            description="Your own, except for its quota; with the scope organizations:write any, and its quota.",
            takes=inputs.OrganizationChange,
            gives=outputs.Organization,
            condition=Condition.REQUIRED,
            asked=examples.ORGANIZATION_CHANGE,
            answered=examples.ORGANIZATION_CHANGED,
        ),
    )


def _endings(do: OrganizationOperations) -> tuple[Operation, ...]:
    return (
        Operation(
            name="suspendOrganization",
            method="POST",
            path=_ONE + "/suspend",
            scope="organizations:write",
            handler=do.suspend,
            summary="Suspend an organization",
            description=(
                "Every token of all its credentials ends, and no new one is issued until it is resumed. Suspending"
                " twice changes nothing."
            ),
            takes=inputs.Nothing,
            gives=outputs.Organization,
            condition=Condition.OPTIONAL,
            answered=examples.SUSPENDED,
        ),
        Operation(
            name="resumeOrganization",
            method="POST",
            path=_ONE + "/resume",
            scope="organizations:write",
            handler=do.resume,
            summary="Resume an organization",
            description="Its credentials work again; tokens of before do not come back. Twice changes nothing.",
            takes=inputs.Nothing,
            gives=outputs.Organization,
            condition=Condition.OPTIONAL,
            answered=examples.RESUMED,
        ),
        Operation(
            name="endEverything",
            method="POST",
            path=_ONE + "/end-everything",
            scope="organization:write",
            handler=do.end_everything,
            summary="End every token of an organization",
            description=(
                "For an incident: every token of all its credentials ends, this call's own included; secrets go on, so"
                " that apps fetch new ones. As quick with 100,000 credentials as with one."
            ),
            takes=inputs.Nothing,
            gives=outputs.Organization,
            condition=Condition.OPTIONAL,
            answered=examples.EVERYTHING_ENDED,
        ),
    )


def _projects(do: OrganizationOperations) -> tuple[Operation, ...]:
    read, write = "projects:read", "projects:write"
    return (
        Operation(
            name="createProject",
            method="POST",
            path=PROJECTS,
            scope=write,
            handler=do.create_project,
            summary="Create a project",
            description="A label that credentials carry into their tokens. 409: there is one by this name already.",
            takes=inputs.ProjectCreation,
            gives=outputs.Project,
            status=201,
            conflicts=True,
            asked=examples.PROJECT_CREATION,
            answered=examples.PROJECT,
        ),
        Operation(
            name="listProjects",
            method="GET",
            path=PROJECTS,
            scope=read,
            handler=do.list_projects,
            summary="List projects",
            description="Oldest first.",
            gives=outputs.ProjectList,
            query=PAGE,
            answered=examples.PROJECTS,
        ),
        Operation(
            name="readProject",
            method="GET",
            path=_ONE_PROJECT,
            scope=read,
            handler=do.read_project,
            summary="Read a project",
            description="What a token says its bearer works for.",
            gives=outputs.Project,
            answered=examples.PROJECT,
        ),
        Operation(
            name="changeProject",
            method="PATCH",
            path=_ONE_PROJECT,
            scope=write,
            handler=do.update_project,
            summary="Change a project's description",
            description="Its name is what tokens and resource servers know it by, and never changes.",
            takes=inputs.ProjectChange,
            gives=outputs.Project,
            condition=Condition.REQUIRED,
            asked=examples.PROJECT_CHANGE,
            answered=examples.PROJECT_CHANGED,
        ),
        Operation(
            name="deleteProject",
            method="DELETE",
            path=_ONE_PROJECT,
            scope=write,
            handler=do.delete_project,
            summary="Delete a project",
            description="409: credentials are in it; they are moved or deleted first.",
            status=204,
            condition=Condition.OPTIONAL,
            conflicts=True,
        ),
    )

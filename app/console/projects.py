"""The pages of projects: labels that credentials carry into their tokens."""

from __future__ import annotations

from functools import partial

from app.console.editing import MOST_NAMED, listed, meanwhile, version_of
from app.console.page import Page, Pages, Reply, Sent, Shown, Visit, form_pages
from app.inputs.bodies import ProjectChange, ProjectCreation
from app.inputs.checking import check
from app.services.admission import Wanted
from app.services.organizations import Organizations
from tokenserver.errors import TokenServerError

_READ, _WRITE = Wanted("projects:read"), Wanted("projects:write")
_ONE = "/projects/<project_id>"


class ProjectPages:
    def __init__(self, organizations: Organizations) -> None:
        self._organizations = organizations

    def pages(self) -> Pages:
        return (
            Page(name="projects", path="/projects", handler=self.list, wants=_READ),
            *form_pages(
                "create_project", "/projects/new", show=self.new, do=self.create, again=self.new_again, wants=_WRITE
            ),
            Page(name="project", path=_ONE, handler=self.one, wants=_READ),
            Page(
                name="change_project", method="POST", path=_ONE, handler=self.change, again=self.one_again, wants=_WRITE
            ),
            *form_pages(
                "delete_project", f"{_ONE}/delete", show=self.delete_asked, do=self.delete, fresh=True, wants=_WRITE
            ),
        )

    def list(self, visit: Visit) -> Reply:
        find = partial(self._organizations.list_projects, visit.caller)
        projects, cursor = listed(visit, find, lambda project: (project.created_at, project.id))
        return Shown("projects/list.html", {"projects": projects, "cursor": cursor})

    def new(self, _: Visit) -> Reply:
        return Shown("projects/new.html", {"typed": {}})

    def new_again(self, visit: Visit, _: TokenServerError) -> Reply:
        return Shown("projects/new.html", {"typed": {name: visit.form.text(name) for name in ("name", "description")}})

    def create(self, visit: Visit) -> Reply:
        form = visit.form
        asked = check(ProjectCreation, {"name": form.text("name"), "description": form.text("description")})
        made = self._organizations.create_project(visit.caller, asked.name, asked.description)
        return Sent(f"/projects/{made.id}", "created")

    def one(self, visit: Visit) -> Reply:
        project = self._organizations.get_project(visit.caller, visit.id)
        values = {"project": project, "typed": {"description": project.description}, "saved": {}}
        return Shown("projects/one.html", values)

    def one_again(self, visit: Visit, fault: TokenServerError) -> Reply:
        project = self._organizations.get_project(visit.caller, visit.id)
        typed = {"description": visit.form.text("description")}
        return Shown(
            "projects/one.html",
            {"project": project, "typed": typed, **meanwhile(fault, {"description": project.description}, typed)},
        )

    def change(self, visit: Visit) -> Reply:
        change = check(ProjectChange, {"description": visit.form.text("description")})
        self._organizations.update_project(visit.caller, visit.id, version_of(visit.form), change.description)
        return Sent(f"/projects/{visit.id}", "saved")

    def delete_asked(self, visit: Visit) -> Reply:
        project = self._organizations.get_project(visit.caller, visit.id)
        inside, count = self._organizations.credentials_in(visit.caller, project.id, MOST_NAMED)
        return Shown("projects/delete.html", {"project": project, "inside": inside, "count": count})

    def delete(self, visit: Visit) -> Reply:
        self._organizations.delete_project(visit.caller, visit.id, version_of(visit.form))
        return Sent("/projects", "deleted")

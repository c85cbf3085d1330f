"""How does a row of `resources` become commands? create, list, show, update, delete, and its actions.

What changes something is done to the version that was looked at: `update` reads the ETag first, and `--if-version`
names the version that a person has seen. What ends something asks first, and then says which version it means.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tokenserver.cli import narrowing, steps
from tokenserver.cli.failures import Problem, usage
from tokenserver.cli.fields import JSON_OPTION, body_of, flag_of
from tokenserver.cli.finding import identified
from tokenserver.cli.resource import Action, Resource
from tokenserver.cli.secret_file import secret_place
from tokenserver.cli.session import SECRET_FILE, Session, shared_options

_PAGING = (
    click.option("--limit", type=click.IntRange(1), metavar="NUMBER", default=100, help="At most so many (100)."),
    click.option("--all", "everything", is_flag=True, help="All of them, however many."),
    click.option("--cursor", metavar="CURSOR", help="Go on where another list ended."),
)
_IF_VERSION = click.option(
    "--if-version", type=click.IntRange(1), metavar="NUMBER", help="Only if it is still this version."
)
_CASCADE = click.option("--cascade", is_flag=True, help="Take it from credentials that hold it: their tokens end.")


def group_of(resource: Resource) -> click.Group:
    """The commands of one resource."""
    group = click.Group(resource.name, help=resource.help)
    for build in (_create, _list, _show, _update, _delete):
        command = build(resource)
        if command.name not in resource.lacks:
            group.add_command(command)
    for action in resource.actions:
        group.add_command(_action(resource, action))
    return group


def _create(resource: Resource) -> click.Command:
    fields = tuple(field for field in resource.fields if "create" in field.when)

    @shared_options
    def create(session: Session, secret_file: Path | None = None, **given: Any) -> None:
        overwrite, query = given.pop("overwrite", False), _cascading(given)
        body = body_of(fields, given, creating=True)
        if query:
            session.confirm(_CASCADES, str(body.get(resource.title)))
        with secret_place(secret_file, overwrite=overwrite) as place:
            made = _told(lambda: session.admin.call("POST", resource.path, body, query=query).document, flag_of(fields))
            session.reveal(made, resource.secret, place, essence=resource.id)

    command = _command(create, f"Make {resource.one}.", [*_options(fields, creating=True), JSON_OPTION])
    command = _with_cascade(command) if "create" in resource.cascades else command
    return _revealing(command) if resource.secret else command


def _list(resource: Resource) -> click.Command:
    @shared_options
    @paged
    def list_(session: Session, limit: int, *, everything: bool, cursor: str | None, **given: Any) -> None:
        wanted = {name: value for name, value in given.items() if value is not None}
        show_list(session, resource, {**wanted, "cursor": cursor}, None if everything else limit)

    filters = [option for field in resource.filters for option in field.options(creating=False)]
    return _command(list_, f"List {resource.many}.", filters, name="list")


def paged(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a list."""
    for option in reversed(_PAGING):
        option(command)
    return command


def show_list(session: Session, resource: Resource, query: dict[str, Any], limit: int | None) -> None:
    """All pages as one list, with the cursor of what was not shown."""
    items: list[dict[str, Any]] = []
    following: str | None = None
    for page in session.admin.pages(resource.path, query, limit=limit):
        items += page["items"]
        following = page.get("next")
    session.screen.listing({"items": items, "next": following}, resource.columns, essence=resource.id)
    if following is not None and session.output == "table":
        session.screen.note(f"There are more: say --all, or --cursor {following}")


def _show(resource: Resource) -> click.Command:
    @shared_options
    @click.argument("identifier", metavar=resource.metavar)
    def show(session: Session, identifier: str) -> None:
        found = identified(session.admin, resource, identifier)
        session.screen.document(found.document, essence=resource.id, first=(resource.id, resource.title, "status"))

    return _command(show, f"Show all that is known of {resource.one}.")


def _update(resource: Resource) -> click.Command:
    fields = tuple(field for field in resource.fields if "update" in field.when)

    @shared_options
    @click.argument("identifier", metavar=resource.metavar)
    @_IF_VERSION
    def update(session: Session, identifier: str, if_version: int | None, **given: Any) -> None:
        query = _cascading(given)
        body = body_of(fields, given, creating=False)
        one_by_one = steps.steps_of(fields, given, body)
        if not body and not one_by_one:
            raise usage("Nothing to change: say what, by options or by --json.")
        found = identified(session.admin, resource, identifier)
        body |= steps.lists_after(one_by_one, found.document)
        consequence = narrowing.consequence(session.admin, resource.name, found.document, body)
        if consequence or query:
            session.confirm(consequence or _CASCADES, str(found.document.get(resource.title)))
        if_match = f'"{if_version}"' if if_version else found.etag
        changed = _told(
            lambda: session.admin.call("PATCH", _path(resource, found.document), body, query=query, if_match=if_match),
            flag_of(fields),
        )
        session.screen.document(changed.document, essence=resource.id, first=(resource.id, resource.title, "status"))

    command = _command(update, f"Change {resource.one}: what is not said stays as it is.")
    command.params += [*_options(fields, creating=False), *steps.options_of(fields), JSON_OPTION]
    return _with_cascade(command) if "update" in resource.cascades else command


_CASCADES = "What credentials lose by this ends every token of theirs that is out."


def _delete(resource: Resource) -> click.Command:
    @shared_options
    @click.argument("identifier", metavar=resource.metavar)
    @_IF_VERSION
    def delete(session: Session, identifier: str, if_version: int | None, **given: Any) -> None:
        query = _cascading(given)
        found = identified(session.admin, resource, identifier)
        consequence = f"{resource.deletion} {_CASCADES}" if query else resource.deletion
        session.confirm(consequence, str(found.document.get(resource.title)))
        if_match = f'"{if_version}"' if if_version else None if session.yes else found.etag
        session.admin.call("DELETE", _path(resource, found.document), query=query, if_match=if_match)
        session.screen.note(f"Deleted: {found.document.get(resource.id)}")

    command = _command(delete, f"Delete {resource.one}. {resource.deletion}")
    return _with_cascade(command) if "delete" in resource.cascades else command


def _action(resource: Resource, action: Action) -> click.Command:
    @shared_options
    @click.argument("identifier", metavar=resource.metavar)
    @_IF_VERSION
    def act(session: Session, identifier: str, if_version: int | None, **given: Any) -> None:
        place_at, overwrite = given.pop("secret_file", None), given.pop("overwrite", False)
        body = body_of(action.fields, given, creating=False)
        if_match = f'"{if_version}"' if if_version else None
        with secret_place(place_at, overwrite=overwrite) as place:
            found = identified(session.admin, resource, identifier)
            if action.consequence and not session.yes:
                session.confirm(action.consequence, str(found.document.get(resource.title)))
                if_match = if_match or found.etag
            path = _path(resource, found.document) + action.path
            done = _told(
                lambda: session.admin.call("POST", path, body, if_match=if_match).document, flag_of(action.fields)
            )
            if session.output == "table":
                done.pop(resource.name, None)  # what it is like now, which `show` shows
            session.reveal(done, action.secret, place, essence=resource.id)

    command = _command(act, action.help, _options(action.fields, creating=False), name=action.name)
    return _revealing(command) if action.secret else command


def _command(
    run: Callable[..., Any],
    text: str,
    more: list[click.Parameter] | None = None,
    *,
    name: str = "",
) -> click.Command:
    command = click.command(name=name or run.__name__, help=text)(run)
    command.params += more or []
    return command


def _options(fields: tuple[Any, ...], *, creating: bool) -> list[click.Parameter]:
    return [option for field in fields for option in field.options(creating=creating)]


def _revealing(command: click.Command) -> click.Command:
    for option in SECRET_FILE:
        option(command)
    return command


def _with_cascade(command: click.Command) -> click.Command:
    _CASCADE(command)
    return command


def _cascading(given: dict[str, Any]) -> dict[str, str]:
    return {"cascade": "true"} if given.pop("cascade", False) else {}


def _path(resource: Resource, document: dict[str, Any]) -> str:
    return f"{resource.path}/{document[resource.id]}"


def _told(call: Callable[[], Any], place_of: Callable[[str], str]) -> Any:
    """The outcome of `call`; faulty fields are named by their options."""
    try:
        return call()
    except Problem as problem:
        raise problem.naming(place_of) from None

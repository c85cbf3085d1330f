"""`apply`: make the server be as a file says. Shows the plan, asks where something ends, does it; can be repeated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from tokenserver.cli.admin import AdminApi
from tokenserver.cli.carrying_out import Made, SecretsFolder, carry_out
from tokenserver.cli.declaration import LARGEST_FILE, read_declaration
from tokenserver.cli.failures import usage
from tokenserver.cli.piped import piped_in
from tokenserver.cli.planning import Deed, Present, Step, plan
from tokenserver.cli.resources import API, CREDENTIAL, ROLE
from tokenserver.cli.screen import as_json, clean, echo, words
from tokenserver.cli.session import Session, shared_options

_SIGNS = {Deed.CREATE: "+", Deed.CHANGE: "~", Deed.UNCHANGED: "=", Deed.DELETE: "-"}
_ENDING = "What is marked ENDS TOKENS ends every token that is out under it."


@click.command()
@click.option("-f", "--file", "file", required=True, metavar="FILE|-", help="What should be, as YAML.")
@click.option("--plan", "plan_only", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("--prune", is_flag=True, help="Delete what is there and not in the file.")
@click.option("--cascade", is_flag=True, help="Take scopes and roles that go from credentials that hold them.")
@click.option(
    "--secrets-dir",
    type=click.Path(path_type=Path),
    help="Where the secrets of new credentials go, mode 0600; needed when there are new ones.",
)
@shared_options
def apply(
    session: Session, file: str, secrets_dir: Path | None, *, plan_only: bool, prune: bool, cascade: bool
) -> None:
    """Make the server be as a file says: APIs, roles and credentials.

    A second run finds nothing to do. Members that the file does not mention stay as they are, and what it does not
    mention at all stays too, unless --prune is said.
    """
    declaration = read_declaration(Path(file), piped_in(LARGEST_FILE + 1) if file == "-" else None)
    steps = plan(declaration, _present(session), prune=prune)
    if plan_only:
        return _show(session, steps, [])
    folder = _folder(steps, secrets_dir)
    if session.output == "table" and not session.quiet:
        _print(steps)
    if any(step.ends for step in steps):
        session.confirm(_ENDING, "apply")
    made: list[Made] = []
    done: list[Step] = []
    try:
        for step, new in carry_out(session.admin, steps, folder, file=declaration.file, cascade=cascade):
            done.append(step)
            made += [new] if new is not None else []
    finally:
        _tell(session, steps, done, made)


def _present(session: Session) -> Present:
    admin: AdminApi = session.admin

    def all_of(path: str) -> list[dict[str, Any]]:
        return [item for page in admin.pages(path) for item in page["items"]]

    return Present(all_of(API.path), all_of(ROLE.path), all_of(CREDENTIAL.path), session.connection.client_id)


def _folder(steps: Sequence[Step], secrets_dir: Path | None) -> SecretsFolder | None:
    new = any(step.deed is Deed.CREATE and step.kind == CREDENTIAL.name for step in steps)
    if secrets_dir is None:
        if new:
            raise usage("There are new credentials: say with --secrets-dir where their secrets go.")
        return None
    folder = SecretsFolder(secrets_dir)
    folder.make_ready(steps)
    return folder


def _show(session: Session, steps: Sequence[Step], made: Sequence[Made], done: Sequence[Step] | None = None) -> None:
    if session.quiet:
        for one in made:
            echo(clean(one.client_id))
    elif session.output == "json":
        shown = [_as_document(step, None if done is None else step in done) for step in steps]
        created = [{"name": m.name, "client_id": m.client_id, "secret_file": str(m.secret_file)} for m in made]
        echo(as_json({"steps": shown, "changes": _count(steps), "created": created}))
    elif done is None:
        _print(steps)


def _tell(session: Session, steps: Sequence[Step], done: Sequence[Step], made: Sequence[Made]) -> None:
    _show(session, steps, made, done)
    if session.output == "table" and not session.quiet:
        for one in made:
            echo(f"{clean(one.name)}: client ID {clean(one.client_id)}, secret in {clean(str(one.secret_file))}")
        echo(f"Done: {len(done)} of {_count(steps)}.")


def _print(steps: Sequence[Step]) -> None:
    for step in steps:
        ends = "   ENDS TOKENS" if step.ends else ""
        echo(f"{_SIGNS[step.deed]} {step.kind} {clean(step.title)}{ends}")
        for member, before, after in step.differences:
            echo(f"      {member}: {words(before, member)} → {words(after, member)}")
    echo(f"{_count(steps)} to do, {len(steps) - _count(steps)} unchanged.")


def _count(steps: Sequence[Step]) -> int:
    return sum(step.deed is not Deed.UNCHANGED for step in steps)


def _as_document(step: Step, done: bool | None) -> dict[str, Any]:  # noqa: FBT001  a value to show
    shown: dict[str, Any] = {"deed": str(step.deed), "kind": step.kind, "name": step.title, "ends_tokens": step.ends}
    shown["changes"] = [{"member": name, "from": before, "to": after} for name, before, after in step.differences]
    return shown if done is None else {**shown, "done": done}

"""What is every command given? Where the server is, how answers are shown, and whether to ask before something ends.

The options that all commands share may stand before or after the command: `tokenserver --output json role list` and
`tokenserver role list --output json` are the same.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tokenserver.cli.admin import AdminApi
from tokenserver.cli.connection import Connection, connection
from tokenserver.cli.failures import Exit, Failure, usage
from tokenserver.cli.screen import Document, Screen, echo, stop_showing, words

if TYPE_CHECKING:
    from tokenserver.cli.secret_file import SecretPlace

Command = Callable[..., Any]
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")


@dataclass(frozen=True)
class Session:
    output: str = "table"
    quiet: bool = False
    yes: bool = False
    profile: str | None = None
    organization: str | None = None

    @property
    def screen(self) -> Screen:
        return Screen(self.output, quiet=self.quiet)

    @functools.cached_property
    def connection(self) -> Connection:
        return connection(self.profile, os.environ)

    @functools.cached_property
    def admin(self) -> AdminApi:
        from tokenserver.cli.transport import send, stream  # noqa: PLC0415  TLS takes a while to load: not for --help

        return AdminApi(self.connection, send, stream, self.organization)

    def refuse_organization(self, because: str) -> None:
        """For what asks nothing of the admin API: an organization that is named and not meant would mislead."""
        if self.organization is not None:
            raise usage(f"--organization has no meaning here: {because}.")

    def confirm(self, consequence: str, typed: str) -> None:
        """Go on only if a person types the name of what ends, or `--yes` was said."""
        if self.yes:
            return
        if not sys.stdin.isatty():
            raise usage(f"{consequence} Say --yes to do it without being asked.")
        click.echo(words(consequence), err=True)
        answer = click.prompt(f"Type {words(typed)} to go on", default="", show_default=False, err=True)
        if words(answer) != words(typed):
            raise Failure(Exit.NOT_CONFIRMED, "Nothing was done.")

    def reveal(self, document: Document, member: str, place: SecretPlace | None, *, essence: str) -> None:
        """Show what was made, with its secret in a file if there is a place for it, and else here, this once."""
        secret = str(document.get(member, ""))
        if place is not None and secret:
            place.keep(secret)
            shown = {name: value for name, value in document.items() if name != member}
            self.screen.document({**shown, "secret_file": str(place.path)}, essence=essence, first=(essence,))
            return
        try:
            self.screen.document(document, essence=member if secret else essence, first=(essence, member))
            sys.stdout.flush()
        except OSError:
            stop_showing()
            raise Failure(
                Exit.NO, "It was done, but the new secret could not be shown: nobody has seen it. Regenerate it."
            ) from None
        if secret and self.output == "table":
            self.screen.note("The secret is shown this once: keep it where only its owner can read it.")


def shared_options(command: Command) -> Command:
    """Give `command` a Session as its first argument, and the options that choose it."""

    @functools.wraps(command)
    def run(**given: Any) -> Any:
        context = click.get_current_context()
        chosen = {name: given.pop(name) for name in ("output", "quiet", "yes", "profile", "organization")}
        session = context.find_object(Session) or Session()
        said = {name: value for name, value in chosen.items() if value not in (None, False)}
        context.obj = replace(session, **said)
        return command(context.obj, **given)

    for option in reversed(_OPTIONS):
        option(run)
    return run


def _checked_id(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    """It is sent as a header, which it must not end."""
    if text is not None and _ID.fullmatch(text) is None:
        raise usage("--organization: give the ID of an organization, such as `organization list` shows.")
    return text


_OPTIONS = (
    click.option("--output", type=click.Choice(["table", "json"]), help="For people (the default), or for scripts."),
    click.option("--quiet", "-q", is_flag=True, help="Show IDs only, or the secret only."),
    click.option("--yes", "-y", is_flag=True, help="Do not ask before something ends."),
    click.option("--profile", metavar="NAME", help="A profile that `login` stored, rather than the environment."),
    click.option(
        "--organization",
        metavar="ID",
        callback=_checked_id,
        help="For platform admins: another organization than their own.",
    ),
)

SECRET_FILE = (
    click.option(
        "--secret-file",
        type=click.Path(path_type=Path),
        help="Write the secret to this file (mode 0600) instead of showing it.",
    ),
    click.option("--overwrite", is_flag=True, help="Replace the file, in one step, if it is there."),
)


def with_secret_file(command: Command) -> Command:
    """The options for a command that reveals a secret."""
    for option in reversed(SECRET_FILE):
        option(command)
    return command


def show_lines(text: str) -> None:
    """Text of our own, as it is."""
    for line in text.splitlines():
        echo(line)

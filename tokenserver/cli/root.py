"""Which commands are there? A group whose members are loaded when they are typed, so that it starts at once.

Exit codes are those of `failures`, whatever happens. What nobody foresaw is told by its kind and place and without its
text, which may hold a secret.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from typing import Any

import click

from tokenserver import __version__
from tokenserver.cli.failures import Exit
from tokenserver.cli.screen import stop_showing
from tokenserver.cli.session import shared_options

_COMMANDS = {
    "login": ("tokenserver.cli.commands.login", "login", "Store which server is meant, and as whom."),
    "logout": ("tokenserver.cli.commands.login", "logout", "Forget a profile and the secret that was kept with it."),
    "credential": ("tokenserver.cli.commands.credential", "credential", "Credentials: client ID, secret, terms."),
    "token": ("tokenserver.cli.commands.token", "token", "Get a token, or say whether one is good and why not."),
    "api": ("tokenserver.cli.commands.catalogue", "api", "APIs: what tokens are for, with their scopes."),
    "role": ("tokenserver.cli.commands.catalogue", "role", "Roles: what a token says its bearer is."),
    "audit": ("tokenserver.cli.commands.audit", "audit", "The audit log."),
    "apply": ("tokenserver.cli.commands.apply", "apply", "Make the server be as a file says."),
    "organization": ("tokenserver.cli.commands.tenants", "organization", "Organizations: whose credentials they are."),
    "project": ("tokenserver.cli.commands.tenants", "project", "Projects: parts of an organization."),
    "operator": ("tokenserver.cli.commands.tenants", "operator", "Operators: the people who manage."),
    "webhook": ("tokenserver.cli.commands.tenants", "webhook", "Webhooks: where events are told."),
    "leaked": ("tokenserver.cli.commands.leaked", "leaked", "End a secret that was found where it should not be."),
    "completion": ("tokenserver.cli.commands.completion", "completion", "Shell completion: bash, zsh or fish."),
}


class Root(click.Group):
    """Loads a command when it is named; the list of them needs none."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's form
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's form
        found = _COMMANDS.get(cmd_name)
        return None if found is None else getattr(import_module(found[0]), found[1])

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, _, told) in _COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # before click, which has one code for it and for much else
            stop_showing()
            ctx.exit(int(Exit.READER_GONE))

    def main(self, *args: Any, standalone_mode: bool = True, **more: Any) -> Any:
        inner: Callable[..., Any] = super().main

        def run() -> Any:
            return inner(*args, standalone_mode=False, **more)

        return sys.exit(_ended(run)) if standalone_mode else run()


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="tokenserver")
@shared_options
def cli(_session: Any) -> None:
    """Manage a tokenserver: credentials whose tokens end when you say so.

    Which server, and as whom: TOKENSERVER_URL, TOKENSERVER_CLIENT_ID and TOKENSERVER_CLIENT_SECRET (or …_FILE), or a
    profile that `tokenserver login` stored.
    """


def _ended(run: Callable[[], Any]) -> int:
    """Run, and say how it ended; every way out has its code."""
    try:
        outcome = run()
        sys.stdout.flush()
        return outcome if isinstance(outcome, int) else 0
    except click.ClickException as failure:
        failure.show()
        return failure.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return int(Exit.INTERRUPTED)
    except BrokenPipeError:
        stop_showing()
        return int(Exit.READER_GONE)
    except Exception as fault:  # noqa: BLE001  its text may hold a secret, so that only its kind and place are told
        frame = traceback.extract_tb(fault.__traceback__)[-1]
        place = f"{os.path.basename(frame.filename)}:{frame.lineno}"  # noqa: PTH119  a name, not a file to open
        click.echo(f"Unexpected: {type(fault).__name__} at {place}. Please report it.", err=True)
        return int(Exit.NO)

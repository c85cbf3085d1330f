"""The shell knocks: `python -m app` and the name of a command.

`serve`, `migrate`, `bootstrap`, `accept-restore`, and the groups `operators`, `keys`, `audit`, `jobs` and `config`.
Every command is a use case of the services and works beside a running server. A secret is printed once, on standard
output, by the command that made it. Failures are one line on standard error and exit code 1; faulty settings exit with
2.
"""

from __future__ import annotations

import click

from app.cli.audit import audit_commands
from app.cli.config import config_commands
from app.cli.connecting import Connect
from app.cli.jobs import RunnerOf, jobs_commands
from app.cli.keys import keys_commands
from app.cli.operators import operators_commands
from app.cli.serving import installing_commands, serving_commands


def command_line(connect: Connect, runner_of: RunnerOf) -> click.Group:
    """The commands, over services that `connect` makes from the settings."""

    @click.group(context_settings={"help_option_names": ["-h", "--help"]})
    def cli() -> None:
        """The token server."""

    for add in (
        serving_commands,
        installing_commands,
        operators_commands,
        keys_commands,
        audit_commands,
        config_commands,
    ):
        add(cli, connect)
    jobs_commands(cli, connect, runner_of)
    return cli

"""`operators`: how does somebody get in who has lost everything? The last way back, for whoever has the machine."""

from __future__ import annotations

import click

from app.cli.connecting import Connect, plainly, shell, there


def operators_commands(cli: click.Group, connect: Connect) -> None:
    @cli.group()
    def operators() -> None:
        """People who sign in at the console."""

    @operators.command()
    @click.argument("email")
    @click.option(
        "--without-second-factor", is_flag=True, help="Forget their one-time codes, passkeys and recovery codes."
    )
    def link(email: str, without_second_factor: bool) -> None:  # noqa: FBT001  click passes flags by name
        """Print a link that works once, by which the operator sets another password."""
        with plainly():
            services = there(connect)
            made = services.invitations.invite_by_shell(
                shell(services), email, without_second_factor=without_second_factor
            )
        click.echo(made.url)

"""`config`: are the settings good?"""

from __future__ import annotations

import click

from app.cli.connecting import Connect, plainly, warn_of_misspelt
from app.settings import load


def config_commands(cli: click.Group, connect: Connect) -> None:  # noqa: ARG001  the settings need no services
    @cli.group()
    def config() -> None:
        """The settings."""

    @config.command()
    def check() -> None:
        """Say whether the settings are good, without starting anything."""
        with plainly():
            settings = load()
        warn_of_misspelt()
        for name in type(settings).model_fields:
            field = type(settings).model_fields[name]
            shown = getattr(settings, name) if field.repr else "(set)" if getattr(settings, name) else "(not set)"
            click.echo(f"TOKENSERVER_{name.upper()}={shown}")

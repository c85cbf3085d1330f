"""`keys`: list, rotate, revoke, and bring your own."""

from __future__ import annotations

from pathlib import Path

import click

from app.cli.connecting import Connect, plainly, shell, there
from tokenserver.clock import rfc3339
from tokenserver.errors import Refused
from tokenserver.tokens.keys import UnfitKey, signing_key_from_pem

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def keys_commands(cli: click.Group, connect: Connect) -> None:
    @cli.group()
    def keys() -> None:
        """Signing keys."""

    @keys.command("list")
    def list_() -> None:
        """Every signing key, oldest first."""
        with plainly():
            for key in there(connect).keys.list():
                ended = f" revoked {rfc3339(key.revoked_at)}" if key.revoked_at is not None else ""
                click.echo(f"{key.kid} {key.alg} signs from {rfc3339(key.active_from)}{ended}")

    @keys.command()
    def rotate() -> None:
        """Publish a new key now; it signs when every resource server has had time to fetch it."""
        with plainly():
            services = there(connect)
            click.echo(services.keys.rotate(shell(services)))

    @keys.command()
    @click.argument("kid")
    def revoke(kid: str) -> None:
        """Withdraw a key and, within the feed interval, every token it signed."""
        with plainly():
            services = there(connect)
            services.keys.revoke(shell(services), kid)

    @keys.command("import")
    @click.option("--pem", type=_FILE, required=True, help="The private key, as PEM without a password.")
    @click.option("--activate", is_flag=True, help="Sign with it at once, rather than after the key set's lifetime.")
    def import_(pem: Path, activate: bool) -> None:  # noqa: FBT001  click passes flags by name
        """Bring your own private key; it is sealed like the others."""
        with plainly():
            try:
                key = signing_key_from_pem(pem.read_bytes())
            except UnfitKey as fault:
                raise Refused(f"The key cannot be used: {fault}.") from None
            services = there(connect)
            click.echo(services.keys.rotate(shell(services), key, at_once=activate))

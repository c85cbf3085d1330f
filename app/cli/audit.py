"""`audit`: verify the log, here or in a file; export it; sign how far it has come."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from app.cli.connecting import Connect, plainly, there
from tokenserver.errors import Refused
from tokenserver.tokens.audit_record import Flaw, Record
from tokenserver.tokens.keys import VerifyingKey, read_key_set

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def audit_commands(cli: click.Group, connect: Connect) -> None:
    @cli.group()
    def audit() -> None:
        """The audit log."""

    @audit.command("verify")
    @click.argument("file", type=_FILE, required=False)
    @click.option("--jwks", type=_FILE, help="Key set that signed FILE's stubs and checkpoints: see audit jwks.")
    @click.option("--kept", type=_FILE, help="Checkpoints that were put aside, one a line: each must be there.")
    def verify(file: Path | None, jwks: Path | None, kept: Path | None) -> None:
        """Verify the log in the database, or an exported FILE without any server; exits 1 at a bad line."""
        with plainly():
            flaw, believed = _verified(connect, file, jwks, kept)
        if flaw is not None:
            click.echo(f"line {flaw.place}: {flaw.reason}", err=True)
            sys.exit(1)
        click.echo("The audit log is whole.")
        if not believed:
            click.echo("Who signed its stubs and checkpoints was not asked: give the key set with --jwks.")

    @audit.command()
    def export() -> None:
        """Every audit line as JSON, one a line, with the stubs and checkpoints that verifying needs."""
        with plainly():
            for line in there(connect).audit_trail.export():
                click.echo(line)

    _signed(audit, connect)


def _signed(audit: click.Group, connect: Connect) -> None:
    @audit.command()
    def checkpoint() -> None:
        """Sign how far every chain has come, and print it: keep it where nobody reaches the database."""
        with plainly():
            made = there(connect).audit_upkeep.checkpoint()
        if made is not None:
            click.echo(made)

    @audit.command()
    def checkpoints() -> None:
        """Every checkpoint that is kept, oldest first."""
        with plainly():
            for statement in there(connect).audit_trail.checkpoints():
                click.echo(statement)

    @audit.command("jwks")
    def jwks_() -> None:
        """Every public key there ever was, as a key set: what an export is verified with."""
        with plainly():
            keys = [key.jwk for key in there(connect).keys.list()]
        click.echo(json.dumps({"keys": keys}))


def _verified(connect: Connect, file: Path | None, jwks: Path | None, kept: Path | None) -> tuple[Flaw | None, bool]:
    """The first bad line, and whether every signature was checked."""
    put_aside = [] if kept is None else kept.read_text(encoding="ascii", errors="replace").split()
    if file is None:
        return there(connect).audit_trail.verify(put_aside), True
    record = Record(None if jwks is None else _key_set(jwks).get, put_aside)
    with file.open(encoding="utf-8", errors="replace") as lines:
        flaw = record.verify(lines)
    return flaw, jwks is not None or record.checkpoints + record.stubs == 0


def _key_set(path: Path) -> dict[str, VerifyingKey]:
    try:
        return read_key_set(json.loads(path.read_bytes()))
    except (ValueError, RecursionError):
        raise Refused("The file of --jwks holds no key set.") from None

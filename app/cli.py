"""The shell knocks: `python -m app serve | migrate | bootstrap | keys … | audit … | jobs … | config check`.

Every command is a use case of the services and works beside a running server. A secret is printed once, on standard
output, by the command that made it. Failures are one line on standard error and exit code 1; faulty settings exit
with 2.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import click

from app.services import Services
from app.services.audit import Caller
from app.services.clockwork import LastRun
from app.serving import refuse_taken_address, serve_forever
from app.settings import InvalidSettings, Settings, load, unknown_variables
from tokenserver.clock import rfc3339
from tokenserver.errors import Refused, TokenServerError
from tokenserver.tokens.audit_record import Flaw, Record
from tokenserver.tokens.keys import UnfitKey, VerifyingKey, read_key_set, signing_key_from_pem

Connect = Callable[[Settings], Services]
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class Job(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def every_seconds(self) -> float: ...


class Runner(Protocol):
    """The work of the clock (`app.jobs`), which is a door like this one."""

    def run(self) -> None: ...
    def stop(self) -> None: ...
    def last_runs(self) -> Iterable[tuple[Job, LastRun | None]]: ...
    def leader(self) -> str | None: ...


RunnerOf = Callable[[Services], Runner]


def command_line(connect: Connect, runner_of: RunnerOf) -> click.Group:
    """The commands, over services that `connect` makes from the settings."""

    @click.group(context_settings={"help_option_names": ["-h", "--help"]})
    def cli() -> None:
        """The token server."""

    for add in (_serving, _installing, _keys, _audit, _config):
        add(cli, connect)
    _jobs(cli, connect, runner_of)
    return cli


@contextmanager
def _plainly() -> Iterator[None]:
    """Failures that we know become one line, without a traceback."""
    try:
        yield
    except InvalidSettings as fault:
        click.echo(str(fault), err=True)
        sys.exit(2)
    except TokenServerError as fault:
        click.echo(" ".join(filter(None, [fault.public, fault.detail])), err=True)
        sys.exit(1)
    except OSError as fault:
        click.echo(str(fault), err=True)
        sys.exit(1)


def _serving(cli: click.Group, connect: Connect) -> None:
    @cli.command()
    @click.option("--host", help="Address to listen on.")
    @click.option("--port", type=int, help="Port to listen on.")
    def serve(host: str | None, port: int | None) -> None:
        """Migrate (SQLite), make what is missing, and serve until interrupted."""
        with _plainly():
            settings = load(host=host, port=port)
            refuse_taken_address(settings)
            services = connect(settings)
            if settings.on_sqlite:
                services.installation.migrate()
            services.installation.refuse_unless_current()
            services.installation.prepare()
            services.keys.ring()  # a key that cannot be unsealed is better found now than by the first caller
            if sys.stdout.isatty():
                _welcome(services, settings)
        click.echo(f"Serving {settings.issuer} (Ctrl-C ends it).", err=True)
        serve_forever(settings)

    def _welcome(services: Services, settings: Settings) -> None:
        made = services.installation.bootstrap()
        if made.secret is not None:
            click.echo("This is the first start. The admin credential, shown this once:\n")
            click.echo(f"  export TOKENSERVER_URL={settings.issuer}")
            click.echo(f"  export TOKENSERVER_CLIENT_ID={made.client_id}")
            click.echo(f"  export TOKENSERVER_CLIENT_SECRET={made.secret.reveal()}\n")
            click.echo(f"The console, for {made.operator_email}; this link works once:\n\n  {made.setup_url}\n")


def _installing(cli: click.Group, connect: Connect) -> None:
    @cli.command()
    def migrate() -> None:
        """Bring the database's schema up to date."""
        with _plainly():
            done = connect(load()).installation.migrate()
        click.echo("The schema was brought up to date." if done else "The schema is up to date.")

    @cli.command("accept-restore")
    @click.option("--reached", type=int, help="The change that a node which refuses to serve names, if not this one.")
    def accept_restore(reached: int | None) -> None:
        """Go on with a database that was restored from a backup: every token that is out ends."""
        with _plainly():
            reached = _there(connect).installation.accept_restore(reached)
        click.echo(f"Every token has ended; changes go on after {reached}.")
        click.echo("Secrets, roles and restrictions are those of the backup: regenerate what was changed since.")

    @cli.command()
    @click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
    @click.option("--email", help="E-mail address of the first operator.")
    @click.option("--again", is_flag=True, help="Make a fresh admin credential, beside those there are.")
    def bootstrap(as_json: bool, email: str | None, again: bool) -> None:  # noqa: FBT001  click passes flags by name
        """Make the first organization, keys and admin credential; a second call makes nothing new."""
        with _plainly():
            services = connect(load())
            services.installation.migrate()
            made = services.installation.bootstrap(email, again=again)
        secret = made.secret.reveal() if made.secret is not None else None
        told = {
            "organization_id": made.organization_id,
            "operator_email": made.operator_email,
            "setup_url": made.setup_url,
            "client_id": made.client_id,
            "client_secret": secret,
        }
        if as_json:
            click.echo(json.dumps(told))
            return
        for name, value in told.items():
            if value is not None:
                click.echo(f"{name}: {value}")
        if secret is None:
            click.echo("Nothing new was made; --again makes a fresh admin credential.")


def _keys(cli: click.Group, connect: Connect) -> None:
    @cli.group()
    def keys() -> None:
        """Signing keys."""

    @keys.command("list")
    def list_() -> None:
        """Every signing key, oldest first."""
        with _plainly():
            for key in _there(connect).keys.list():
                ended = f" revoked {rfc3339(key.revoked_at)}" if key.revoked_at is not None else ""
                click.echo(f"{key.kid} {key.alg} signs from {rfc3339(key.active_from)}{ended}")

    @keys.command()
    def rotate() -> None:
        """Publish a new key now; it signs when every resource server has had time to fetch it."""
        with _plainly():
            services = _there(connect)
            click.echo(services.keys.rotate(_shell(services)))

    @keys.command()
    @click.argument("kid")
    def revoke(kid: str) -> None:
        """Withdraw a key and, within the feed interval, every token it signed."""
        with _plainly():
            services = _there(connect)
            services.keys.revoke(_shell(services), kid)

    @keys.command("import")
    @click.option("--pem", type=_FILE, required=True)
    @click.option("--activate", is_flag=True, help="Sign with it at once, rather than after the key set's lifetime.")
    def import_(pem: Path, activate: bool) -> None:  # noqa: FBT001  click passes flags by name
        """Bring your own private key; it is sealed like the others."""
        with _plainly():
            try:
                key = signing_key_from_pem(pem.read_bytes())
            except UnfitKey as fault:
                raise Refused(f"The key cannot be used: {fault}.") from None
            services = _there(connect)
            click.echo(services.keys.rotate(_shell(services), key, at_once=activate))


def _audit(cli: click.Group, connect: Connect) -> None:
    @cli.group()
    def audit() -> None:
        """The audit log."""

    @audit.command("verify")
    @click.argument("file", type=_FILE, required=False)
    @click.option("--jwks", type=_FILE, help="Key set that signed FILE's stubs and checkpoints: see audit jwks.")
    @click.option("--kept", type=_FILE, help="Checkpoints that were put aside, one a line: each must be there.")
    def verify(file: Path | None, jwks: Path | None, kept: Path | None) -> None:
        """Verify the log in the database, or an exported FILE without any server; exits 1 at a bad line."""
        with _plainly():
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
        with _plainly():
            for line in _there(connect).audit_trail.export():
                click.echo(line)

    _audit_signed(audit, connect)


def _audit_signed(audit: click.Group, connect: Connect) -> None:
    @audit.command()
    def checkpoint() -> None:
        """Sign how far every chain has come, and print it: keep it where nobody reaches the database."""
        with _plainly():
            made = _there(connect).audit_upkeep.checkpoint()
        if made is not None:
            click.echo(made)

    @audit.command()
    def checkpoints() -> None:
        """Every checkpoint that is kept, oldest first."""
        with _plainly():
            for statement in _there(connect).audit_trail.checkpoints():
                click.echo(statement)

    @audit.command("jwks")
    def jwks_() -> None:
        """Every public key there ever was, as a key set: what an export is verified with."""
        with _plainly():
            keys = [key.jwk for key in _there(connect).keys.list()]
        click.echo(json.dumps({"keys": keys}))


def _verified(connect: Connect, file: Path | None, jwks: Path | None, kept: Path | None) -> tuple[Flaw | None, bool]:
    """The first bad line, and whether every signature was checked."""
    put_aside = [] if kept is None else kept.read_text(encoding="ascii", errors="replace").split()
    if file is None:
        return _there(connect).audit_trail.verify(put_aside), True
    record = Record(None if jwks is None else _key_set(jwks).get, put_aside)
    with file.open(encoding="utf-8", errors="replace") as lines:
        flaw = record.verify(lines)
    return flaw, jwks is not None or record.checkpoints + record.stubs == 0


def _key_set(path: Path) -> dict[str, VerifyingKey]:
    try:
        return read_key_set(json.loads(path.read_bytes()))
    except (ValueError, RecursionError):
        raise Refused("The file of --jwks holds no key set.") from None


def _jobs(cli: click.Group, connect: Connect, runner_of: RunnerOf) -> None:
    @cli.group()
    def jobs() -> None:
        """The work of the clock. A server does it by itself."""

    @jobs.command("list")
    def list_() -> None:
        """Each job with when it last ran and its outcome, and which process does them."""
        with _plainly():
            runner = runner_of(_there(connect))
            for job, last in runner.last_runs():
                told = "never ran" if last is None else f"last ran {rfc3339(last.at)}: {last.outcome}"
                click.echo(f"{job.name} every {job.every_seconds:g} s, {told}")
            leader = runner.leader()
            click.echo("No process does them." if leader is None else f"Process {leader} does them.")

    @jobs.command("run")
    def run_() -> None:
        """Do the work of the clock in the foreground, for servers that do not: those behind another WSGI server."""
        with _plainly():
            services = _there(connect)
            services.installation.refuse_unless_current()
            runner = runner_of(services)
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: runner.stop())
            click.echo("Doing the work of the clock (Ctrl-C ends it).", err=True)
            runner.run()


def _config(cli: click.Group, connect: Connect) -> None:  # noqa: ARG001  the settings need no services
    @cli.group()
    def config() -> None:
        """The settings."""

    @config.command()
    def check() -> None:
        """Say whether the settings are good, without starting anything."""
        with _plainly():
            settings = load()
        for name in unknown_variables(os.environ):
            click.echo(f"{name} is not a setting: is it misspelt?", err=True)
        for name in type(settings).model_fields:
            field = type(settings).model_fields[name]
            shown = getattr(settings, name) if field.repr else "(set)" if getattr(settings, name) else "(not set)"
            click.echo(f"TOKENSERVER_{name.upper()}={shown}")


def _there(connect: Connect) -> Services:
    """The services of an installation that is there: in a wrong folder these commands must not begin a new one."""
    settings = load()
    if settings.on_sqlite and not Path(settings.database_url.removeprefix("sqlite:///")).exists():
        raise InvalidSettings(
            f"There is no installation here: {settings.database_url} does not exist. Set TOKENSERVER_HOME or"
            " TOKENSERVER_DATABASE_URL, or make one with python -m app bootstrap."
        )
    return connect(settings)


def _shell(services: Services) -> Caller:
    return services.installation.prepare()

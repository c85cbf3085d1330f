"""`serve`, `migrate`, `bootstrap`, `accept-restore`: an installation is made, brought up to date, and served."""

from __future__ import annotations

import json
import sys

import click

from app.cli.connecting import Connect, plainly, there, warn_of_misspelt
from app.services import Services
from app.serving import refuse_taken_address, serve_forever
from app.settings import Settings, leads_others_astray, load


def serving_commands(cli: click.Group, connect: Connect) -> None:
    @cli.command()
    @click.option("--host", help="Address to listen on.")
    @click.option("--port", type=int, help="Port to listen on.")
    def serve(host: str | None, port: int | None) -> None:
        """Migrate (SQLite), make what is missing, and serve until interrupted."""
        with plainly():
            settings = load(host=host, port=port)
            _warn(settings)
            refuse_taken_address(settings)
            services = connect(settings)
            if settings.on_sqlite:
                services.installation.migrate()
            services.installation.refuse_unless_current()
            services.installation.prepare()
            services.keys.ring()  # a key that cannot be unsealed is better found now than by the first caller
            if sys.stdout.isatty():
                _welcome(services, settings)
        click.echo(f"Serving {settings.issuer}, the console at {settings.issuer}/console/ (Ctrl-C ends it).", err=True)
        serve_forever(settings)

    def _warn(settings: Settings) -> None:
        warn_of_misspelt()
        if leads_others_astray(settings):
            click.echo(
                f"Other machines can reach this server, but links and tokens say {settings.issuer}:"
                " set TOKENSERVER_ISSUER to the address that they use.",
                err=True,
            )

    def _welcome(services: Services, settings: Settings) -> None:
        made = services.installation.bootstrap()
        if made.secret is not None:
            click.echo("This is the first start. The admin credential, shown this once:\n")
            click.echo(f"  export TOKENSERVER_URL={settings.issuer}")
            click.echo(f"  export TOKENSERVER_CLIENT_ID={made.client_id}")
            click.echo(f"  export TOKENSERVER_CLIENT_SECRET={made.secret.reveal()}\n")
            click.echo(f"The console, for {made.operator_email}; this link works once:\n\n  {made.setup_url}\n")


def installing_commands(cli: click.Group, connect: Connect) -> None:
    @cli.command()
    def migrate() -> None:
        """Bring the database's schema up to date."""
        with plainly():
            done = connect(load()).installation.migrate()
        click.echo("The schema was brought up to date." if done else "The schema is up to date.")

    @cli.command("accept-restore")
    @click.option(
        "--reached", type=int, help="The change that the node which refuses to serve names, where that is another node."
    )
    def accept_restore(reached: int | None) -> None:
        """Go on with a database that was restored from a backup: every token that is out ends."""
        with plainly():
            reached = there(connect).installation.accept_restore(reached)
        click.echo(f"Every token has ended; changes go on after {reached}.")
        click.echo("Secrets, roles and restrictions are those of the backup: regenerate what was changed since.")

    @cli.command()
    @click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
    @click.option("--email", help="E-mail address of the first operator, rather than admin@localhost.")
    @click.option("--again", is_flag=True, help="Make a fresh admin credential, beside those there are.")
    def bootstrap(as_json: bool, email: str | None, again: bool) -> None:  # noqa: FBT001  click passes flags by name
        """Make the first organization, keys and admin credential; a second call makes nothing new."""
        with plainly():
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

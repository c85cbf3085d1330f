"""`login` and `logout`: which server is meant, and as whom. The secret is typed, piped in, or already in a file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from tokenserver.cli.admin import AUDIENCE, fetch_token
from tokenserver.cli.connection import Connection, allows_http, checked_url, value_of
from tokenserver.cli.failures import Exit, Failure, usage
from tokenserver.cli.fields import Reading
from tokenserver.cli.piped import piped_in
from tokenserver.cli.profiles import DEFAULT, Profile, Profiles, checked_name, read_secret
from tokenserver.cli.secret_file import write_private
from tokenserver.cli.session import Session, shared_options
from tokenserver.domain.secret import Secret

_NAME = Reading("NAME", checked_name)


@click.command()
@click.argument("name", type=_NAME, default=DEFAULT)
@click.option("--url", help="The address of the server, such as https://auth.example.com.")
@click.option("--client-id", help="The client ID of the credential that manages.")
@click.option(
    "--secret-file",
    type=click.Path(path_type=Path),
    help="A file that holds the secret and stays where it is; - reads the secret from standard input.",
)
@click.option("--allow-http", is_flag=True, help="Plain http to another machine: the secret passes in clear.")
@click.option("--no-check", is_flag=True, help="Store it without asking the server for a token.")
@shared_options
def login(
    session: Session,
    name: str,
    url: str | None,
    client_id: str | None,
    secret_file: Path | None,
    *,
    allow_http: bool,
    no_check: bool,
) -> None:
    """Store a profile, NAME or `default`: URL, client ID, and where the secret comes from.

    What is not said is taken from the environment (TOKENSERVER_URL and so on), or asked for. The secret is never an
    argument: it is asked for without showing it, read from standard input (--secret-file -), or left in its file.
    """
    session.refuse_organization("a profile is one credential: say it at each command")
    allow_http = allow_http or allows_http(os.environ)
    url = checked_url(url or value_of(os.environ, "URL") or _asked("URL of the server"), allow_http=allow_http)
    client_id = client_id or value_of(os.environ, "CLIENT_ID") or _asked("Client ID")
    profiles = Profiles(os.environ)
    own = profiles.own_secret_file(name)
    kept = own if secret_file is None or str(secret_file) == "-" else secret_file.absolute()
    secret = read_secret(kept) if kept != own else _secret(from_stdin=secret_file is not None)
    if not secret:
        raise usage("The secret is empty.")
    if not no_check:
        _check(Connection(url, client_id, Secret(secret)))
    profiles.make_folder()
    if kept == own:
        write_private(own, secret)
    profiles.put(name, Profile(url, client_id, str(kept), allow_http))
    session.screen.document(
        {"profile": name, "url": url, "client_id": client_id, "secret_file": str(kept)}, essence="profile"
    )


@click.command()
@click.argument("name", type=_NAME, default=DEFAULT)
@shared_options
def logout(session: Session, name: str) -> None:
    """Forget the profile NAME (or `default`), and the secret if `login` kept it."""
    if not Profiles(os.environ).remove(name):
        raise Failure(Exit.NOT_FOUND, f"There is no profile {name}.")
    session.screen.note(f"Forgotten: {name}")


def _asked(what: str) -> str:
    if not sys.stdin.isatty():
        raise usage(f"{what} is missing: say it as an option, or in the environment.")
    return str(click.prompt(what, err=True))


def _secret(*, from_stdin: bool) -> str:
    if from_stdin:
        return piped_in(64 * 1024).rstrip("\r\n")
    found = value_of(os.environ, "CLIENT_SECRET")
    if found is not None:
        return found
    if not sys.stdin.isatty():
        raise usage("The secret is missing: pipe it in with --secret-file -, or name its file.")
    return str(click.prompt("Client secret (not shown)", hide_input=True, err=True))


def _check(connection: Connection) -> None:
    from tokenserver.cli.transport import send  # noqa: PLC0415  TLS takes a while to load

    fetch_token(connection, {"resource": AUDIENCE}, send)

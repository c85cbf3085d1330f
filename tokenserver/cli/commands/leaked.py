"""`leaked`: whoever finds a secret ends it by showing it. No credential is needed, and nobody is told whose it was."""

from __future__ import annotations

import os
import sys
from urllib.parse import urlencode

import click

from tokenserver.cli.admin import read
from tokenserver.cli.connection import url_alone
from tokenserver.cli.failures import usage
from tokenserver.cli.piped import piped_in
from tokenserver.cli.session import Session, shared_options

_LONGEST = 64 * 1024
_CONSEQUENCE = (
    "If it is a secret of this server, all secrets of its credential and every token that is out end now, and nobody"
    " gets a new one."
)


@click.command()
@click.option("--client-id", metavar="CLIENT_ID", help="Whose it seems to be: needed for very old secrets only.")
@click.option("--found-at", "url", metavar="URL", help="Where it was found; kept in the audit log.")
@click.option("--source", metavar="WORDS", help="What found it, such as gitleaks; kept in the audit log.")
@shared_options
def leaked(session: Session, *, client_id: str | None, url: str | None, source: str | None) -> None:
    """End a secret that was found where it should not be.

    The secret is read from standard input, or asked for without showing it; it is never an argument. The answer is the
    same whether it was a secret of the server or not.
    """
    session.refuse_organization("a secret says by itself whose it is")
    server = url_alone(session.profile, os.environ)
    if server is None:
        raise usage("It is not known which server is meant.", "Set TOKENSERVER_URL, or run `tokenserver login`.")
    secret = _found()
    session.confirm(_CONSEQUENCE, "leaked")
    from tokenserver.cli.transport import send  # noqa: PLC0415  TLS takes a while to load

    told = {"client_id": client_id, "url": url, "source": source}
    form = {"secret": secret, **{name: value for name, value in told.items() if value is not None}}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = read(send("POST", f"{server}/oauth/leaked", headers, urlencode(form).encode()))
    session.screen.document(answer, essence="message")


def _found() -> str:
    if sys.stdin.isatty():
        found = str(click.prompt("The secret that was found (not shown)", hide_input=True, err=True))
    else:
        found = piped_in(_LONGEST)
    found = found.strip()
    if not found:
        raise usage("The secret that was found is missing: pipe it in.")
    return found

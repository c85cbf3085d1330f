"""`credential`: the commands of the table, and `claim`, by which an app takes over a secret that was rotated for it."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import click

from tokenserver.cli.admin import basic
from tokenserver.cli.building import group_of
from tokenserver.cli.failures import Problem, unavailable, usage
from tokenserver.cli.resources import CREDENTIAL
from tokenserver.cli.secret_file import secret_place
from tokenserver.cli.session import Session, shared_options, with_secret_file

credential = group_of(CREDENTIAL)


@credential.command()
@click.argument("claim_url")
@with_secret_file
@shared_options
def claim(session: Session, claim_url: str, secret_file: Path | None, *, overwrite: bool) -> None:
    """Take over the new secret of a scheduled rotation.

    CLAIM_URL is in the event that told of the rotation. The credential that was rotated proves itself with its old
    secret, so that this command runs with that credential in the environment or in a profile, not with an
    administrator's. It may be repeated until the new secret has been used.
    """
    from tokenserver.cli.transport import send  # noqa: PLC0415  TLS takes a while to load

    connection = session.connection
    if _origin(claim_url) != _origin(connection.url):
        raise usage("The claim URL is not of the server that is meant: the old secret goes to no other.")
    with secret_place(secret_file, overwrite=overwrite) as place:
        answer = send("POST", claim_url, {"Authorization": basic(connection)}, b"")
        try:
            document = json.loads(answer.body)
        except ValueError:
            document = {}
        if answer.status >= 400:
            raise Problem(answer.status, document if isinstance(document, dict) else {})
        if not isinstance(document, dict) or not isinstance(document.get("client_secret"), str):
            raise unavailable("The server's answer holds no secret.")
        session.reveal(document, "client_secret", place, essence="client_id")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise usage("The claim URL is not an address.") from None
    if "@" in parts.netloc:
        raise usage("The claim URL must not hold a user.")
    return parts.scheme, parts.hostname, port or {"http": 80, "https": 443}.get(parts.scheme)

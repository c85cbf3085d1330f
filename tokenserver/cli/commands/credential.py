"""`credential`: the commands of the table; `usage`, what is done with its tokens; and `claim`, by which an app takes
over a secret that was rotated for it.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import click

from tokenserver.cli.admin import basic, read
from tokenserver.cli.building import group_of
from tokenserver.cli.bulk import bulk_command
from tokenserver.cli.failures import unavailable, usage
from tokenserver.cli.finding import checked_id
from tokenserver.cli.resources import CREDENTIAL
from tokenserver.cli.screen import Column
from tokenserver.cli.secret_file import secret_place
from tokenserver.cli.session import Session, shared_options, with_secret_file

_CLAIM_PATH = "/oauth/rotation/claim"
_LAST_USED = Column("last_used_at", "last used")
_USED = {
    "apis": (
        Column("audience", "API"),
        Column("count"),
        _LAST_USED,
        Column("last_used_from", "from"),
        Column("first_used_at", "first used"),
    ),
    "routes": (Column("route"), Column("count"), _LAST_USED, Column("audience", "API")),
    "statuses": (Column("status"), Column("count")),
    "addresses": (Column("address"), Column("count"), _LAST_USED, Column("first_used_at", "first used")),
}

credential = group_of(CREDENTIAL)
credential.add_command(bulk_command())


@credential.command("usage")
@shared_options
@click.argument("client_id", metavar="CLIENT_ID")
def usage_(session: Session, client_id: str) -> None:
    """Show what was done with its tokens, as far as resource servers report: by API, route, status and address.

    And what of its terms was of no use: grants, scopes and roles that nothing needed.
    """
    found = session.admin.get(f"{CREDENTIAL.path}/{checked_id(client_id)}/usage").document
    session.screen.with_tables(found, _USED, essence="client_id")


@credential.command()
@click.argument("claim_url", required=False)
@with_secret_file
@shared_options
def claim(session: Session, claim_url: str | None, secret_file: Path | None, *, overwrite: bool) -> None:
    """Take over the new secret of a scheduled rotation.

    The credential that was rotated proves itself with its old secret: this command runs with that credential in the
    environment or in a profile, not with an administrator's. CLAIM_URL, from the event that told of the rotation, need
    not be said. It may be repeated until the new secret has been used.
    """
    from tokenserver.cli.transport import send  # noqa: PLC0415  TLS takes a while to load

    session.refuse_organization("a credential claims its own secret")
    connection = session.connection
    claim_url = connection.url + _CLAIM_PATH if claim_url is None else claim_url
    if _origin(claim_url) != _origin(connection.url):
        raise usage("The claim URL is not of the server that is meant: the old secret goes to no other.")
    headers = {"Authorization": basic(connection), "Content-Type": "application/x-www-form-urlencoded"}
    with secret_place(secret_file, overwrite=overwrite) as place:
        document = read(send("POST", claim_url, headers, b""))
        if not isinstance(document.get("client_secret"), str):
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

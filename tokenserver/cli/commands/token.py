"""`token get` and `token inspect`: a token for trying things out, and what a resource server would say of one."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click

from tokenserver.cli.admin import fetch_token
from tokenserver.cli.connection import allows_http, url_alone
from tokenserver.cli.failures import Exit, usage
from tokenserver.cli.inspection import Sources, issuer_to_ask, known_offline, known_online, resolved
from tokenserver.cli.piped import piped_in
from tokenserver.cli.screen import Column, echo
from tokenserver.cli.secret_file import secret_place
from tokenserver.cli.session import Session, shared_options, with_secret_file
from tokenserver.cli.transport import send
from tokenserver.clock import rfc3339, utc_now
from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.errors import InvalidInput
from tokenserver.tokens.explanation import Expected, Explanation, explain

_COLUMNS = (Column("number", "#"), Column("check"), Column("outcome"), Column("reason"))


@click.group()
def token() -> None:
    """Get a token, or say whether one is good and why not."""


@token.command()
@click.option("--scope", "scopes", multiple=True, help="Less than everything that is granted. May be repeated.")
@click.option("--resource", "--audience", "resource", metavar="AUDIENCE", help="The API that it is for.")
@with_secret_file
@shared_options
def get(
    session: Session, scopes: tuple[str, ...], resource: str | None, secret_file: Path | None, *, overwrite: bool
) -> None:
    """A token of the credential that is configured, on standard output and nothing else with it.

    With --output json, all that the token endpoint said.
    """
    session.refuse_organization("a token is of the organization of its credential")
    form = {"scope": " ".join(scopes)} if scopes else {}
    if resource is not None:
        form["resource"] = resource
    with secret_place(secret_file, overwrite=overwrite) as place:
        document = fetch_token(session.connection, form, send)
        if place is not None:
            place.keep(str(document["access_token"]))
            session.screen.note(f"Written to {place.path}; it ends in {document.get('expires_in')} seconds.")
        elif session.output == "json" and not session.quiet:
            session.screen.document(document, essence="access_token")
        else:
            echo(str(document["access_token"]))


@token.command()
@click.argument("token", metavar="TOKEN|-")
@click.option("--ip", "address", metavar="ADDRESS", help="May it be used from this address?")
@click.option("--role", "roles", multiple=True, help="Has it this role? May be repeated.")
@click.option("--scope", "scopes", multiple=True, help="Has it this scope? May be repeated.")
@click.option("--issuer", metavar="URL", help="Who must have issued it. Not said: the server that is configured.")
@click.option("--audience", metavar="AUDIENCE", help="The API that it must be for.")
@click.option(
    "--jwks",
    type=click.Path(path_type=Path),
    help="Work offline with this key set; what has ended since is then not known.",
)
@shared_options
def inspect(
    session: Session,
    token: str,
    *,
    address: str | None,
    roles: tuple[str, ...],
    scopes: tuple[str, ...],
    issuer: str | None,
    audience: str | None,
    jwks: Path | None,
) -> None:
    """Say check by check whether a token is good, and why not; exits with 1 if a check fails.

    `-` reads the token from standard input, which keeps it out of the shell's history. It is never shown.
    """
    session.refuse_organization("a token says by itself whose it is")
    unverified_token = _typed(token)
    if address is not None:
        _check_address(address)
    if issuer is None:
        issuer = url_alone(session.profile, os.environ)
    elif jwks is None:
        issuer = issuer_to_ask(issuer, allow_http=allows_http(os.environ))
    sources = known_offline(jwks) if jwks is not None else known_online(issuer)
    expected = Expected(issuer, audience, sources.endings, address, None, roles, scopes)
    explanation = _explained(unverified_token, sources, expected)
    _show(session, explanation)
    if not explanation.good:
        click.get_current_context().exit(int(Exit.NO))


def _explained(unverified_token: str, sources: Sources, expected: Expected) -> Explanation:
    now = utc_now()
    explanation = explain(unverified_token, sources.key_of, expected, now)
    listed = resolved(explanation, sources) if expected.address is not None else None
    if listed is None:
        return explanation
    return explain(unverified_token, sources.key_of, expected.with_list(listed), now)


def _show(session: Session, explanation: Explanation) -> None:
    rows = [
        {"number": check.number, "check": check.name, "outcome": str(check.outcome), "reason": check.reason}
        for check in explanation.checks
    ]
    claims = explanation.claims
    if session.quiet:
        echo("good" if explanation.good else "not good")
    elif session.output == "json":
        shown = [{**row, "outcome": row["outcome"].lower()} for row in rows]  # type: ignore[attr-defined]
        session.screen.document(
            {"good": explanation.good, "checks": shown, "claims": None if claims is None else claims.raw}, essence=""
        )
    else:
        session.screen.sentences(rows, _COLUMNS)
        if claims is not None:
            echo("")
            session.screen.document(
                {
                    "client_id": claims.client_id,
                    "organization": claims.organization,
                    "project": claims.project,
                    "environment": claims.environment,
                    "generation": claims.generation,
                    "issued_at": rfc3339(claims.issued_at),
                    "token_id": claims.token_id,
                },
                essence="",
            )


def _typed(token: str) -> str:
    text = piped_in(64 * 1024) if token == "-" else token
    tidy = text.strip()
    if not tidy:
        raise usage("There is no token.")
    return re.sub(r"(?i)\A(?:authorization: *)?bearer +", "", tidy)  # a header, as it was copied


def _check_address(address: str) -> None:
    try:
        single = AllowedIPs.parse(address).admits(address)
    except InvalidInput:
        single = False
    if not single:
        raise usage("--ip takes one address, such as 192.0.2.1 or 2001:db8::1.")

"""`audit list` and `audit export`: what happened, as the server remembers it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from tokenserver.cli.building import paged, show_list
from tokenserver.cli.fields import Reading, moment
from tokenserver.cli.resource import Resource
from tokenserver.cli.screen import Column, clean
from tokenserver.cli.session import Session, shared_options
from tokenserver.domain.audit import OUTCOMES

_PATH = "/v1/audit-events"
_EVENTS = Resource(
    name="audit",
    path=_PATH,
    one="an event",
    help="The audit log.",
    columns=(
        Column("at", "when"),
        Column("action"),
        Column("outcome"),
        Column("credential"),
        Column("actor"),
        Column("address", "from"),
        Column("request_id", "request"),
    ),
    fields=(),
)
_MOMENT = Reading("MOMENT", moment)
_FILTERS = (
    click.option("--credential", metavar="CLIENT_ID", help="About this credential."),
    click.option("--actor", help="Done by: credential: and a client ID, shell, clock or stranger."),
    click.option("--action", help="Such as credential:revoked or token:refused, or credential:* for all of a subject."),
    click.option("--outcome", type=click.Choice(OUTCOMES), help="How it ended."),
    click.option("--since", type=_MOMENT, metavar="MOMENT", help="From then on: a date, or a moment."),
    click.option("--until", type=_MOMENT, metavar="MOMENT", help="Until then."),
    click.option("--address", help="From this address, or from within this network."),
)


def _filtered(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_FILTERS):
        option(command)
    return command


@click.group()
def audit() -> None:
    """The audit log: what happened, who did it, from where."""


@audit.command("list")
@shared_options
@_filtered
@paged
def list_(session: Session, limit: int, *, everything: bool, **wanted: Any) -> None:
    """What happened, newest first."""
    show_list(session, _EVENTS, wanted, None if everything else limit)


@audit.command()
@shared_options
@_filtered
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
def export(session: Session, form: str, **wanted: Any) -> None:
    """Every line of the organization as JSON or CSV, byte by byte as the server sent it.

    For reading and searching. What proves that nothing is missing is the whole log, of all organizations: on the
    server, `python -m app audit export > FILE`, and anywhere `python -m app audit verify FILE --jwks JWKS`.
    """
    watched = sys.stdout.isatty()
    for piece in session.admin.export(f"{_PATH}/export", {**wanted, "format": form}):
        if watched:
            lines = piece.decode("utf-8", "replace").split("\n")
            click.echo("\n".join(map(clean, lines)), nl=False)
        else:
            sys.stdout.buffer.write(piece)
    sys.stdout.flush()

"""`organization`, `project`, `operator`, `webhook`: whose credentials they are, who manages them, and who is told."""

from __future__ import annotations

from dataclasses import replace

import click

from tokenserver.cli.building import group_of, paged, show_list
from tokenserver.cli.finding import checked_id
from tokenserver.cli.resource import Resource
from tokenserver.cli.screen import Column
from tokenserver.cli.session import Session, shared_options
from tokenserver.cli.tenancy import OPERATOR, ORGANIZATION, PROJECT, WEBHOOK

organization = group_of(ORGANIZATION)
project = group_of(PROJECT)
operator = group_of(OPERATOR)
webhook = group_of(WEBHOOK)

_DELIVERIES = Resource(
    name="delivery",
    path="/v1/webhooks",
    one="a delivery",
    help="What was sent.",
    columns=(
        Column("id"),
        Column("type"),
        Column("state"),
        Column("attempt_count", "attempts"),
        Column("created_at", "created"),
        Column("next_attempt_at", "next attempt"),
    ),
    fields=(),
)


@webhook.command()
@shared_options
@click.argument("identifier", metavar="ID")
@paged
def deliveries(session: Session, identifier: str, limit: int, *, everything: bool, cursor: str | None) -> None:
    """What was sent to it, newest first, with what came of it."""
    of_one = replace(_DELIVERIES, path=f"{WEBHOOK.path}/{checked_id(identifier)}/deliveries")
    show_list(session, of_one, {"cursor": cursor}, None if everything else limit)


@webhook.command()
@shared_options
@click.argument("identifier", metavar="ID")
@click.argument("delivery", metavar="DELIVERY_ID")
def redeliver(session: Session, identifier: str, delivery: str) -> None:
    """Send it once more, under the same event ID."""
    path = f"{WEBHOOK.path}/{checked_id(identifier)}/deliveries/{checked_id(delivery)}/redeliver"
    session.screen.document(session.admin.call("POST", path).document, essence="id", first=("id", "type", "state"))

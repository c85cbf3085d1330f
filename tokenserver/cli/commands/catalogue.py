"""`api` and `role`: what can be granted; and `api instances`, the proof that a change has arrived."""

from __future__ import annotations

import click

from tokenserver.cli.building import group_of
from tokenserver.cli.finding import identified
from tokenserver.cli.resources import API, ROLE
from tokenserver.cli.screen import Column
from tokenserver.cli.session import Session, shared_options

api = group_of(API)
role = group_of(ROLE)

_INSTANCES = (
    Column("instance"),
    Column("process"),
    Column("applied"),
    Column("seconds_after", "seconds after"),
    Column("silent"),
    Column("feed_seq", "change"),
    Column("reported_at", "last report"),
    Column("untold"),
)


@api.command()
@shared_options
@click.argument("identifier", metavar=API.metavar)
@click.option(
    "--seq",
    type=click.IntRange(0),
    metavar="NUMBER",
    help="Of this change: the feed_seq that regenerate and its like answer. Not said: the last one.",
)
def instances(session: Session, identifier: str, seq: int | None) -> None:
    """Show which resource servers have applied a change, and when; of those that report."""
    found = identified(session.admin, API, identifier).document
    proof = session.admin.get(f"{API.path}/{found['id']}/instances", {"seq": seq}).document
    if session.quiet:
        session.screen.listing({"items": proof.get("instances") or []}, _INSTANCES, essence="process")
        return
    session.screen.with_tables(proof, {"instances": _INSTANCES}, essence="seq")

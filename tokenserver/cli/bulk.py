"""How are many credentials changed at once? First shown, then asked, then all of them or none.

The server is asked what would happen (`dry_run`), and then to do just that, to the very credentials that were shown:
one that matches a filter by then, and did not before, is not touched. New secrets of a rotation go to one file, a JSON
object of client IDs and secrets.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from tokenserver.cli.failures import Exit, Failure, usage
from tokenserver.cli.fields import Reading, body_of, duration
from tokenserver.cli.resources import SELECTION
from tokenserver.cli.screen import Column
from tokenserver.cli.secret_file import secret_place
from tokenserver.cli.session import SECRET_FILE, Session, shared_options

_PATH = "/v1/bulk/credentials"
_ROOM_FOR_ONE = 128
_COLUMNS = (Column("client_id"), Column("changes"), Column("refusal"), Column("client_secret", "secret"))
_CONSEQUENCES = {
    "disable": "Every token of theirs that is out ends now, and no new one is issued.",
    "revoke": "They end for good, with every token that is out. It cannot be undone.",
}


def bulk_command() -> click.Command:
    """`credential bulk`."""
    command = click.command("bulk")(bulk)
    command.params += [option for field in SELECTION for option in field.options(creating=False)]
    for option in SECRET_FILE:
        option(command)
    return command


@shared_options
@click.argument("action", type=click.Choice(["disable", "enable", "revoke", "rotate"]))
@click.argument("client_ids", nargs=-1, metavar="[CLIENT_ID]...")
@click.option("--dry-run", is_flag=True, help="Show what would happen to each, and change nothing.")
@click.option("--reason", help="Of a revocation.")
@click.option("--grace", type=Reading("DURATION", duration), metavar="DURATION", help="Of a rotation: 24h, 7d.")
def bulk(session: Session, action: str, client_ids: tuple[str, ...], *, dry_run: bool, **given: Any) -> None:
    """Disable, enable, revoke or rotate many credentials: those that are named, or those that the options select.

    All of them or none, at most 1,000. What would happen is shown and asked about first.
    """
    secret_file, overwrite = given.pop("secret_file"), given.pop("overwrite")
    asked = _asked(action, client_ids, given)
    planned = session.admin.call("POST", _PATH, {**asked, "dry_run": True}).document
    if dry_run:
        return _show(session, planned)
    _refuse_impossible(planned)
    chosen = [one["client_id"] for one in planned["credentials"]]
    if not chosen:
        raise usage("These options select no credential.")
    if action in _CONSEQUENCES and not session.yes:
        _show(session, planned)
    if action in _CONSEQUENCES:
        session.confirm(_CONSEQUENCES[action], f"{action} {planned['count']}")
    asked.pop("filter", None)
    _do(session, {**asked, "client_ids": chosen}, secret_file, overwrite=overwrite)
    return None


def _asked(action: str, client_ids: tuple[str, ...], given: dict[str, Any]) -> dict[str, Any]:
    asked: dict[str, Any] = {"action": action}
    reason, grace = given.pop("reason"), given.pop("grace")
    wanted = body_of(SELECTION, given, creating=False)
    if bool(client_ids) == bool(wanted):
        raise usage("Name client IDs, or select credentials by options such as --project: one of the two.")
    if (reason and action != "revoke") or (grace and action != "rotate"):
        raise usage("--reason is of revoke, and --grace of rotate.")
    if wanted.get("status"):
        wanted["status"] = wanted["status"].split(",")
    asked |= {"client_ids": list(client_ids)} if client_ids else {"filter": wanted}
    asked |= {"reason": reason} if reason else {}
    return {**asked, "grace_seconds": grace} if grace else asked


def _refuse_impossible(planned: dict[str, Any]) -> None:
    refused = [one for one in planned["credentials"] if one.get("refusal")]
    if refused:
        told = [f"  {one['client_id']}: {one['refusal']}" for one in refused]
        raise Failure(Exit.CONFLICT, "It cannot be done to these, so that it was done to none:", *told)


def _do(session: Session, asked: dict[str, Any], secret_file: Path | None, *, overwrite: bool) -> None:
    room = _ROOM_FOR_ONE * len(asked["client_ids"])
    with secret_place(secret_file, overwrite=overwrite, room=room) as place:
        done = session.admin.call("POST", _PATH, asked).document
        secrets = {one["client_id"]: one["client_secret"] for one in done["credentials"] if one.get("client_secret")}
        if place is not None and secrets:
            place.keep(json.dumps(secrets, indent=2))
            for one in done["credentials"]:
                one["client_secret"] = None
    _show(session, done)


def _show(session: Session, outcome: dict[str, Any]) -> None:
    if session.output == "json" and not session.quiet:
        session.screen.document(outcome, essence="count")
        return
    columns = [column for column in _COLUMNS if any(one.get(column.member) for one in outcome["credentials"])]
    shown = [_COLUMNS[0], *(column for column in columns if column is not _COLUMNS[0])]
    session.screen.listing({"items": outcome["credentials"]}, shown, essence="client_id")

"""Credentials that rotate on schedule, and apps that claim: what tests of rotation are made of."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select

from app.services.claiming import Claim, Claimed
from app.services.credentials import NewSecret
from app.services.terms import Draft
from app.store.models import OutboxRow
from tests.support.names import a_name
from tests.support.workshop import PEER, REPORTS, Workshop
from tokenserver.clock import DAY
from tokenserver.domain.restrictions import Access, Grant, Restrictions
from tokenserver.domain.schedule import OnUnclaimed, RotationSchedule
from tokenserver.domain.secret import Secret

GRACE = 10 * DAY
SCHEDULE = RotationSchedule(90, GRACE)
WITHDRAWING = RotationSchedule(90, GRACE, OnUnclaimed.WITHDRAW)


def client_id(made: NewSecret) -> str:
    return made.view.credential.client_id


def scheduled(workshop: Workshop, schedule: RotationSchedule | None = SCHEDULE, **terms: Any) -> NewSecret:
    """A credential that rotates by `schedule`."""
    chosen = {"grants": (Grant(REPORTS, Access.CUSTOM, frozenset({"reports:read"})),), **terms}
    draft = Draft(a_name("nightly export"), "", Restrictions(**chosen), schedule=schedule)
    return workshop.services.credentials.create(workshop.caller, draft)


def due(workshop: Workshop, *credentials: NewSecret) -> None:
    """The time at which all of these are due has come."""
    moments = [made.view.credential.rotate_at for made in credentials]
    workshop.clock.now = max([workshop.clock.now, *(float(moment) for moment in moments if moment is not None)])


def work(workshop: Workshop) -> int:
    """All that is due at this moment; how many turns it took to do something."""
    turns = 0
    while workshop.services.rotations.work(workshop.clock.now):
        turns += 1
        assert turns < 1000, "it never ends"
    return turns


def waiting(workshop: Workshop, schedule: RotationSchedule = SCHEDULE, **terms: Any) -> NewSecret:
    """A credential whose new secret waits to be claimed."""
    made = scheduled(workshop, schedule, **terms)
    due(workshop, made)
    work(workshop)
    return made


def claim(workshop: Workshop, made: NewSecret | str, secret: Secret | None = None, *, address: str = PEER) -> Claimed:
    """What the claim's address is asked by whoever has `secret`, by default the one of `made`."""
    own = made if isinstance(made, str) else client_id(made)
    if secret is None and not isinstance(made, str):
        secret = made.secret
    return workshop.services.claiming.claim(Claim(own, secret or Secret(""), address, "request"))


def owed(workshop: Workshop, type_: str = "") -> list[dict[str, Any]]:
    """What webhooks have to be told, each with its type."""
    with workshop.services.store.reading() as tx:
        rows = tx.session.scalars(select(OutboxRow).order_by(OutboxRow.at))
        return [{"type": row.type, **json.loads(row.data)} for row in rows if row.type.startswith(type_)]

"""Which changes are webhooks told of? Whatever the audit log records of an organization that somebody listens to.

It is owed in the transaction of the audit line, so that no use case has to remember it, and neither is there without
the other. Where nobody subscribes to it, nothing is written.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence

from sqlalchemy import insert
from sqlalchemy.orm import Session

from app.store.models import OutboxRow
from app.store.webhooks import WebhookStore
from tokenserver.domain.audit import Entry
from tokenserver.domain.webhook import event_type, matches, told


def tell_of(session: Session, entries: Sequence[Entry]) -> None:
    webhooks = WebhookStore(session)
    listening: dict[str, list[str]] = {}
    owed = []
    for entry in entries:
        type_ = event_type(entry)
        if type_ is None:
            continue
        organization = entry.organization
        if organization not in listening:
            listening[organization] = [one for each in webhooks.listening(organization).values() for one in each]
        if matches(listening[organization], type_):
            data = json.dumps(told(entry))
            event_id = "evt_" + secrets.token_hex(12)
            owed.append(
                {"id": event_id, "organization_id": organization, "type": type_, "at": int(entry.at), "data": data}
            )
    if owed:
        session.execute(insert(OutboxRow), owed)

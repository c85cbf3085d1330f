"""What do webhooks have to be told? Written in the transaction of the change, so that neither is there without the
other; told afterwards, by the clock's work.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from app.store.models import OutboxRow


class Outbox:
    def __init__(self, session: Session) -> None:
        self._session = session

    def owe(self, organization_id: str, type_: str, data: Mapping[str, Any], now: float) -> str:
        """Something to tell, such as `credential.expiring`; returns the ID that every delivery of it carries."""
        event_id = "evt_" + secrets.token_hex(12)
        row = OutboxRow(id=event_id, organization_id=organization_id, type=type_, at=int(now), data=json.dumps(data))
        self._session.add(row)
        self._session.flush()
        return event_id

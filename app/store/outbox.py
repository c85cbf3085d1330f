"""What do webhooks have to be told? Written in the transaction of the change, so that neither is there without the
other; told afterwards, by the clock's work.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Table, insert
from sqlalchemy.orm import Session

from app.store.models import OutboxRow


@dataclass(frozen=True, slots=True)
class Owed:
    """Something to tell, and to whom."""

    organization_id: str
    type: str
    data: Mapping[str, Any]


class Outbox:
    def __init__(self, session: Session) -> None:
        self._session = session

    def owe_all(self, owed: Sequence[Owed], now: float) -> None:
        """As `owe`, many at once."""
        rows = [
            {
                "id": "evt_" + secrets.token_hex(12),
                "organization_id": one.organization_id,
                "type": one.type,
                "at": int(now),
                "data": json.dumps(one.data),
            }
            for one in owed
        ]
        if rows:
            self._session.connection().execute(_OWE, rows)

    def owe(self, organization_id: str, type_: str, data: Mapping[str, Any], now: float) -> str:
        """Something to tell, such as `credential.expiring`; returns the ID that every delivery of it carries."""
        event_id = "evt_" + secrets.token_hex(12)
        row = OutboxRow(id=event_id, organization_id=organization_id, type=type_, at=int(now), data=json.dumps(data))
        self._session.add(row)
        self._session.flush()
        return event_id


_OWE = insert(cast(Table, OutboxRow.__table__))

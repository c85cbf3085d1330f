"""How is an audit line written, in the transaction of what it records?

Lines of changes form one chain, `changes`; its head is a row that a change holds from its turn to its end (see
`database`), since changes queue anyway. Each process that issues tokens writes a chain of its own, in `issuing.py`, and
waits for nobody. Only lines of `token:…` are in such chains: who searches for anything else need not look there (see
`audit_search`).
"""

from __future__ import annotations

from typing import cast

from sqlalchemy import Table, bindparam, insert, select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.util import identity_key

from app.store.models import AuditChainRow, AuditEventRow
from app.store.telling import tell_of
from tokenserver.domain.audit import Entry, Head, chained

CHANGES = "changes"


class AuditLog:
    def __init__(self, session: Session) -> None:
        self._session = session

    def append(self, *entries: Entry) -> None:
        """Write `entries` as the next lines of the chain of changes, and owe them to the webhooks that listen."""
        if not entries:
            return
        connection = self._session.connection()
        head = Head(*connection.execute(_HEAD).one())
        rows: list[dict[str, object]] = []
        for entry in entries:
            line = chained(entry, head)
            head = line.head
            rows.append(
                {
                    "chain": CHANGES,
                    "seq": head.seq,
                    "organization_id": entry.organization,
                    "at": int(entry.at),
                    "line": line.text,
                    "hash": head.hash,
                }
            )
        connection.execute(_ADD, rows)
        tell_of(self._session, entries)
        connection.execute(_MOVE_HEAD, {"new_seq": head.seq, "new_hash": head.hash})
        loaded = self._session.identity_map.get(identity_key(AuditChainRow, CHANGES))
        if loaded is not None:
            self._session.expire(loaded)


_CHAINS = cast(Table, AuditChainRow.__table__)
_HEAD = select(_CHAINS.c.chain, _CHAINS.c.seq, _CHAINS.c.hash).where(_CHAINS.c.chain == CHANGES).with_for_update()
_ADD = insert(cast(Table, AuditEventRow.__table__))
_MOVE_HEAD = (
    update(_CHAINS).where(_CHAINS.c.chain == CHANGES).values(seq=bindparam("new_seq"), hash=bindparam("new_hash"))
)

"""How is an audit line written, in the transaction of what it records?

Lines of changes form one chain, `changes`; its head is a row that is locked while a change commits. (Changes queue for
the feed's number anyway, so that this costs no concurrency.) Each process that issues tokens writes a chain of its own,
in `issuing.py`, and waits for nobody. Only lines of `token:…` are in such chains: who searches for anything else need
not look there (see `audit_search`).
"""

from __future__ import annotations

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from app.store.models import AuditChainRow, AuditEventRow
from app.store.telling import tell_of
from tokenserver.domain.audit import Entry, Head, chained

CHANGES = "changes"


class AuditLog:
    def __init__(self, session: Session) -> None:
        self._session = session

    def append(self, *entries: Entry) -> None:
        """Write `entries` as the next lines of the chain of changes, and owe them to the webhooks that listen."""
        row = self._session.scalars(select(AuditChainRow).where(AuditChainRow.chain == CHANGES).with_for_update()).one()
        head = Head(row.chain, row.seq, row.hash)
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
        self._session.execute(insert(AuditEventRow), rows)
        tell_of(self._session, entries)
        self._session.execute(
            update(AuditChainRow)
            .where(AuditChainRow.chain == CHANGES)
            .values(seq=head.seq, hash=head.hash)
            .execution_options(synchronize_session=False)
        )
        self._session.expire(row)

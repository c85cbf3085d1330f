"""What is the whole record of the audit log, and how is its beginning given up?

The record goes on from checkpoint to checkpoint: the lines that one covers, chain by chain, and then itself; so that
whoever reads it needs to remember one head for each chain, and nothing else.

What is pruned is the beginning of a chain, some hundred lines in a transaction; the stub that stands for it is replaced
in the same one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, delete, func, insert, select
from sqlalchemy.orm import Session, aliased

from app.store.models import (
    AuditChainRow,
    AuditCheckpointHeadRow,
    AuditCheckpointRow,
    AuditEventRow,
    AuditStubRow,
)
from tokenserver.domain.audit import Head
from tokenserver.tokens.audit_record import Item, Statement, Stored

_BATCH = 1000
_CHECKPOINTS_AT_ONCE = 20
HeadsOf = Callable[[str], Sequence[Head]]
"""The heads that a checkpoint names."""


@dataclass(frozen=True, slots=True)
class KeptCheckpoint:
    number: int
    at: int
    statement: str


class AuditRecord:
    def __init__(self, session: Session) -> None:
        self._session = session

    # --- read ---

    def heads(self) -> list[Head]:
        rows = self._session.scalars(select(AuditChainRow).order_by(AuditChainRow.chain))
        return [Head(row.chain, row.seq, row.hash) for row in rows if row.seq]

    def items(self, heads_of: HeadsOf) -> Iterator[Item]:
        """Every stub, line and checkpoint, in order; read in batches, so that a long log does not fill the memory."""
        for stub in self.stubs():
            yield Statement("stub", stub)
        reached: dict[str, int] = {}
        for kept in self.checkpoints():
            for head in heads_of(kept.statement):
                yield from self._lines(head.chain, reached.get(head.chain), head.seq)
                reached[head.chain] = max(head.seq, reached.get(head.chain, 0))
            yield Statement("checkpoint", kept.statement)
        for chain in self._chains_with_lines():
            yield from self._lines(chain, reached.get(chain), None)

    def stubs(self) -> list[str]:
        return list(self._session.scalars(select(AuditStubRow.statement).order_by(AuditStubRow.chain)))

    def checkpoints(self) -> Iterator[KeptCheckpoint]:
        """Oldest first."""
        number: int | None = None
        while True:
            query = select(AuditCheckpointRow).order_by(AuditCheckpointRow.number).limit(_CHECKPOINTS_AT_ONCE)
            if number is not None:
                query = query.where(AuditCheckpointRow.number > number)
            rows = self._session.scalars(query).all()
            for row in rows:
                yield KeptCheckpoint(row.number, row.at, row.statement)
            if len(rows) < _CHECKPOINTS_AT_ONCE:
                return
            number = rows[-1].number

    def _lines(self, chain: str, after: int | None, last: int | None) -> Iterator[Stored]:
        """The lines of a chain. What stands where nothing should is among them, to be found out."""
        row = AuditEventRow
        columns = (row.chain, row.seq, row.organization_id, row.at, row.line, row.hash)
        query = select(*columns).where(row.chain == chain)
        if after is not None:
            query = query.where(row.seq > after)
        if last is not None:
            query = query.where(row.seq <= last)
        ordered = query.order_by(row.seq).execution_options(yield_per=_BATCH)
        yield from map(Stored._make, self._session.execute(ordered))

    def some_lines(self, chain: str, after: int | None, last: int | None, most: int) -> list[Stored]:
        """The next lines of a chain, `most` of them at the most."""
        return list(itertools.islice(self._lines(chain, after, last), most))

    def chains_with_lines(self) -> list[str]:
        """Those that have any, from the lines themselves."""
        return list(self._chains_with_lines())

    def checkpoints_after(self, number: int, most: int) -> list[KeptCheckpoint]:
        """The next ones, oldest first."""
        query = select(AuditCheckpointRow).where(AuditCheckpointRow.number > number)
        rows = self._session.scalars(query.order_by(AuditCheckpointRow.number).limit(most))
        return [KeptCheckpoint(row.number, row.at, row.statement) for row in rows]

    def _chains_with_lines(self) -> Iterator[str]:
        """From the lines themselves: one that was inserted need not have a head. Leaps from chain to chain."""
        chain = self._session.scalar(select(func.min(AuditEventRow.chain)))
        while chain is not None:
            yield chain
            chain = self._session.scalar(select(func.min(AuditEventRow.chain)).where(AuditEventRow.chain > chain))

    # --- checkpoints ---

    def last_checkpoint(self) -> KeptCheckpoint | None:
        query = select(AuditCheckpointRow).order_by(AuditCheckpointRow.number.desc()).limit(1)
        row = self._session.scalars(query).first()
        return None if row is None else KeptCheckpoint(row.number, row.at, row.statement)

    def moved(self, most: int) -> list[Head]:
        """The heads that no checkpoint has named yet."""
        told = AuditCheckpointHeadRow
        rows = self._session.scalars(
            select(AuditChainRow)
            .outerjoin(told, told.chain == AuditChainRow.chain)
            .where(AuditChainRow.seq > func.coalesce(told.seq, 0))
            .order_by(AuditChainRow.chain)
            .limit(most)
        )
        return [Head(row.chain, row.seq, row.hash) for row in rows]

    def add_checkpoint(self, kept: KeptCheckpoint, heads: Sequence[Head]) -> None:
        self._session.execute(
            insert(AuditCheckpointRow).values(number=kept.number, at=kept.at, statement=kept.statement)
        )
        self._session.execute(
            delete(AuditCheckpointHeadRow)
            .where(AuditCheckpointHeadRow.chain.in_([head.chain for head in heads]))
            .execution_options(synchronize_session=False)
        )
        self._session.execute(
            insert(AuditCheckpointHeadRow), [{"chain": head.chain, "seq": head.seq} for head in heads]
        )

    def drop_checkpoints(self, last: int) -> None:
        """Those up to number `last`."""
        old = AuditCheckpointRow.number <= last
        self._session.execute(delete(AuditCheckpointRow).where(old).execution_options(synchronize_session=False))

    # --- pruning ---

    def chains_after(self, chain: str, most: int) -> list[tuple[str, int | None]]:
        """Chains that have lines, in the order of their names behind `chain`, each with the time of its first one."""
        stub, row = aliased(AuditStubRow), AuditEventRow
        gone = func.coalesce(stub.seq, 0)
        first = (
            select(row.at)
            .where(row.chain == AuditChainRow.chain, row.seq > gone)
            .order_by(row.seq)
            .limit(1)
            .correlate(AuditChainRow, stub)
            .scalar_subquery()
        )
        query = (
            select(AuditChainRow.chain, first)
            .outerjoin(stub, stub.chain == AuditChainRow.chain)
            .where(and_(AuditChainRow.chain > chain, AuditChainRow.seq > gone))
            .order_by(AuditChainRow.chain)
            .limit(most)
        )
        return [(name, at) for name, at in self._session.execute(query)]

    def stubbed(self, chain: str) -> int:
        """The number of the last line that was pruned; 0 where none was."""
        return self._session.scalar(select(AuditStubRow.seq).where(AuditStubRow.chain == chain)) or 0

    def beginning(self, chain: str, before: int, most: int) -> Head | None:
        """The last of the lines at the beginning of a chain, `most` of them at the most, that are all older."""
        row = AuditEventRow
        query = select(row.seq, row.at, row.hash).where(row.chain == chain, row.seq > self.stubbed(chain))
        last: Head | None = None
        for seq, at, told in self._session.execute(query.order_by(row.seq).limit(most)):
            if at >= before:
                break
            last = Head(chain, seq, told)
        return last

    def drop_lines(self, head: Head) -> None:
        """Those of a chain up to `head`."""
        old = and_(AuditEventRow.chain == head.chain, AuditEventRow.seq <= head.seq)
        self._session.execute(delete(AuditEventRow).where(old).execution_options(synchronize_session=False))

    def set_stub(self, head: Head, statement: str) -> None:
        self._session.merge(AuditStubRow(chain=head.chain, seq=head.seq, hash=head.hash, statement=statement))
        self._session.flush()

"""How is the audit log kept in order? Checkpoints from time to time, and the pruning of what is old enough.

Both are work of the clock, in bounded pieces, and may be cut short at any moment. A checkpoint is its own record and
writes no audit line: it would move the chain that it speaks of, and there would always be a next one. Pruning is told
in the log, in the transaction that prunes.

Lines go when the retention has passed (a setting; none is set by default) from the beginning of their chain, never from
its middle; checkpoints, when they are as old and every line that they name has gone.
"""

from __future__ import annotations

from app.services.keys import SigningKeys
from app.settings import Settings
from app.store import Store, Transaction
from app.store.audit_record import KeptCheckpoint
from tokenserver.clock import DAY, MINUTE, Clock
from tokenserver.domain.audit import Entry, Event, Head
from tokenserver.errors import InvalidToken
from tokenserver.tokens.audit_statements import (
    AUDIT_CHECKPOINT,
    AUDIT_STUB,
    CHECKPOINTS,
    MOST_HEADS,
    Checkpoint,
    Stub,
    hash_of,
    read_checkpoint,
)
from tokenserver.tokens.jws import Signer

CLOCK = "clock"
"""The actor of what nobody asked for."""
LINES_AT_ONCE = 300
"""Of one transaction: tokens wait for their turn to write meanwhile."""
TRANSACTIONS_AT_ONCE = 20
CHAINS_AT_ONCE = 200


class AuditUpkeep:
    def __init__(self, store: Store, keys: SigningKeys, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._issuer = settings.issuer
        self._interval = settings.audit_checkpoint_minutes * MINUTE
        self._kept_days = settings.audit_retention_days
        self._clock = clock
        self._looked_at = ""

    # --- checkpoints ---

    def checkpoint(self) -> str | None:
        """A signed checkpoint of all that there is now; where nothing has moved, the last one. None: no lines yet."""
        more = True
        while more:
            more = self._add_checkpoint(self._clock())
        with self._store.reading() as tx:
            last = tx.audit_record.last_checkpoint()
        return None if last is None else last.statement

    def checkpoint_if_due(self, now: float) -> bool:
        """A checkpoint (several, of very many chains) when the last is old enough and a chain has moved. Never more."""
        with self._store.reading() as tx:
            last = tx.audit_record.last_checkpoint()
            due = last is None or not 0 <= now - last.at < self._interval
            if not due or not tx.audit_record.moved(1):
                return False
        while self._add_checkpoint(now):
            pass
        return False

    def _add_checkpoint(self, now: float) -> bool:
        """Whether it was full, so that another one is needed."""
        signer = Signer(self._keys.ring().statement.key, AUDIT_CHECKPOINT)
        with self._store.writing() as tx:
            heads = tx.audit_record.moved(MOST_HEADS)
            if not heads:
                return False
            before = self._last_link(tx)
            told = Checkpoint(self._issuer, int(now), before.seq + 1, before.hash, tuple(heads))
            kept = KeptCheckpoint(told.number, told.issued_at, signer.sign(told.payload()))
            tx.audit_record.add_checkpoint(kept, heads)
        return len(heads) == MOST_HEADS

    def _last_link(self, tx: Transaction) -> Head:
        last = tx.audit_record.last_checkpoint()
        return Head(CHECKPOINTS) if last is None else Head(CHECKPOINTS, last.number, hash_of(last.statement))

    # --- pruning ---

    def prune(self, now: float) -> bool:
        """Some thousand lines that are older than the retention. True: there may be more."""
        if self._kept_days is None:
            return False
        before, left = int(now) - self._kept_days * DAY, TRANSACTIONS_AT_ONCE
        with self._store.reading() as tx:
            chains = tx.audit_record.chains_after(self._looked_at, CHAINS_AT_ONCE)
        for chain, first in chains:
            while first is not None and first < before:
                if not left:
                    return True
                left -= 1
                if not self._prune_lines(chain, before, now):
                    break
            self._looked_at = chain
        if len(chains) == CHAINS_AT_ONCE:
            return True
        self._looked_at = ""
        return self._prune_checkpoints(before, now)

    def _prune_lines(self, chain: str, before: int, now: float) -> bool:
        """Whether there may be more to prune at the beginning of this chain."""
        signer = self._stub_signer()
        with self._store.writing() as tx:
            begins = tx.audit_record.stubbed(chain) + 1
            last = tx.audit_record.beginning(chain, before, LINES_AT_ONCE)
            if last is None:
                return False
            tx.audit_record.drop_lines(last)
            tx.audit_record.set_stub(last, signer.sign(Stub(self._issuer, int(now), last).payload()))
            tx.audit.append(_pruned(last, begins, now))
        return last.seq - begins + 1 == LINES_AT_ONCE

    def _prune_checkpoints(self, before: int, now: float) -> bool:
        """Whether there may be more of them."""
        signer = self._stub_signer()
        with self._store.writing() as tx:
            last: Head | None = None
            most = tx.audit_record.last_checkpoint()
            for count, kept in enumerate(tx.audit_record.checkpoints()):
                if count == LINES_AT_ONCE or kept.at >= before or kept == most or not _is_empty(tx, kept):
                    break
                last = Head(CHECKPOINTS, kept.number, hash_of(kept.statement))
            if last is None:
                return False
            begins = tx.audit_record.stubbed(CHECKPOINTS) + 1
            tx.audit_record.drop_checkpoints(last.seq)
            tx.audit_record.set_stub(last, signer.sign(Stub(self._issuer, int(now), last).payload()))
            tx.audit.append(_pruned(last, begins, now))
        return last.seq - begins + 1 == LINES_AT_ONCE

    def _stub_signer(self) -> Signer:
        return Signer(self._keys.ring().statement.key, AUDIT_STUB)


def _is_empty(tx: Transaction, kept: KeptCheckpoint) -> bool:
    """Whether every line that it covers is gone."""
    try:
        heads = read_checkpoint(kept.statement, None).heads
    except InvalidToken:  # it was edited, which is for `verify` to find
        return False
    return all(head.seq <= tx.audit_record.stubbed(head.chain) for head in heads)


def _pruned(last: Head, begins: int, now: float) -> Entry:
    detail = {"chain": last.chain, "from": begins, "to": last.seq}
    return Entry(Event.AUDIT_PRUNED, now, CLOCK, detail=detail)

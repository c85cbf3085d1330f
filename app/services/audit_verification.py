"""Is the audit log still whole? Verified in the background, all of it, once an hour, or once a day where it is long;
and when it last was, and with what outcome.

It is what `audit verify` does, in pieces of their own transactions, so that a long log holds up nobody: up to the heads
that there were at the beginning. Should lines be pruned meanwhile, it begins again. A verification by the server's own
process tells of accidents and of edits in the database; against whoever controls the server there are exports and
checkpoints, which are verified elsewhere.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice

from app.store import Store, Transaction
from tokenserver.clock import DAY, HOUR, Clock
from tokenserver.domain.audit import Head
from tokenserver.domain.audit_chain import Broken
from tokenserver.errors import InvalidToken
from tokenserver.tokens.audit_record import Item, Record, Statement, Stored
from tokenserver.tokens.audit_statements import read_checkpoint
from tokenserver.tokens.keys import verifying_key

log = logging.getLogger("tokenserver.audit")

AT_ONCE = 5000
"""Lines of one piece: some 40 ms."""
SHORT = 100_000
"""Lines that may be verified once an hour: a second of work."""
_FACT = "audit_verified"


@dataclass(frozen=True, slots=True)
class Verdict:
    """At which moment so many lines were verified, and the first flaw, if there is one."""

    at: int
    lines: int
    checkpoints: int
    flaw: str | None = None


@dataclass
class _Walk:
    record: Record
    items: Iterator[Item]
    heads: list[Head]
    stubs: list[str]


class AuditVerification:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._walk: _Walk | None = None

    def verdict(self) -> Verdict | None:
        """The last one; None before the first."""
        with self._store.reading() as tx:
            return verdict_of(tx)

    def last_checkpoint(self) -> int | None:
        """When the heads of all chains were last signed."""
        with self._store.reading() as tx:
            kept = tx.audit_record.last_checkpoint()
        return None if kept is None else kept.at

    def piece(self, now: float) -> bool:
        """Verify some more, where a verification is due or begun. Never asks to be called again at once."""
        if self._walk is None:
            last = self.verdict()
            if last is not None and 0 <= now - last.at < (HOUR if last.lines < SHORT else DAY):
                return False
            self._walk = self._begun()
        walk, self._walk = self._walk, None  # what fails in the midst of it is begun again
        flaw = None
        try:
            if _go_on(walk):
                self._walk = walk
                return False
        except Broken as fault:
            flaw = str(fault)
        except InvalidToken:
            flaw = "a statement cannot be believed"
        with self._store.writing() as tx:
            if tx.audit_record.stubs() != walk.stubs:  # the beginning was pruned under our eyes
                return False
            verdict = Verdict(int(now), walk.record.lines, walk.record.checkpoints, flaw)
            tx.organizations.set_fact(_FACT, json.dumps(asdict(verdict)))
        if flaw is not None:
            log.error("the audit log is not whole: %s", flaw)
        return False

    def _begun(self) -> _Walk:
        with self._store.reading() as tx:
            keys = {key.kid: key for key in map(verifying_key, (k.jwk for k in tx.keys.all())) if key is not None}
            heads, stubs = tx.audit_record.heads(), tx.audit_record.stubs()
            last, chains = tx.audit_record.last_checkpoint(), tx.audit_record.chains_with_lines()
        items = self._items(heads, stubs, chains, 0 if last is None else last.number)
        return _Walk(Record(keys.get), items, heads, stubs)

    def _items(self, heads: list[Head], stubs: list[str], chains: list[str], last_checkpoint: int) -> Iterator[Item]:
        """As the store's `items`, up to `heads`; no transaction is open while it waits."""
        for stub in stubs:
            yield Statement("stub", stub)
        reached: dict[str, int] = {}
        number = 0
        while number < last_checkpoint:
            with self._store.reading() as tx:
                kept = tx.audit_record.checkpoints_after(number, 1)
            if not kept:
                break
            for head in read_checkpoint(kept[0].statement, None).heads:
                yield from self._lines(head.chain, reached.get(head.chain), head.seq)
                reached[head.chain] = max(head.seq, reached.get(head.chain, 0))
            yield Statement("checkpoint", kept[0].statement)
            number = kept[0].number
        ends = {head.chain: head.seq for head in heads}
        for chain in chains:
            yield from self._lines(chain, reached.get(chain), ends.get(chain))

    def _lines(self, chain: str, after: int | None, last: int | None) -> Iterator[Stored]:
        while True:
            with self._store.reading() as tx:
                lines = tx.audit_record.some_lines(chain, after, last, AT_ONCE)
            yield from lines
            if len(lines) < AT_ONCE:
                return
            after = lines[-1].seq


def verdict_of(tx: Transaction) -> Verdict | None:
    """The last one; None before the first."""
    fact = tx.organizations.fact(_FACT)
    return None if fact is None else Verdict(**json.loads(fact))


def _go_on(walk: _Walk) -> bool:
    """Whether there is more after this piece; raises Broken, InvalidToken."""
    taken = 0
    for item in islice(walk.items, AT_ONCE):
        walk.record.take(item)
        taken += 1
    if taken == AT_ONCE:
        return True
    walk.record.end(walk.heads)
    return False

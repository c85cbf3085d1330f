"""Is a whole record of the audit log what was written? Lines, stubs and checkpoints, verified in one pass.

A record is read from its beginning: first the stubs (`{"stub":"…"}`) of chains whose beginning was pruned, then lines,
and behind what it covers each checkpoint (`{"checkpoint":"…"}`). Each chain must stand exactly where a checkpoint says,
so that a line that was cut off before it, or rewritten with every hash after it, is found. What is remembered is one
head for each chain.

Signatures are checked where the keys are known. Without them, stubs and checkpoints are as good as the lines: whoever
can rewrite the record as a whole can rewrite them, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from tokenserver.domain.audit import Head, Line
from tokenserver.domain.audit_chain import Broken, Chains, refuse_unless_repeated
from tokenserver.errors import InvalidToken
from tokenserver.tokens.audit_statements import CHECKPOINTS, first_checkpoint, hash_of, read_checkpoint, read_stub
from tokenserver.tokens.jws import KeyOf, UnknownKey

_STATEMENT = re.compile(r'\{"(stub|checkpoint)":"([A-Za-z0-9_.-]+)"\}')
_LINE_BEGINS = '{"chain":'


@dataclass(frozen=True, slots=True)
class Flaw:
    """The first bad line of a record: its place in the input (from 1) and what is wrong with it."""

    place: int
    reason: str


class Stored(NamedTuple):
    """A line as a row of the database; a tuple, since making one costs a tenth of making values that are frozen."""

    chain: str
    seq: int
    organization: str
    at: int
    text: str
    hash: str

    @property
    def line(self) -> Line:
        return Line(Head(self.chain, self.seq, self.hash), self.text)

    def exported(self) -> str:
        return self.line.exported()


@dataclass(frozen=True, slots=True)
class Statement:
    """A stub or a checkpoint as it is kept; `kind` says which."""

    kind: str
    text: str

    def exported(self) -> str:
        return json.dumps({self.kind: self.text}, separators=(",", ":"))


Item = str | Stored | Statement


class Record:
    """Verifies one record; counts what it has seen. `kept` are checkpoints that somebody put aside: each must occur.

    All at once (`verify`), or item by item (`take`, then `end`); the two raise `Broken` and InvalidToken.
    """

    def __init__(self, key_of: KeyOf | None = None, kept: Iterable[str] = ()) -> None:
        self._key_of = key_of
        self._kept = set(kept)
        self._chains = Chains()
        self._checkpoint = first_checkpoint()
        self.lines = 0
        self.stubs = 0
        self.checkpoints = 0

    def verify(self, items: Iterable[Item], heads: Iterable[Head] | None = None) -> Flaw | None:
        """The first flaw, or None. With `heads`, each chain must end where its head says."""
        place = 0
        try:
            for item in items:
                place += 1
                self.take(item)
            place += 1
            self.end(heads)
        except Broken as broken:
            return Flaw(place, str(broken))
        except InvalidToken as fault:
            return Flaw(place, f"the statement cannot be believed: {fault.detail}")
        return None

    def take(self, item: Item) -> None:
        """The next one."""
        if isinstance(item, Stored):
            self._chains.follow(item.text, item.hash)
            refuse_unless_repeated(item.text, item.chain, item.seq, item.organization, item.at)
        elif isinstance(item, Statement):
            return self._state(item.kind, item.text)
        elif item.startswith(_LINE_BEGINS):
            self._chains.follow_exported(item.rstrip("\n"))
        else:
            found = _STATEMENT.fullmatch(item.rstrip("\n"))
            if found is None:
                raise Broken("not an audit line")
            return self._state(found.group(1), found.group(2))
        self.lines += 1
        return None

    def _state(self, kind: str, text: str) -> None:
        try:
            if kind == "stub":
                self._stub(text)
            else:
                self._mark(text)
        except UnknownKey:
            raise Broken("it is signed by a key that is not in the key set") from None

    def _stub(self, text: str) -> None:
        head = read_stub(text, self._key_of).head
        if head.chain != CHECKPOINTS:
            self._chains.begin(head)
        elif self.checkpoints or self._checkpoint.seq:
            raise Broken("the stub of the checkpoints does not stand before them")
        else:
            self._checkpoint = head
        self.stubs += 1

    def _mark(self, text: str) -> None:
        told = read_checkpoint(text, self._key_of)
        if told.number != self._checkpoint.seq + 1:
            raise Broken(f"checkpoint {self._checkpoint.seq + 1} was expected: one was removed, inserted or moved")
        if told.prev != self._checkpoint.hash:
            raise Broken("it does not follow the checkpoint before it: one was replaced")
        for head in told.heads:
            self._chains.agree(head, f"what checkpoint {told.number} says")
        self._checkpoint = Head(CHECKPOINTS, told.number, hash_of(text))
        self._kept.discard(text)
        self.checkpoints += 1

    def end(self, heads: Iterable[Head] | None = None) -> None:
        """There are no more."""
        if heads is not None:
            self._chains.agree_on_all(heads, "its head")
        pruned = self._checkpoint.seq - self.checkpoints
        for text in self._kept:
            if read_checkpoint(text, self._key_of).number > pruned:
                raise Broken("a checkpoint that was kept is not in the record: it was cut off or rewritten")


def verify(items: Iterable[Item], heads: Iterable[Head] | None = None) -> Flaw | None:
    """The first flaw of a record, signatures unchecked."""
    return Record().verify(items, heads)

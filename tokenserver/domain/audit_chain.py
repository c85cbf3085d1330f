"""Can anybody have edited the record? Chains of audit lines, followed line by line.

An edited, removed, reordered or inserted line breaks a hash, a number or the link to the line before. Lines cut off the
end of a chain are found where somebody else knows how far the chain went: its head, or a checkpoint (`agree`). A chain
whose beginning was pruned goes on from the head that a stub names (`begin`).

What is remembered is one head for each chain, however long they are. Nothing is parsed that need not be: whatever a
line says, it is what its hash covers that counts.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from functools import lru_cache

from tokenserver.clock import rfc3339
from tokenserver.domain.audit import GENESIS, Head

_BEGINNING = re.compile(r'\{"chain":"([A-Za-z0-9_-]{1,64})","seq":([1-9][0-9]{0,17}),')
_HASH = re.compile(r"[0-9a-f]{64}")
_ORGANIZATION = re.compile(r',"organization":"((?:[^"\\]|\\.)*)"')
_SHA256, _MEMBER = 64, len(',"hash":"')
_AFTER = _SHA256 + len('"}')
"""Characters of a hash with what closes the line: the last member's place is known without looking for it."""

_second = lru_cache(maxsize=8)(rfc3339)
_text = json.encoder.encode_basestring_ascii


class Broken(Exception):
    """The record is not what was written; the text says why."""


class Chains:
    """Follows chains, in any mixture, each in its own order; raises Broken at the first line that does not fit."""

    def __init__(self) -> None:
        self._reached: dict[str, tuple[int, str]] = {}
        self._pruned: dict[str, int] = {}

    def begin(self, head: Head) -> None:
        """The chain was pruned up to `head`."""
        if head.chain in self._reached:
            raise Broken(f"the stub of chain {head.chain} does not stand before its lines")
        self._reached[head.chain] = head.seq, head.hash
        self._pruned[head.chain] = head.seq

    def follow_exported(self, exported: str) -> None:
        """The next line, as it stands in an export."""
        cut = -_AFTER - _MEMBER
        if exported[cut:-_AFTER] != ',"hash":"' or exported[-2:] != '"}':
            raise Broken("not an audit line")
        self.follow(exported[:cut] + "}", exported[-_AFTER:-2])

    def follow(self, text: str, told: str) -> None:
        """The next line: what its hash covers, and the hash that it was given."""
        if hashlib.sha256(text.encode("utf-8", "replace")).hexdigest() != told:
            raise Broken("the text does not match its hash: it was edited")
        begins = _BEGINNING.match(text)
        if begins is None or text[-_AFTER - _MEMBER : -_AFTER] != ',"prev":"' or text[-2:] != '"}':
            raise Broken("not an audit line")
        chain, seq = begins.group(1), int(begins.group(2))
        before, prev = self._reached.get(chain, (0, GENESIS))
        if seq != before + 1:
            raise Broken(f"line {before + 1} of its chain was expected: one was removed, inserted or moved")
        if text[-_AFTER:-2] != prev:
            raise Broken("it does not follow the line before it: one was replaced")
        self._reached[chain] = seq, told

    def agree(self, head: Head, witness: str) -> None:
        """Raise Broken unless the chain stands exactly at `head`, or was pruned beyond it. `witness` says so."""
        if head.seq < self._pruned.get(head.chain, 0):
            return
        seq, told = self._reached.get(head.chain, (0, GENESIS))
        if seq != head.seq:
            raise Broken(f"chain {head.chain} ends at line {seq}, but {witness} is line {head.seq}")
        if told != head.hash:
            raise Broken(f"chain {head.chain} was rewritten: {witness} has another hash")

    def agree_on_all(self, heads: Iterable[Head], witness: str) -> None:
        """As `agree`, and no chain may be without its head."""
        known = set()
        for head in heads:
            known.add(head.chain)
            self.agree(head, witness)
        strangers = self._reached.keys() - known
        if strangers:
            raise Broken(f"chain {min(strangers)} has no head: it was inserted, or its head was removed")


def refuse_unless_repeated(text: str, chain: str, seq: int, organization: str, at: int) -> None:
    """Raise Broken unless the columns beside a line, which are what is searched by, repeat what its text says."""
    begins = f'{{"chain":{_text(chain)},"seq":{seq},"at":"{str(_second(at))[:-1]}.'
    found = _ORGANIZATION.search(text)
    if not text.startswith(begins) or found is None or found.group(1) != _text(organization)[1:-1]:
        raise Broken("its row says otherwise than the line: the row was edited")


def looks_like_hash(text: object) -> bool:
    return isinstance(text, str) and _HASH.fullmatch(text) is not None

"""What does the server vouch for, of its own audit log? Checkpoints and stubs, signed with the keys of the JWKS.

A *checkpoint* (`audit-checkpoint+jwt`) says how far each chain had come: number and hash of its last line, for every
chain that moved since the checkpoint before, so that all of them together tell the heads of all chains at each of these
moments. Checkpoints are numbered and each names the hash of the one before: they form a chain of their own.

A *stub* (`audit-stub+jwt`) stands for the lines that were pruned from the beginning of a chain: number and hash of the
last of them. The chain of checkpoints can have one as well, under the name `checkpoints`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tokenserver.domain.audit import GENESIS, Head
from tokenserver.domain.audit_chain import looks_like_hash
from tokenserver.domain.generation import LARGEST
from tokenserver.errors import InvalidToken
from tokenserver.tokens.jws import KeyOf, open_signed, unverified_payload

AUDIT_CHECKPOINT = "audit-checkpoint+jwt"
AUDIT_STUB = "audit-stub+jwt"
CHECKPOINTS = "checkpoints"
"""The chain that checkpoints form."""
MOST_HEADS = 1000
"""Of one checkpoint: what moved beyond them is told by the next."""
LONGEST_AUDIT_STATEMENT = 512 * 1024


@dataclass(frozen=True, slots=True)
class Checkpoint:
    issuer: str
    issued_at: int
    number: int
    prev: str
    heads: tuple[Head, ...]

    def payload(self) -> dict[str, Any]:
        return {
            "iss": self.issuer,
            "iat": self.issued_at,
            "number": self.number,
            "prev": self.prev,
            "heads": [[head.chain, head.seq, head.hash] for head in self.heads],
        }


@dataclass(frozen=True, slots=True)
class Stub:
    issuer: str
    issued_at: int
    head: Head

    def payload(self) -> dict[str, Any]:
        return {
            "iss": self.issuer,
            "iat": self.issued_at,
            "chain": self.head.chain,
            "seq": self.head.seq,
            "hash": self.head.hash,
        }


def hash_of(statement: str) -> str:
    """What the next checkpoint names as `prev`."""
    return hashlib.sha256(statement.encode("utf-8", "replace")).hexdigest()


def read_checkpoint(unverified_text: str, key_of: KeyOf | None) -> Checkpoint:
    """The checkpoint that a key of ours has signed; without `key_of`, what the text says of itself."""
    raw = _payload(unverified_text, AUDIT_CHECKPOINT, key_of)
    heads = raw.get("heads")
    if not isinstance(heads, list) or not all(isinstance(row, list) and len(row) == 3 for row in heads):
        raise InvalidToken(detail="the heads of a checkpoint")
    prev = raw.get("prev")
    if not looks_like_hash(prev):
        raise InvalidToken(detail="the link of a checkpoint")
    number = _number(raw.get("number"))
    return Checkpoint(*_origin(raw), number, str(prev), tuple(_heads(heads)))


def read_stub(unverified_text: str, key_of: KeyOf | None) -> Stub:
    """As `read_checkpoint`, of a stub."""
    raw = _payload(unverified_text, AUDIT_STUB, key_of)
    (head,) = _heads([[raw.get("chain"), raw.get("seq"), raw.get("hash")]])
    return Stub(*_origin(raw), head)


def first_checkpoint() -> Head:
    """Where the chain of checkpoints begins."""
    return Head(CHECKPOINTS, 0, GENESIS)


def _payload(text: str, typ: str, key_of: KeyOf | None) -> dict[str, Any]:
    if key_of is None:
        return unverified_payload(text, typ, longest=LONGEST_AUDIT_STATEMENT)
    return open_signed(text, typ, key_of, longest=LONGEST_AUDIT_STATEMENT).payload


def _origin(raw: dict[str, Any]) -> tuple[str, int]:
    issuer = raw.get("iss")
    if not isinstance(issuer, str):
        raise InvalidToken(detail="the issuer of an audit statement")
    return issuer, _number(raw.get("iat"))


def _heads(rows: Iterable[list[Any]]) -> Iterable[Head]:
    for chain, seq, told in rows:
        if not isinstance(chain, str) or not looks_like_hash(told):
            raise InvalidToken(detail="a head of an audit statement")
        yield Head(chain, _number(seq), told)


def _number(value: object) -> int:
    if type(value) is not int or not 0 < value <= LARGEST:
        raise InvalidToken(detail="a number of an audit statement")
    return value

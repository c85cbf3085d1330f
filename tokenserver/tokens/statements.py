"""Which floors moved? The generation feed as a signed statement (`typ: generations+jwt`).

A statement says, for one issuer: `seq`, the number of the last change it knows; `since`, the number after which it
tells changes (0: the whole window); `window`, the seconds of changes it covers; `floors` as `[ref, floor,
effective_at]`, `tokens` as `[jti, exp]` and `keys` as a list of key IDs. `iat` is when it was signed and proves its
freshness; it has milliseconds, so that two statements of one second can be told apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tokenserver.domain.generation import LARGEST, Floor
from tokenserver.errors import InvalidToken
from tokenserver.tokens.jws import KeyOf, SignedPayload, open_signed

GENERATIONS = "generations+jwt"
LONGEST_STATEMENT = 16 * 1024 * 1024
"""Characters: room for some 200,000 floors moved within an hour."""


@dataclass(frozen=True, slots=True)
class Statement:
    issuer: str
    issued_at: float
    seq: int
    since: int
    window: int
    floors: tuple[tuple[str, Floor], ...] = ()
    tokens: Mapping[str, int] = field(default_factory=dict)
    keys: tuple[str, ...] = ()

    def payload(self) -> dict[str, Any]:
        """The members, ready to be signed."""
        return {
            "iss": self.issuer,
            "iat": round(self.issued_at, 3),
            "seq": self.seq,
            "since": self.since,
            "window": self.window,
            "floors": [[ref, floor.number, floor.effective_at] for ref, floor in self.floors],
            "tokens": [[jti, exp] for jti, exp in self.tokens.items()],
            "keys": list(self.keys),
        }


def open_statement(unverified_text: str, key_of: KeyOf, *, issuer: str) -> Statement:
    """The statement that `issuer` signed; raises InvalidToken on anything else."""
    raw = open_signed(unverified_text, GENERATIONS, key_of, longest=LONGEST_STATEMENT).payload
    if raw.get("iss") != issuer:
        raise InvalidToken(detail="a statement of another issuer")
    issued_at = raw.get("iat")
    if type(issued_at) not in {int, float} or not 0 < issued_at <= LARGEST:  # type: ignore[operator]
        raise InvalidToken(detail="statement iat")
    return Statement(
        issuer=issuer,
        issued_at=float(issued_at),  # type: ignore[arg-type]
        seq=_number(raw.get("seq")),
        since=_number(raw.get("since")),
        window=_number(raw.get("window")),
        floors=tuple(_floors(raw)),
        tokens=dict(_tokens(raw)),
        keys=tuple(_texts(raw.get("keys"))),
    )


def _number(value: object) -> int:
    if type(value) is not int or not 0 <= value <= LARGEST:
        raise InvalidToken(detail="a number of the statement")
    return value


def _rows(value: object, width: int) -> Iterable[list[Any]]:
    if not isinstance(value, list):
        raise InvalidToken(detail="a list of the statement")
    for row in value:
        if not isinstance(row, list) or len(row) != width or not isinstance(row[0], str):
            raise InvalidToken(detail="a row of the statement")
        yield row


def _floors(raw: SignedPayload) -> Iterable[tuple[str, Floor]]:
    for ref, number, effective_at in _rows(raw.get("floors"), 3):
        yield ref, Floor(_number(number), _number(effective_at))


def _tokens(raw: SignedPayload) -> Iterable[tuple[str, int]]:
    for jti, exp in _rows(raw.get("tokens"), 2):
        yield jti, _number(exp)


def _texts(value: object) -> Iterable[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidToken(detail="a list of the statement")
    return value

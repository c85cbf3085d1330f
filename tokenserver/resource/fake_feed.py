"""What does an issuer in memory remember of what has ended? The book behind the feed of `testing.FakeIssuer`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from tokenserver.domain.generation import Floor, Generation
from tokenserver.domain.liveness import reference
from tokenserver.domain.restrictions import LONGEST_LIFETIME
from tokenserver.tokens.statements import Statement

WINDOW: Final = LONGEST_LIFETIME + 60


class FakeFeed:
    """Generations by the real rules, and a gapless number for each change that others must hear of."""

    def __init__(self) -> None:
        self.seq = 0
        self._generations: dict[str, Generation] = {}
        self._floors: list[tuple[int, str, Floor]] = []
        self._tokens: list[tuple[int, str, int]] = []
        self._keys: list[str] = []
        self._changed = threading.Condition()

    def generation_of(self, subject: str) -> Generation:
        """Of a credential or an organization; it exists as soon as it is asked for."""
        return self._generations.setdefault(subject, Generation())

    def move(self, subject: str, generation: Generation, now: float) -> None:
        for floor in generation.floors_to_tell(self.generation_of(subject), now):
            self._tell(lambda seq, floor=floor: self._floors.append((seq, reference(subject), floor)))  # type: ignore[misc]
        self._generations[subject] = generation

    def end_token(self, token_id: str, expires_at: int) -> None:
        self._tell(lambda seq: self._tokens.append((seq, token_id, expires_at)))

    def end_key(self, kid: str) -> None:
        self._tell(lambda _: self._keys.append(kid))

    def hold(self, after: int, seconds: float) -> None:
        """Wait, by real time, until there is something after `after`."""
        with self._changed:
            self._changed.wait_for(lambda: self.seq > after, seconds)

    def statement(self, issuer: str, now: float, after: int | None) -> Statement:
        since = after or 0
        return Statement(
            issuer=issuer,
            issued_at=now,
            seq=self.seq,
            since=since,
            window=WINDOW,
            floors=tuple((ref, floor) for seq, ref, floor in self._floors if seq > since),
            tokens={jti: exp for seq, jti, exp in self._tokens if seq > since},
            keys=tuple(self._keys),
        )

    def _tell(self, write: Callable[[int], None]) -> None:
        with self._changed:
            write(self.seq + 1)
            self.seq += 1
            self._changed.notify_all()

"""What is known of the issuer: its keys, and what has ended? One immutable value; learning gives the next one.

Pure: no network, no thread, and the times are arguments. The rules for a statement of the feed, beyond its signature by
a known key and its issuer (`tokens.statements`):

1. A key that is known to be revoked is believed no more, whatever it signs. The statement that revokes its own key is
   believed once more, because it can only make things stricter.
2. Neither `seq` nor `iat` ever goes back. The same ones again are no news, and make nothing any fresher; neither does
   a statement with the same `seq` that is a few seconds older, as caches and nodes with different clocks send it. It
   is passed over, which is no failure.
3. `iat` is at most the staleness bound ahead of our clock.
4. `since` is not beyond what is known: a gap could hide an ending. The first statement must tell the whole window.
5. Nothing that was learned is forgotten, but for floors that moved over `window` seconds ago *by the issuer's own
   clock*: if ours were ahead for a moment, that must not lose an ending for good.

Key sets: what the issuer no longer publishes is no longer known. A key that stays the same stays the same object, so
that "proven with this very key" is one comparison.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from tokenserver.domain.liveness import Endings
from tokenserver.errors import InvalidToken, Unavailable
from tokenserver.tokens.keys import VerifyingKey
from tokenserver.tokens.statements import Statement

NEVER: Final = float("-inf")
PASSED_OVER: Final = 5
"""Seconds that a statement without news may be older than the newest one."""

MOST_APPLIED: Final = 16
"""Numbers of the feed whose moment is remembered."""
PRUNED_EVERY: Final = 60
"""Seconds: pruning copies what is kept, and an ending that is kept a little longer does no harm."""


class NoNews(Unavailable):
    """The issuer could not be asked, or what it said cannot be believed. What is known stays. `detail` says why."""

    def __init__(self, detail: str, *, retry_after: float | None = None) -> None:
        super().__init__(detail=detail)
        self.asked_to_wait = retry_after


class NotBelieved(NoNews):
    """There was an answer, and it breaks a rule."""


@dataclass(frozen=True, slots=True)
class Known:
    """`born_at` is when the newest statement was signed, on our monotonic clock.

    `lead` is what the issuer's clock is ahead of our monotonic one, at the very least: a statement signed at `iat` that
    we hold at tick `t` proves that the issuer's clock had come to `iat` by then. `applied` has the last numbers of the
    feed that were applied here, and when on our monotonic clock.
    """

    keys: Mapping[str, VerifyingKey] = field(default_factory=dict)
    endings: Endings = field(default_factory=Endings)
    seq: int | None = None
    issued_at: float = NEVER
    born_at: float = NEVER
    lead: float = NEVER
    pruned_at: float = NEVER
    applied: tuple[tuple[int, float], ...] = ()

    def key_of(self, kid: str) -> VerifyingKey | None:
        """The key of that name; raises InvalidToken if it has been revoked."""
        if kid in self.endings.keys:
            raise InvalidToken(detail="signing key revoked")
        return self.keys.get(kid)

    def with_keys(self, published: Mapping[str, VerifyingKey]) -> Known:
        old = self.keys
        return replace(self, keys={kid: old[kid] if old.get(kid) == key else key for kid, key in published.items()})

    def with_statement(self, told: Statement, *, wall: float, ticks: float, tolerance: float) -> Known:
        """What is known once `told` was received at those readings of our clocks; raises NotBelieved (rules 2 to 4)."""
        if told.seq == self.seq and 0 < self.issued_at - told.issued_at <= PASSED_OVER:
            return self
        self._refuse_what_goes_back(told)
        if told.issued_at > max(wall, self.lead + ticks) + tolerance:
            raise NotBelieved("the statement is from the future: the clock here is behind, or the issuer's is ahead")
        lead = max(self.lead, told.issued_at - ticks)
        age = max(wall, lead + ticks) - told.issued_at
        endings, pruned_at = self._endings_with(told)
        return replace(
            self,
            endings=endings,
            seq=told.seq,
            issued_at=told.issued_at,
            born_at=ticks - age,
            lead=lead,
            pruned_at=pruned_at,
            applied=self.applied if told.seq == self.seq else (*self.applied, (told.seq, ticks))[-MOST_APPLIED:],
        )

    def _refuse_what_goes_back(self, told: Statement) -> None:
        if told.since > (self.seq or 0):
            raise NotBelieved("the statement leaves a gap after what is known")
        if self.seq is None:
            return
        if told.seq < self.seq:
            raise NotBelieved("the statement goes back in seq: after a restore of the issuer, restart this process")
        if told.issued_at < self.issued_at:
            raise NotBelieved("the statement goes back in time")

    def _endings_with(self, told: Statement) -> tuple[Endings, float]:
        endings = self.endings
        if told.floors or told.tokens or not set(told.keys) <= set(endings.keys):
            endings = endings.and_also(told.floors, told.tokens, told.keys)
        if told.issued_at - self.pruned_at < PRUNED_EVERY:
            return endings, self.pruned_at
        return endings.without_the_expired(told.issued_at, told.window), told.issued_at

"""What is known of the use of credentials, and which resource servers have applied a change?

A process is *silent* when nothing was heard of it for three of its intervals. It still counts, because it may still be
answering requests, until no token of before its last report can be alive. One that said goodbye is gone: it lets nobody
in any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tokenserver.domain.restrictions import LONGEST_LIFETIME

REFUSED: Final = 400
"""From this status on, a request was not let in."""
SILENT_AFTER: Final = 3
"""Intervals."""
GRACE: Final = 1.0
"""Seconds that a report may be on its way."""
COUNTED_FOR: Final = LONGEST_LIFETIME
"""Seconds that a silent process is counted."""


@dataclass(frozen=True, slots=True)
class Needs:
    """The roles and scopes by which a route let somebody in."""

    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """Never empty; names have no spaces."""
        named = [f"role:{name}" for name in sorted(self.roles)] + [f"scope:{name}" for name in sorted(self.scopes)]
        return " ".join(named) or "-"

    @classmethod
    def of(cls, text: str) -> Needs | None:
        """What `text` says; None for the empty one, where nothing was told."""
        if not text:
            return None
        named = [one.partition(":") for one in text.split(" ") if one != "-"]
        roles = frozenset(name for kind, _, name in named if kind == "role")
        return cls(roles, frozenset(name for kind, _, name in named if kind == "scope"))


@dataclass(frozen=True, slots=True)
class Call:
    """Some calls of one kind. Route and address are empty where they are not told; so are what they needed and the
    generation of the token.
    """

    route: str
    status: int
    address: str
    count: int
    first_at: float
    last_at: float
    needs: Needs | None = None
    generation: int | None = None

    @property
    def was_let_in(self) -> bool:
        return self.status < REFUSED


@dataclass(frozen=True, slots=True)
class Total:
    """The same, summed over time and instances."""

    api_id: str
    route: str
    status: int
    address: str
    count: int
    first_at: int
    last_at: int
    needs: Needs | None = None

    @property
    def was_let_in(self) -> bool:
        return self.status < REFUSED


@dataclass(frozen=True, slots=True)
class Applied:
    """Change number `seq` of the feed was applied at this moment."""

    seq: int
    at: float


@dataclass(frozen=True, slots=True)
class Instance:
    """A process of a resource server, as it was last heard of. `applied` is in the order of numbers."""

    name: str
    process: str
    reported_at: float
    interval: float
    batch: int
    untold: int
    has_left: bool
    applied: tuple[Applied, ...] = ()

    @property
    def seq(self) -> int | None:
        """The number of the last change that it has applied."""
        return self.applied[-1].seq if self.applied else None

    def applied_at(self, seq: int) -> float | None:
        """When it had applied change `seq`, at the latest; None if it has not."""
        return next((one.at for one in self.applied if one.seq >= seq), None)

    @property
    def patience(self) -> float:
        """Seconds within which something is to be heard of it."""
        return SILENT_AFTER * self.interval + GRACE

    def is_silent(self, now: float) -> bool:
        return now - self.reported_at > self.patience

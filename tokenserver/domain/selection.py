"""Which credentials of an organization are meant, and in which order? What lists and bulk changes select by.

A list goes on behind the place of the last one that was seen. So what stays in its place while a list is read is seen
exactly once, whatever comes and goes meanwhile. What is used meanwhile moves, and only ever to the later end: with the
longest unused first nothing is missed, and what was used may be seen again where it stands now; with the latest first
nothing is seen twice, and what was used since is on the first page, for whoever begins again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tokenserver.domain.credential import Status

Place = tuple[int | str, str]
"""What the order goes by, and the client ID."""

NEVER_EXPIRES = 10**15 - 1
"""Later than any moment."""
NEVER_USED = 0
"""Longer ago than any moment."""


class Order(StrEnum):
    NEWEST = "-created_at"
    OLDEST = "created_at"
    NAME = "name"
    NAME_BACKWARDS = "-name"
    EXPIRY = "expires_at"
    EXPIRY_BACKWARDS = "-expires_at"
    LONGEST_UNUSED = "last_used_at"
    LATEST_USED = "-last_used_at"

    @property
    def backwards(self) -> bool:
        return self.value.startswith("-")

    @property
    def opposite(self) -> Order:
        return Order(self.value[1:] if self.backwards else f"-{self.value}")


@dataclass(frozen=True, slots=True)
class Selection:
    """None is any. `text` is found in names, and is a client ID; `unused_since` and `expires_before` are moments."""

    statuses: frozenset[Status] | None = None
    text: str | None = None
    role: str | None = None
    owner_id: str | None = None
    project: str | None = None
    environment: str | None = None
    created_by: str | None = None
    expires_before: int | None = None
    unused_since: int | None = None
    order: Order = Order.NEWEST

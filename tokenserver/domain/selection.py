"""Which credentials of an organization are meant, and in which order? What lists and bulk changes select by."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tokenserver.domain.credential import Status

Place = tuple[int | str, str]
"""What the order goes by, and the client ID."""


class Order(StrEnum):
    NEWEST = "-created_at"
    OLDEST = "created_at"
    NAME = "name"
    NAME_BACKWARDS = "-name"


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

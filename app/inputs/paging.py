"""Which part of a list is meant? Limits, cursors, and the address of the next page.

A cursor is the place of the last item that was seen (moment or name, and ID), so that what is added or deleted
meanwhile neither repeats nor hides an item. It is opaque to callers; one that was made up shows them nothing that is
not theirs, since every list is of the caller's organization.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlencode

from app.http import Headers
from tokenserver.domain.selection import Order
from tokenserver.errors import InvalidRequest

DEFAULT_LIMIT = 50
LARGEST_LIMIT = 200

_LIMIT = re.compile(r"[1-9][0-9]{0,2}")
_CURSOR = re.compile(r"[A-Za-z0-9_-]{4,2000}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LATEST = 10**15
_BY_TEXT = {Order.NAME.value, Order.NAME_BACKWARDS.value}

Item = TypeVar("Item")
Place = tuple[int | str, str]
"""What the order goes by, and an ID."""


@dataclass(frozen=True, slots=True)
class Page:
    """At most `limit` items after a place, in an order. `selects` are the parameters that say which items."""

    after: Place | None = None
    limit: int = DEFAULT_LIMIT
    order: str = ""
    selects: Mapping[str, str] = field(default_factory=dict)

    def cut(
        self, found: Sequence[Item], place_of: Callable[[Item], Place], address: str
    ) -> tuple[Sequence[Item], str | None, Headers]:
        """What belongs on the page, of `limit + 1` items asked for; the cursor of the next one, and the link to it.

        `address` is of the issuer, never of the request.
        """
        if len(found) <= self.limit:
            return found, None, []
        items = found[: self.limit]
        cursor = cursor_at(place_of(items[-1]), self.order)
        query = urlencode({**self.selects, "limit": self.limit, "cursor": cursor})
        return items, cursor, [("Link", f'<{address}?{query}>; rel="next"')]

    @property
    def after_moment(self) -> tuple[int, str] | None:
        """The place, of a list that is ordered by time."""
        if self.after is None:
            return None
        moment, item_id = self.after
        return int(moment), item_id


FIRST_PAGE = Page()


def read_page(limit: str | None, cursor: str | None, order: str = "", selects: Mapping[str, str] | None = None) -> Page:
    if limit is not None and (_LIMIT.fullmatch(limit) is None or int(limit) > LARGEST_LIMIT):
        raise InvalidRequest(f"limit is a whole number from 1 to {LARGEST_LIMIT}.")
    after = None if cursor is None else _place(cursor, order)
    return Page(after, DEFAULT_LIMIT if limit is None else int(limit), order, selects or {})


def cursor_at(place: Place, order: str = "") -> str:
    text = json.dumps([order, *place], ensure_ascii=False, separators=(",", ":"))
    return urlsafe_b64encode(text.encode()).decode("ascii").rstrip("=")


class _NoCursor(InvalidRequest):
    public = "cursor is not one that this list gave out: begin again without it."


def _place(cursor: str, order: str) -> Place:
    try:
        if _CURSOR.fullmatch(cursor) is None:
            raise ValueError
        there, value, item_id = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode())
        right = (
            isinstance(value, str) and "\0" not in value
            if order in _BY_TEXT
            else type(value) is int and 0 <= value < _LATEST
        )
        if there != order or not right or not isinstance(item_id, str) or _ID.fullmatch(item_id) is None:
            raise ValueError
        if cursor_at((value, item_id), order) != cursor:
            raise ValueError
    except (ValueError, TypeError, RecursionError):
        raise _NoCursor from None
    return value, item_id

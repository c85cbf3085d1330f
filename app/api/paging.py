"""Which part of a list is meant? Limits, cursors, and the address of the next page.

A cursor is the place of the last item that was seen (moment and ID), so that what is added or deleted meanwhile neither
repeats nor hides an item. It is opaque to callers; one that was made up shows them nothing that is not theirs, since
every list is of the caller's organization.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from app.http import Headers
from tokenserver.errors import InvalidRequest

DEFAULT_LIMIT = 50
LARGEST_LIMIT = 200

_LIMIT = re.compile(r"[1-9][0-9]{0,2}")
_CURSOR = re.compile(r"[A-Za-z0-9_-]{4,100}")
_PLACE = re.compile(r"(0|[1-9][0-9]{0,14})\.([A-Za-z0-9_]{1,64})")

Item = TypeVar("Item")
Place = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Page:
    """At most `limit` items after a place."""

    after: Place | None = None
    limit: int = DEFAULT_LIMIT

    def cut(
        self, found: Sequence[Item], place_of: Callable[[Item], Place], address: str
    ) -> tuple[Sequence[Item], str | None, Headers]:
        """What belongs on the page, of `limit + 1` items asked for; the cursor of the next one, and the link to it.

        `address` is of the issuer, never of the request.
        """
        if len(found) <= self.limit:
            return found, None, []
        items = found[: self.limit]
        cursor = cursor_at(place_of(items[-1]))
        return items, cursor, [("Link", f'<{address}?limit={self.limit}&cursor={cursor}>; rel="next"')]


FIRST_PAGE = Page()


def read_page(limit: str | None, cursor: str | None) -> Page:
    if limit is not None and (_LIMIT.fullmatch(limit) is None or int(limit) > LARGEST_LIMIT):
        raise InvalidRequest(f"limit is a whole number from 1 to {LARGEST_LIMIT}.")
    return Page(None if cursor is None else _place(cursor), DEFAULT_LIMIT if limit is None else int(limit))


def cursor_at(place: Place) -> str:
    moment, item_id = place
    return urlsafe_b64encode(f"{moment}.{item_id}".encode("ascii")).decode("ascii").rstrip("=")


def _place(cursor: str) -> Place:
    try:
        if _CURSOR.fullmatch(cursor) is None:
            raise ValueError
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        found = _PLACE.fullmatch(text)
        if found is None or cursor_at((int(found[1]), found[2])) != cursor:
            raise ValueError
    except ValueError:
        raise InvalidRequest("cursor is not one that a list gave out: begin again without it.") from None
    return int(found[1]), found[2]

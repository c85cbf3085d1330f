"""Which credentials are meant? Filters, search and order in the URL of a list, and in the body of a bulk change."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic_core import PydanticCustomError

from app.inputs.fields import plain, read_moment
from tokenserver.domain.credential import Status
from tokenserver.domain.selection import Order, Selection
from tokenserver.errors import InvalidRequest

FILTERS = (
    "status",
    "q",
    "role",
    "owner",
    "project",
    "environment",
    "created_by",
    "expires_before",
    "unused_since",
    "sort",
)
_LONGEST = 200


def read_selection(query: Mapping[str, str]) -> Selection:
    """Raises InvalidRequest, naming the parameter."""
    for name in FILTERS:
        if name in query and (not 1 <= len(query[name]) <= _LONGEST or "\0" in query[name]):
            raise InvalidRequest(f"{name} has 1 to {_LONGEST} characters, none of them NUL.")
    return Selection(
        statuses=_statuses(query.get("status")),
        text=_text(query.get("q")),
        role=query.get("role"),
        owner_id=query.get("owner"),
        project=query.get("project"),
        environment=query.get("environment"),
        created_by=query.get("created_by"),
        expires_before=_moment(query, "expires_before"),
        unused_since=_moment(query, "unused_since"),
        order=_order(query.get("sort", Order.NEWEST.value)),
    )


def _statuses(text: str | None) -> frozenset[Status] | None:
    if text is None:
        return None
    try:
        return frozenset(map(Status, text.split(",")))
    except ValueError:
        raise InvalidRequest(f"status is one or more of {', '.join(Status)}, separated by commas.") from None


def _order(text: str) -> Order:
    try:
        return Order(text)
    except ValueError:
        raise InvalidRequest(f"sort is one of {', '.join(Order)}.") from None


def _text(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return plain(text, 1, _LONGEST)
    except PydanticCustomError:
        raise InvalidRequest("q holds no control characters and is not blank.") from None


def _moment(query: Mapping[str, str], name: str) -> int | None:
    if name not in query:
        return None
    try:
        return read_moment(query[name])
    except PydanticCustomError:
        raise InvalidRequest(f"{name} is a date and time as in RFC 3339, such as 2030-12-31T23:59:59Z.") from None

"""Which audit events does a caller ask for? The parameters of a search and of an export, and what is said of them.

Everything is read strictly: a filter that nothing can match is most likely misspelt, and an empty answer would pass for
good news.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

from pydantic_core import PydanticCustomError

from app.http import Headers
from app.inputs.fields import read_moment
from app.inputs.paging import Page, cursor_at
from tokenserver.domain.allowed_ips import AllowedIPs, InvalidAllowedIPs
from tokenserver.domain.audit import OUTCOMES, Event
from tokenserver.domain.audit_search import Place, Wanted
from tokenserver.domain.secret import looks_like_client_id
from tokenserver.errors import InvalidRequest

FILTERS = ("credential", "actor", "action", "outcome", "since", "until", "address")
FORMATS = {"jsonl": "application/x-ndjson", "csv": "text/csv"}
LONGEST_ADDRESS = 100

_ACTOR = re.compile(r"[a-z_]{1,32}(:[\x21-\x7e]{1,200})?")
_PLACE = re.compile(r"([A-Za-z0-9_-]{1,40})_([1-9][0-9]{0,17})")
_ONE_NETWORK = re.compile(rf"[0-9A-Fa-f:./]{{2,{LONGEST_ADDRESS}}}")
_SUBJECTS = frozenset(event.value.partition(":")[0] for event in Event)
_ACTIONS = frozenset(event.value for event in Event) | {f"{subject}:*" for subject in _SUBJECTS}

_MOMENT = {"type": "string", "format": "date-time"}
PARAMETERS: dict[str, dict[str, Any]] = {
    "credential": {
        "description": "About the credential with this client ID.",
        "schema": {"type": "string", "pattern": "^tsc_[0-9A-Za-z]{22}$"},
    },
    "actor": {
        "description": "Done by: `credential:` and a client ID, `shell`, `clock` or `stranger`.",
        "schema": {"type": "string", "pattern": "^[a-z_]{1,32}(:[!-~]{1,200})?$"},
    },
    "action": {
        "description": "Exactly this, such as `credential:revoked`; or all of a subject, such as `credential:*`.",
        "schema": {"type": "string", "enum": sorted(_ACTIONS)},
    },
    "outcome": {"description": "How it ended.", "schema": {"type": "string", "enum": list(OUTCOMES)}},
    "since": {"description": "From this moment on.", "schema": _MOMENT},
    "until": {"description": "Before this moment.", "schema": _MOMENT},
    "address": {
        "description": "From this address, or from within this network.",
        "schema": {"type": "string", "maxLength": LONGEST_ADDRESS},
        "example": "192.0.2.0/24",
    },
    "format": {
        "description": "JSON lines, as they are hashed, or CSV for spreadsheets.",
        "schema": {"type": "string", "enum": list(FORMATS), "default": "jsonl"},
    },
}

Value = TypeVar("Value")


def read_wanted(query: Mapping[str, str]) -> Wanted:
    """The filters among the parameters; raises InvalidRequest at the first that says nothing."""

    def given(name: str, read: Callable[[str], Value]) -> Value | None:
        return read(query[name]) if name in query else None

    wanted = Wanted(
        credential=given("credential", _credential),
        actor=given("actor", _actor),
        action=given("action", _action),
        outcome=given("outcome", _outcome),
        since=given("since", lambda text: _moment("since", text)),
        until=given("until", lambda text: _moment("until", text)),
        address=given("address", _address),
    )
    if wanted.since is not None and wanted.until is not None and wanted.since >= wanted.until:
        raise InvalidRequest("since must lie before until.")
    return wanted


def read_format(query: Mapping[str, str]) -> str:
    found = query.get("format", "jsonl")
    if found not in FORMATS:
        raise InvalidRequest(f"format is one of: {', '.join(FORMATS)}.")
    return found


def place_of(page: Page) -> Place | None:
    """Where the page begins. A cursor of another list names no chain."""
    if page.after_moment is None:
        return None
    moment, name = page.after_moment
    found = _PLACE.fullmatch(name)
    if found is None:
        raise InvalidRequest("cursor is not one that this list gave out: begin again without it.")
    return moment, found[1], int(found[2])


def next_page(place: Place | None, query: Mapping[str, str], page: Page, address: str) -> tuple[str | None, Headers]:
    """The cursor of the next page, and the link to it, which asks for the same."""
    cursor = next_cursor(place)
    if cursor is None:
        return None, []
    asked = {name: query[name] for name in FILTERS if name in query}
    again = urlencode({**asked, "limit": page.limit, "cursor": cursor})
    return cursor, [("Link", f'<{address}?{again}>; rel="next"')]


def next_cursor(place: Place | None) -> str | None:
    """Of the page that begins behind this place."""
    if place is None:
        return None
    moment, chain, seq = place
    return cursor_at((moment, f"{chain}_{seq}"))


def _credential(text: str) -> str:
    if not looks_like_client_id(text):
        raise InvalidRequest("credential is a client ID: tsc_ and 22 letters and digits.")
    return text


def _actor(text: str) -> str:
    if _ACTOR.fullmatch(text) is None:
        raise InvalidRequest("actor is as in audit events: credential: and a client ID, shell, clock or stranger.")
    return text


def _action(text: str) -> str:
    if text not in _ACTIONS:
        raise InvalidRequest(
            "action is an event such as credential:revoked, or all of a subject such as credential:*. Subjects are:"
            f" {', '.join(sorted(_SUBJECTS))}."
        )
    return text


def _outcome(text: str) -> str:
    if text not in OUTCOMES:
        raise InvalidRequest(f"outcome is one of: {', '.join(OUTCOMES)}.")
    return text


def _moment(name: str, text: str) -> int:
    try:
        return read_moment(text)
    except PydanticCustomError:
        raise InvalidRequest(
            f"{name} is a date and time with offset as in RFC 3339, such as 2030-12-31T23:59:59Z; in a URL, + is"
            " written %2B."
        ) from None


def _address(text: str) -> AllowedIPs:
    try:
        found = AllowedIPs.parse([text]) if _ONE_NETWORK.fullmatch(text) else None
    except InvalidAllowedIPs:
        found = None
    if found is None:
        raise InvalidRequest("address is a single address or a network, such as 192.0.2.1 or 2001:db8::/32.")
    return found

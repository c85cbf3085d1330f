"""Which audit lines are wanted? The filters of a search, applied to a line as it was written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.domain.audit import Line

Place = tuple[int, str, int]
"""Where a line stands in a search: its second, its chain, its number."""
_ALL = "*"
_OF_TOKENS = "token:"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a line must be like. `action` is an event, or `subject:*`; `since` is included, `until` is not."""

    credential: str | None = None
    actor: str | None = None
    action: str | None = None
    outcome: str | None = None
    since: int | None = None
    until: int | None = None
    address: AllowedIPs | None = None
    without_tokens: bool = False
    """Whether lines about the issuing of tokens are left out, of which a credential may have thousands an hour."""

    @property
    def may_be_of_tokens(self) -> bool:
        """Whether a line about the issuing of a token could be wanted."""
        return not self.without_tokens and (self.action is None or self.action.startswith(_OF_TOKENS))

    @property
    def is_anything(self) -> bool:
        """Whether every line of the time is wanted."""
        return self == Wanted(since=self.since, until=self.until)

    def needles(self) -> list[str]:
        """What the text of every wanted line holds: a sieve, which costs less than parsing."""
        exact = {"credential": self.credential, "actor": self.actor, "outcome": self.outcome}
        found = [f'"{name}":{json.dumps(value)}' for name, value in exact.items() if value is not None]
        if self.action is not None:
            found.append(f'"event":"{self.action.removesuffix(_ALL)}')
        return found

    def admits(self, members: Mapping[str, Any]) -> bool:
        """Whether a line with these members is wanted, as far as it is not a question of time."""
        return (
            (self.credential is None or members["credential"] == self.credential)
            and (self.actor is None or members["actor"] == self.actor)
            and (self.outcome is None or members["outcome"] == self.outcome)
            and (self.action is None or _is_of(members["event"], self.action))
            and not (self.without_tokens and members["event"].startswith(_OF_TOKENS))
            and (self.address is None or (members["address"] != "" and self.address.admits(members["address"])))
        )


@dataclass(frozen=True, slots=True)
class Found:
    """A line that is wanted."""

    line: Line
    at: int

    @property
    def members(self) -> dict[str, Any]:
        """What it says; read anew at each call."""
        said: dict[str, Any] = json.loads(self.line.text)
        return said

    @property
    def place(self) -> Place:
        return self.at, self.line.head.chain, self.line.head.seq


def _is_of(event: str, action: str) -> bool:
    return event.startswith(action.removesuffix(_ALL)) if action.endswith(_ALL) else event == action

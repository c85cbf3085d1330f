"""What is an operation of the admin API? A row of the table from which routes and description are made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from app.api.conditions import Condition
from app.api.outputs import Output
from app.http import Headers
from app.inputs.bodies import Input
from app.inputs.paging import FIRST_PAGE, Page
from app.services.audit import Caller
from tokenserver.domain.selection import Selection

PAGE = ("limit", "cursor")
CASCADE = ("cascade",)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, proven and read. `ids` are those in the path; `version` is what If-Match means; `query` are the
    parameters of the URL, as they were sent.
    """

    caller: Caller
    ids: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    version: int | None = None
    page: Page = FIRST_PAGE
    selection: Selection = field(default_factory=Selection)
    cascade: bool = False
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """The ID in a path that holds one."""
        (found,) = self.ids.values()
        return found


@dataclass(frozen=True, slots=True)
class Answer:
    """`stream`: the body in pieces, of the content type `kind`; for what is too long to be held in memory."""

    body: Output | None
    headers: Headers = field(default_factory=list)
    stream: Iterable[bytes] | None = None
    kind: str = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """`takes` None: no body is read. `gives` None: the answer has none. `query`: the parameters of the URL. `streams`:
    the content types of an answer that comes in pieces; `answered` is then an example of each.

    `own` is the scope with which operators do the same with their personal credentials. `versioned`: the answer has an
    ETag, unless it is a list.
    """

    name: str
    method: str
    path: str
    scope: str
    own: str | None = None
    handler: Callable[[Call], Answer]
    summary: str
    description: str
    takes: type[Input] | None = None
    gives: type[BaseModel] | None = None
    streams: tuple[str, ...] = ()
    status: int = 200
    condition: Condition = Condition.IGNORED
    query: tuple[str, ...] = ()
    conflicts: bool = False
    versioned: bool = True
    asked: Mapping[str, Any] | None = None
    answered: Mapping[str, Any] | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """The names of the IDs in the path (see `subjects`)."""
        return tuple(re.findall(r"\{([a-z_]+)\}", self.path))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The content types of its body."""
        json = "application/json"
        return (json, "application/merge-patch+json") if self.method == "PATCH" else (json,)

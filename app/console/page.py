"""What is a page? A row of a table: where it is, who may see it, and the function that answers.

A page that is shown is a template with values (`Shown`); what has been done sends the viewer to another page (`Sent`),
so that a reload does it no second time. A secret is the exception: it is shown in the answer itself, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.console.forms import Form
from app.services.admission import Wanted
from app.services.audit import Caller
from app.services.sessions import SignedOut, Viewer, Visitor
from tokenserver.errors import TokenServerError


@dataclass(frozen=True, slots=True)
class Visit:
    """One request. `path` is where it was sent, with the query; `ids` are those in the path; `now` is when."""

    path: str
    visitor: Visitor
    now: float
    ids: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    form: Form = field(default_factory=Form)
    signed_in: tuple[Viewer, Caller] | None = field(default=None, repr=False)
    token: str = field(default="", repr=False)
    """What the cookie of the session holds, good or not."""
    away: str = field(default="", repr=False)
    """What the browser remembers of who is signing in elsewhere."""
    partly: bool = False
    """Whether a script asks for a piece of the page (htmx)."""

    @property
    def viewer(self) -> Viewer:
        """Whoever is signed in; only of pages that are not open to everybody."""
        return self._signed_in[0]

    @property
    def caller(self) -> Caller:
        """As whom the use cases are called."""
        return self._signed_in[1]

    @property
    def _signed_in(self) -> tuple[Viewer, Caller]:
        if self.signed_in is None:
            raise SignedOut
        return self.signed_in

    @property
    def id(self) -> str:
        """The ID in a path that holds one."""
        (found,) = self.ids.values()
        return found


@dataclass(frozen=True, slots=True)
class Shown:
    """A template and its values. `cookie`: what the cookie of the session shall hold; empty: there shall be none."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    status: int = 200
    cookie: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """To another page of the console, with a notice of `words.NOTICES` there."""

    path: str
    notice: str = ""
    cookie: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Left:
    """To another site, which sends the viewer back; `away` is what the browser is to remember meanwhile.

    `by_link`: by a page with a link, since browsers send no form on to another site where none may be sent to.
    """

    url: str
    away: str = field(repr=False)
    by_link: bool = False


@dataclass(frozen=True, slots=True)
class Attached:
    """A file to keep."""

    name: str
    kind: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Streamed:
    """A file that comes in pieces."""

    name: str
    kind: str
    pieces: Iterable[bytes] = field(repr=False)


Reply = Shown | Sent | Left | Attached | Streamed
Handler = Callable[[Visit], Reply]
AskingAgain = Callable[[Visit, str, str], Shown]
"""The page that asks for a proof: on the way to where, and with what was typed, sealed (`kept_forms`)."""
Again = Callable[[Visit, TokenServerError], Reply]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """`path` is Flask's rule, below `/console`. `wants` is the permission that it takes (None: any operator); `open` to
    everybody, signed in or not.

    `fresh`: only for who has proven a short while ago who they are, since it destroys or reveals something. `again`
    shows the form once more when what was sent is refused, with what was typed. `also_suspended`: even where the
    organization that is looked at is suspended, as the ways out of it.
    """

    name: str
    path: str
    handler: Handler
    method: str = "GET"
    wants: Wanted | None = None
    open: bool = False
    fresh: bool = False
    also_suspended: bool = False
    again: Again | None = None


Pages = Sequence[Page]


def form_pages(
    name: str,
    path: str,
    *,
    show: Handler,
    do: Handler,
    wants: Wanted,
    again: Again | None = None,
    fresh: bool = False,
) -> Pages:
    """A form and what is done when it is sent; refused, it is shown `again`, without that as it was at first."""
    return (
        Page(name=f"{name}_form", path=path, handler=show, fresh=fresh, wants=wants),
        Page(
            name=name,
            method="POST",
            path=path,
            handler=do,
            again=again or (lambda visit, _: show(visit)),
            fresh=fresh,
            wants=wants,
        ),
    )

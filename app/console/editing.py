"""What do the pages about a thing have in common, whatever it is? The version that a form was made from, the name that
is typed where something ends for good, and what somebody else has saved meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from app.console import words
from app.console.forms import Form
from app.console.page import Visit
from app.inputs.paging import Page, read_page
from tokenserver.domain.credential import name_key
from tokenserver.errors import Fault, InvalidInput, PreconditionFailed, TokenServerError

MOST_CHOICES = 500
"""Of what is offered to be chosen from."""
MOST_NAMED = 100
"""Of credentials that are listed for what would happen to them."""

Item = TypeVar("Item")


def version_of(form: Form) -> int:
    """The version of what is changed; of a form that says none, one that nothing has."""
    return form.number("version") or 0


def refuse_other_name(form: Form, name: str) -> None:
    """Raise InvalidInput unless this name was typed, as people compare names."""
    if name_key(form.text("typed_name")) != name_key(name):
        raise InvalidInput([Fault("/typed_name", words.NOT_AS_SHOWN)])


def listed(
    visit: Visit,
    find: Callable[[tuple[int, str] | None, int], Sequence[Item]],
    place_of: Callable[[Item], tuple[int, str]],
) -> tuple[Sequence[Item], str | None]:
    """A page of a list that is ordered by time, and the cursor of the next one."""
    page: Page = read_page(None, visit.query.get("cursor") or None)
    items, cursor, _ = page.cut(find(page.after_moment, page.limit + 1), place_of, "")
    return items, cursor


def meanwhile(fault: TokenServerError | None, saved: Mapping[str, str], typed: Mapping[str, str]) -> dict[str, Any]:
    """Values of a form that is shown again: where somebody else was faster, what they saved beside what was typed."""
    if not isinstance(fault, PreconditionFailed):
        return {"saved": {}}
    told = PreconditionFailed(words.CHANGED_MEANWHILE)
    return {"fault": told, "saved": {name: text for name, text in saved.items() if text != typed.get(name, "")}}

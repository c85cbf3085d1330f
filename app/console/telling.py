"""How is a refusal told on a page? Use cases and inputs speak as an API is spoken to; a page speaks of what is on it.

What `words` has no other words for is told as `templates/refusals.txt` has it, which whoever translates the console
translates as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup, escape

from app.console import words
from app.console.moments import lasting, when
from tokenserver.errors import Fault, InvalidInput, RateLimited, TokenServerError

_MOMENT = r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"
_ACTOR = r"\b(?:operator|credential):\w+"
_REFUSALS = Path(__file__).parent / "templates" / "refusals.txt"
_MOMENT_OR_ACTOR = re.compile(f"({_MOMENT}|{_ACTOR})", re.ASCII)


def in_words(fault: TokenServerError) -> str:
    if fault.code in words.INSTEAD:
        return words.INSTEAD[fault.code]
    text = otherwise(fault.public)
    return text.format(wait=lasting(fault.retry_after)) if isinstance(fault, RateLimited) else text


def otherwise(text: str) -> str:
    """A sentence of theirs in the words of a page."""
    if text in words.OTHERWISE:
        return words.OTHERWISE[text]
    begun = next((other for begins, other in words.OTHERWISE_FROM.items() if text.startswith(begins)), None)
    return _refusals().told(text) if begun is None else begun


class Refusals(NamedTuple):
    """Sentences as they are said on a page; of those with something filled in, what they look like."""

    whole: Mapping[str, str]
    filled: Mapping[re.Pattern[str], str]

    @classmethod
    def read(cls, lines: str) -> Refusals:
        whole, filled = {}, {}
        for line in lines.splitlines():
            said, _, told = line.partition(" = ")
            if "{}" in said:
                filled[re.compile(re.escape(said).replace(r"\{\}", "(.+)"))] = told or said
            elif said and not said.startswith("#"):
                whole[said] = told or said
        return cls(whole, filled)

    def told(self, text: str) -> str:
        """As it is where nothing is known of it. What is filled in may be a sentence as well."""
        if text in self.whole:
            return self.whole[text]
        for pattern, told in self.filled.items():
            match = pattern.fullmatch(text)
            if match is not None:
                return told.format(*(self.whole.get(part, part) for part in match.groups()))
        return text


@cache
def _refusals() -> Refusals:
    return Refusals.read(_REFUSALS.read_text(encoding="utf-8"))


def faults_by_field(fault: Exception) -> dict[str, str]:
    """Field to hint: of `/allowed_ips/2`, the field is `allowed_ips`."""
    found: dict[str, str] = {}
    faults: tuple[Fault, ...] = tuple(fault.faults) if isinstance(fault, InvalidInput) else ()
    for one in faults:
        name, hint = one.pointer.strip("/").partition("/")[0], otherwise(one.hint)
        if name not in found:
            found[name] = hint
        elif hint not in found[name]:
            found[name] = f"{found[name]} {hint}"
    return found


def actors_in(text: str) -> list[str]:
    return re.findall(_ACTOR, text, re.ASCII)


def told(text: str, names: Mapping[str, str]) -> Markup:
    """A sentence of the API's, for people: its moments in their zone, its actors by name, where they have one."""
    parts = []
    for part in _MOMENT_OR_ACTOR.split(text):
        if part in names:
            parts.append(Markup("<bdi>{}</bdi>").format(names[part]))
        elif part[:1].isdigit() and _MOMENT_OR_ACTOR.fullmatch(part):
            parts.append(when(datetime.fromisoformat(part).timestamp()))
        else:
            parts.append(escape(part))
    return Markup("").join(parts)

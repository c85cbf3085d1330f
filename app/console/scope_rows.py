"""How are an API's scopes edited? In rows of a form, added and taken away by buttons that work without script.

The fields of a row are numbered: `scopes-2-name`. A row in which nothing was typed is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from app.console.forms import Form
from app.console.telling import otherwise
from app.inputs.fields import MOST_SCOPES
from tokenserver.domain.catalogue import Kind, Scope
from tokenserver.errors import InvalidInput

_FIELD = re.compile(r"scopes-([0-9]{1,4})-(name|access|sensitive|description)\Z")
_TAKE_AWAY = re.compile(r"remove-([0-9]{1,4})\Z")


@dataclass(frozen=True, slots=True)
class Row:
    name: str = ""
    access: str = Kind.READ.value
    sensitive: bool = False
    description: str = ""

    def is_blank(self) -> bool:
        return not self.name and not self.description


@dataclass(frozen=True, slots=True)
class ScopeRows:
    """`focus` is the row in which one goes on typing, if not elsewhere."""

    rows: tuple[Row, ...] = ()
    focus: int | None = None

    @classmethod
    def of(cls, scopes: Iterable[Scope]) -> ScopeRows:
        return cls(tuple(Row(scope.name, scope.access.value, scope.sensitive, scope.description) for scope in scopes))

    @classmethod
    def typed(cls, form: Form) -> ScopeRows:
        found: dict[int, dict[str, Any]] = {}
        for field, value in form.fields:
            match = _FIELD.match(field)
            if match is not None:
                member = match[2]
                found.setdefault(int(match[1]), {})[member] = bool(value) if member == "sensitive" else value.strip()
        return cls(tuple(Row(**found[number]) for number in sorted(found)))

    def pressed(self, button: str) -> ScopeRows:
        """The rows after a button of theirs."""
        if button == "add" and len(self.rows) < MOST_SCOPES:
            return ScopeRows((*self.rows, Row()), focus=len(self.rows))
        match = _TAKE_AWAY.match(button)
        if match is not None and int(match[1]) < len(self.rows):
            place = int(match[1])
            left = self.rows[:place] + self.rows[place + 1 :]
            return ScopeRows(left, focus=min(place, len(left) - 1) if left else None)
        return replace(self, focus=None)

    def body(self) -> list[dict[str, Any]]:
        """As the API would be sent them."""
        return [
            {"name": row.name, "access": row.access, "sensitive": row.sensitive, "description": row.description}
            for row in self.rows
            if not row.is_blank()
        ]

    def faults(self, fault: InvalidInput) -> dict[str, str]:
        """Field to hint: of `/scopes/1/name`, the field of the row that was the second to hold something."""
        filled = [number for number, row in enumerate(self.rows) if not row.is_blank()]
        found: dict[str, str] = {}
        for one in fault.faults:
            steps = one.pointer.strip("/").split("/")
            if len(steps) == 3 and steps[0] == "scopes" and steps[1].isdigit() and int(steps[1]) < len(filled):
                name = f"scopes-{filled[int(steps[1])]}-{steps[2]}"
            else:
                name = steps[0]
            hint = otherwise(one.hint)
            found[name] = f"{found[name]} {hint}" if name in found else hint
        return found

"""What was typed? A form's fields as values.

A field that is missing is empty: that is how browsers send a box that is not ticked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from app.console import words
from tokenserver.errors import Fault, InvalidInput

CSRF, ONCE, KEPT = "csrf", "once", "kept"
"""Fields of the door's own: against other sites, against sending twice, and what was typed before signing in again."""
_SECRETS = {"password", "repeated", "old_password", "new_password", "code", "token", "client_secret", "secret"}
_SECRETS |= {"recovery_code", "sealed", "answer"}


@dataclass(frozen=True, slots=True)
class Form:
    fields: Sequence[tuple[str, str]] = field(default=(), repr=False)

    def text(self, name: str, default: str = "") -> str:
        """Without the spaces around it."""
        return next((value for key, value in self.fields if key == name), default).strip()

    def exactly(self, name: str) -> str:
        """As it was typed: of a password."""
        return next((value for key, value in self.fields if key == name), "")

    def all(self, name: str) -> list[str]:
        """Of boxes with one name: those that are ticked."""
        return [value.strip() for key, value in self.fields if key == name and value.strip()]

    def flag(self, name: str) -> bool:
        return bool(self.text(name))

    def number(self, name: str) -> int | None:
        """A whole number; None where nothing was typed."""
        text = self.text(name)
        if not text:
            return None
        if not text.isascii() or not text.isdigit() or len(text) > 12:
            raise InvalidInput([Fault(f"/{name}", words.WHOLE_NUMBER)])
        return int(text)

    def day(self, name: str) -> int | None:
        """The first moment (UTC) of a day that was chosen; None where none was."""
        text = self.text(name)
        if not text:
            return None
        try:
            return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
        except ValueError:
            raise InvalidInput([Fault(f"/{name}", words.DATE)]) from None

    def to_keep(self) -> Iterator[tuple[str, str]]:
        """What may be sent back and shown again: no secret, and nothing of the door's.

        Where nothing was typed, it is a button that was pressed, and is to be pressed again.
        """
        hidden = _SECRETS | {CSRF, ONCE, KEPT}
        yield from [(key, value) for key, value in self.fields if key not in hidden] or [("pressed", "yes")]

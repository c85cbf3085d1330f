r"""What is shown, and how? Tables for people, JSON for scripts, IDs alone with `--quiet`; notes on standard error.

Text from a server is a stranger's: a name could hold an escape sequence that retitles the terminal or hides a line, or
characters that turn the direction of text. In tables and messages these are shown as what they are (`\x1b`), in JSON
they are escaped, which loses nothing.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

Document = Mapping[str, Any]

_STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_JOINERS = {"\u200c", "\u200d"}  # make no difference to a terminal, and much to Persian and to emoji
NOTHING = "–"
_WORDS_FOR_NULL = {"allowed_ips": "from anywhere", "expires_at": "never", "last_used_at": "never"}


@dataclass(frozen=True, slots=True)
class Column:
    """A member of a document as a column of a table. What stands further left is more important."""

    member: str
    heading: str = ""

    @property
    def title(self) -> str:
        return self.heading or self.member.replace("_", " ")


def clean(text: str) -> str:
    """`text` with everything in it made visible that could steer a terminal; line breaks too."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(character) if _steers(character) else character for character in text)


def as_json(value: object) -> str:
    """JSON that loses nothing, reads well in any script, and holds no character that steers a terminal."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return "".join(_escaped(c) if c != "\n" and _steers(c) else c for c in text)


def words(value: object, member: str = "") -> str:
    """A value as a person would write it down."""
    if value is None:
        return _WORDS_FOR_NULL.get(member, NOTHING)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if member in _SHORT and isinstance(value, Sequence) and all(isinstance(one, Mapping) for one in value):
        return clean("; ".join(map(_SHORT[member], value))) or NOTHING
    if isinstance(value, Mapping):
        return ", ".join(f"{clean(name)} {words(one)}" for name, one in value.items() if one not in (None, "", []))
    if isinstance(value, Sequence) and not isinstance(value, str):
        between = "; " if any(isinstance(one, Mapping) for one in value) else ", "
        return between.join(words(one) for one in value) or NOTHING
    return clean(str(value)) or NOTHING


class Screen:
    """Shows documents as the caller asked for."""

    def __init__(self, output: str, *, quiet: bool) -> None:
        self.output = output
        self.quiet = quiet

    def document(self, document: Document, *, essence: str, first: Sequence[str] = ()) -> None:
        """One thing; `essence` is the member that `--quiet` shows, `first` those that come first in a table."""
        if self.quiet:
            echo(words(document.get(essence)))
        elif self.output == "json":
            echo(as_json(document))
        else:
            members = dict.fromkeys([*(name for name in first if name in document), *document])
            _tables().show_record([(clean(name.replace("_", " ")), words(document[name], name)) for name in members])

    def listing(self, page: Document, columns: Sequence[Column], *, essence: str) -> None:
        """Many things of one kind: a document with `items`, and `next` where there are more."""
        items = page["items"]
        if self.quiet:
            for item in items:
                echo(words(item.get(essence)))
        elif self.output == "json":
            echo(as_json(page))
        else:
            rows = [[words(item.get(column.member), column.member) for column in columns] for item in items]
            _tables().show_table([column.title for column in columns], rows)

    def with_tables(self, document: Document, tables: Mapping[str, Sequence[Column]], *, essence: str) -> None:
        """One thing that has lists: in tables, each of them is one below the rest, where there is anything in it."""
        if self.quiet or self.output == "json":
            self.document(document, essence=essence)
            return
        self.document({name: value for name, value in document.items() if name not in tables}, essence=essence)
        for member, columns in tables.items():
            items = document.get(member)
            if isinstance(items, list) and items:
                echo("")
                self.listing({"items": items}, columns, essence=essence)

    def sentences(self, rows: Sequence[Document], columns: Sequence[Column]) -> None:
        """A table whose last column is a sentence, folded where it is long."""
        cells = [[words(row.get(column.member), column.member) for column in columns] for row in rows]
        _tables().show_sentences([column.title for column in columns], cells)

    def note(self, *lines: str) -> None:
        """For the person, on standard error; a script that asked for quiet gets none."""
        if not self.quiet:
            for line in lines:
                click.echo(clean(line), err=True)


def echo(text: str) -> None:
    """A line on standard output, whatever its encoding; a character that it lacks is written as an escape."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    click.echo(text.encode(encoding, "backslashreplace").decode(encoding))


def stop_showing() -> None:
    """Nobody reads: keep the interpreter from trying once more when it ends (docs of `signal`, on SIGPIPE)."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


def _grant(grant: Document) -> str:
    return f"{grant.get('audience')}={','.join(grant.get('scopes') or [str(grant.get('access'))])}"


def _scope(scope: Document) -> str:
    return f"{scope.get('name')}={scope.get('access')}{',sensitive' * bool(scope.get('sensitive'))}"


_SHORT = {"grants": _grant, "scopes": _scope}
"""As they are typed."""


def _tables() -> Any:
    from tokenserver.cli import tables  # noqa: PLC0415  rich takes as long to load as all the rest

    return tables


def _steers(character: str) -> bool:
    return unicodedata.category(character) in _STEERING and character not in _JOINERS


def _visible(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else _escaped(character)


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1] if not character.isascii() or character < " " else f"\\u{ord(character):04x}"

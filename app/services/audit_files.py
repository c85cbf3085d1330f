"""How do audit lines leave in a file? As JSON lines, byte by byte what was hashed; or as CSV for spreadsheets.

A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, which may send the sheet to a stranger,
and what an actor is called is not ours to choose. Such a cell gets an apostrophe in front; every cell is quoted, and
in ASCII, with JSON's escapes: no name ends a row, moves a cursor or turns the direction of a line.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator

from tokenserver.domain.audit_search import Found
from tokenserver.errors import TokenServerError

COLUMNS = ("at", "action", "outcome", "actor", "credential", "address", "request_id", "detail", "chain", "seq", "hash")
INCOMPLETE = "incomplete"
"""Begins the last line of a file that could not be written to its end: the status was sent long before."""
_AT_ONCE = 200
_FORMULA = ("=", "+", "-", "@", "\\t", "\\r", "\\n", "\\uff1d", "\\uff0b", "\\uff0d", "\\uff20")
"""The last four are the same signs at full width; they are looked for in what is escaped already."""

_text = json.encoder.encode_basestring_ascii


def in_pieces(found: Iterable[Found], form: str, named: Callable[[Exception], TokenServerError]) -> Iterator[bytes]:
    """The file, piece by piece; `named` says what a failure on the way is."""
    row = _as_csv if form == "csv" else _as_json
    piece = [_csv_row(COLUMNS)] if form == "csv" else []
    try:
        for one in found:
            piece.append(row(one))
            if len(piece) >= _AT_ONCE:
                yield "".join(piece).encode("ascii")
                piece = []
    except Exception as fault:  # noqa: BLE001  `named` logs what is unexpected
        said = named(fault).public
        piece.append(_csv_row((INCOMPLETE, said)) if form == "csv" else json.dumps({INCOMPLETE: said}) + "\n")
    yield "".join(piece).encode("ascii")


def safe_cell(value: str) -> str:
    """`value` as a cell that a spreadsheet shows and does not compute."""
    escaped = _text(value)[1:-1].replace('\\"', '"')
    return "'" + escaped if escaped.lstrip(" ").startswith(_FORMULA) else escaped


def _as_json(found: Found) -> str:
    return found.line.exported() + "\n"


def _as_csv(found: Found) -> str:
    said, head = found.members, found.line.head
    texts = (said[name] for name in ("at", "event", "outcome", "actor", "credential", "address", "request_id"))
    detail = json.dumps(said["detail"], separators=(",", ":"))
    return _csv_row((*map(safe_cell, texts), detail, safe_cell(head.chain), str(head.seq), head.hash))


def _csv_row(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(cells)
    return out.getvalue()

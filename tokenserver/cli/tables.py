"""How does a table fit? As wide as it is where nobody looks (a pipe, a file), and into the terminal where one is.

Too wide for the terminal: the least important columns, on the right, are left out, and a note says so. When even the
first two are too wide, each row is shown as a record of its own, so that an ID is never cut. Colours only mark a
status, on a terminal, without `NO_COLOR`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
from rich.cells import cell_len
from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from tokenserver.cli.screen import echo

_GAP = 2
_FEWEST = 2
_UNLIMITED = 100_000
_COLOURS = {
    "active": "green",
    "pass": "green",
    "expires_soon": "yellow",
    "disabled": "yellow",
    "skipped": "yellow",
    "revoked": "red",
    "expired": "red",
    "refused": "red",
    "FAIL": "red",
}


def show_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows under headings."""
    console = _console()
    if not rows:
        click.echo("There are none.", err=True)
        return
    widths = [max(map(cell_len, column)) for column in zip(headings, *rows, strict=True)]
    fitting = _how_many_fit(widths, console.width)
    if fitting < min(_FEWEST, len(widths)):
        for row in rows:
            show_record(list(zip(headings, row, strict=True)))
            echo("")
        return
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    for heading in headings[:fitting]:
        table.add_column(heading.upper(), no_wrap=True, header_style=Style(bold=True))
    for row in rows:
        table.add_row(*map(_text, row[:fitting]))
    _print(console, table)
    if fitting < len(headings):
        left_out = ", ".join(headings[fitting:])
        click.echo(f"Too narrow for: {left_out}. Widen the terminal, or say --output json.", err=True)


def show_sentences(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows whose last cell is a sentence that may take several lines."""
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    for heading in headings[:-1]:
        table.add_column(heading.upper(), no_wrap=True, header_style=Style(bold=True))
    table.add_column(headings[-1].upper(), overflow="fold", header_style=Style(bold=True))
    for row in rows:
        table.add_row(*map(_text, row))
    _print(_console(), table)


def show_record(members: Sequence[tuple[str, str]]) -> None:
    """One thing: a line for each member, folded under itself where it is long."""
    console = _console()
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, _GAP, 0, 0))
    table.add_column(no_wrap=True, style=Style(bold=True))
    table.add_column(overflow="fold")
    for name, value in members:
        table.add_row(name, _text(value))
    _print(console, table)


def _console() -> Console:
    watched = sys.stdout.isatty()
    width = None if watched else _UNLIMITED
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False, force_terminal=watched)


def _print(console: Console, table: Table) -> None:
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        echo(line.rstrip())


def _how_many_fit(widths: Sequence[int], width: int) -> int:
    used = fitting = 0
    for column in widths:
        used += column + (_GAP if fitting else 0)
        if used > width:
            break
        fitting += 1
    return fitting


def _text(value: str) -> Text:
    return Text(value, style=_COLOURS.get(value, ""))

"""Files of audit lines: what is hashed goes out as it is, and no spreadsheet computes anything that is in a cell."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.audit_files import COLUMNS, in_pieces, safe_cell
from tests.support.credentials import QUICK
from tokenserver.domain.audit import Entry, Event, Head, chained
from tokenserver.domain.audit_search import Found
from tokenserver.errors import TokenServerError, Unavailable
from tokenserver.tokens.audit_record import verify

NOW = 1_800_000_000.25


def found(*entries):
    head, made = Head("changes"), []
    for entry in entries:
        line = chained(entry, head)
        head = line.head
        made.append(Found(line, int(NOW)))
    return made


def entry(**changes):
    said = {"event": Event.CREDENTIAL_CREATED, "at": NOW, "actor": "shell", "detail": {"name": "=1+1"}}
    return Entry(**{**said, **changes})


def named(fault):
    return fault if isinstance(fault, TokenServerError) else TokenServerError()


def written(lines, form):
    return b"".join(in_pieces(lines, form, named)).decode("ascii")


def rows(text):
    return list(csv.reader(io.StringIO(text, newline="")))


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\uff1d1", "\uff20x", "\uff0b1", "\uff0d1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_what_a_spreadsheet_would_compute_is_text(text):
    assert safe_cell(text).startswith("'")
    (row,) = rows(written(found(entry(actor=text)), "csv"))[1:]
    assert row[COLUMNS.index("actor")].startswith("'")


@given(actor=st.text(max_size=30), name=st.text(max_size=30))
@QUICK
def test_whatever_a_line_holds_it_is_one_row_of_printable_ascii(actor, name):
    text = written(found(entry(actor=actor, request_id=name, detail={"name": name}), entry()), "csv")
    assert all(line.isascii() and line.isprintable() for line in text.split("\r\n"))
    table = rows(text)
    assert len(table) == 3
    assert {len(row) for row in table} == {len(COLUMNS)}
    assert not [cell for row in table for cell in row if cell.lstrip().startswith(("=", "+", "-", "@"))]
    assert json.loads(table[1][COLUMNS.index("detail")]) == {"name": name}


def test_a_request_id_that_begins_with_a_minus_comes_back_by_its_rest():
    (row,) = rows(written(found(entry(request_id="-abc")), "csv"))[1:]
    assert row[COLUMNS.index("request_id")] == "'-abc"


def test_json_lines_are_what_was_hashed():
    lines = found(*(entry(request_id=str(number)) for number in range(1000)))
    text = written(lines, "jsonl")
    assert text.splitlines() == [one.line.exported() for one in lines]
    assert verify(text.splitlines()) is None


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_file_of_nothing_is_empty_but_for_its_columns(form):
    assert written([], form) == ({"csv": ",".join(f'"{c}"' for c in COLUMNS) + "\r\n", "jsonl": ""}[form])


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("fault", [Unavailable(detail="secret detail"), RuntimeError("secret detail")])
def test_a_file_that_cannot_be_written_to_its_end_says_so_in_its_last_line(form, fault):
    def broken():
        yield from found(entry())
        raise fault

    last = written(broken(), form).splitlines()[-1]
    assert "incomplete" in last
    assert "secret" not in last


def test_a_long_file_goes_out_in_pieces():
    made = []

    def lines():
        for one in found(*[entry()] * 1000):
            made.append(one)
            yield one

    pieces = in_pieces(lines(), "jsonl", named)
    assert next(pieces)
    assert len(made) < 300

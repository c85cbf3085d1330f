"""The chain of audit lines: what `verify` finds, and that a line cannot be forged by what is in it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenserver.domain.audit import Entry, Event, Head, chained
from tokenserver.tokens.audit_record import verify

NOW = 1_800_000_000.25


def record(*names: str, chain: str = "changes") -> tuple[list[str], Head]:
    """An exported chain with one line for each name, and its head."""
    head, lines = Head(chain), []
    for name in names:
        line = chained(Entry(Event.CREDENTIAL_CREATED, NOW, "shell", detail={"name": name}), head)
        head = line.head
        lines.append(line.exported())
    return lines, head


LINES, HEAD = record("a", "b", "c", "d")

TAMPERINGS = {
    "a line was edited": ([LINES[0], LINES[1].replace('"b"', '"x"'), *LINES[2:]], 2),
    "a line was edited and its hash left out": ([LINES[0], json.dumps({"seq": 2}), *LINES[2:]], 2),
    "a line was removed": ([LINES[0], *LINES[2:]], 2),
    "two lines changed places": ([LINES[0], LINES[2], LINES[1], LINES[3]], 2),
    "a line was inserted": ([*LINES[:2], record("z")[0][0], *LINES[2:]], 3),
    "the first line was removed": (LINES[1:], 1),
    "a line was doubled": ([*LINES[:2], *LINES[1:]], 3),
    "a line was replaced by one with a right hash": ([LINES[0], record("a2", "b2")[0][1], *LINES[2:]], 2),
    "a line is no line at all": ([*LINES[:3], "{}", LINES[3]], 4),
}


def test_a_whole_record_has_no_flaw():
    assert verify(LINES) is None
    assert verify(LINES, [HEAD]) is None
    assert verify([line + "\n" for line in LINES]) is None


@pytest.mark.parametrize(("lines", "place"), TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_any_tampering_is_found_at_its_place(lines, place):
    flaw = verify(lines)
    assert flaw is not None
    assert flaw.place == place


def test_lines_cut_off_the_end_are_found_by_the_head():
    assert verify(LINES[:3]) is None
    assert verify(LINES[:3], [HEAD]) is not None
    assert verify([], [HEAD]) is not None


def test_chains_may_be_mixed_as_long_as_each_is_in_order():
    others, _ = record("x", "y", chain="issued-1")
    assert verify([LINES[0], others[0], LINES[1], others[1], *LINES[2:]]) is None
    assert verify([LINES[0], others[1], LINES[1], others[0]]) is not None


@given(st.text())
@settings(max_examples=200)
def test_whatever_a_name_holds_a_line_is_one_line_of_ascii_and_reads_back(name):
    lines, head = record(name)
    assert lines[0].isascii()
    assert len(lines[0].splitlines()) == 1
    assert lines[0].isprintable()
    assert json.loads(lines[0])["detail"]["name"] == name
    assert verify(lines, [head]) is None


def test_the_time_of_a_line_is_told_in_utc_with_milliseconds():
    assert json.loads(LINES[0])["at"] == "2027-01-15T08:00:00.250Z"


def test_names_of_events_are_subject_and_action():
    assert all(event.value.count(":") == 1 and event.value.islower() for event in Event)

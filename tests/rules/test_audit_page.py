"""Does docs/audit.md say what is so? Its program finds what ours finds, and its tables name what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.services.audit_upkeep import AuditUpkeep
from app.store.audit_search import MOST_READ
from tests.support.workshop import a_prepared_workshop
from tokenserver.clock import DAY
from tokenserver.domain.audit import Entry, Event, Head, chained
from tokenserver.tokens.audit_record import verify

PAGE = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    found = re.search(r"<!-- example: verify -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    path = tmp_path_factory.mktemp("page") / "verify.py"
    path.write_text(found.group(1), encoding="utf-8")

    def run(lines: list[str]) -> tuple[int, str]:
        record = path.with_name("audit.jsonl")
        record.write_text("".join(line + "\n" for line in lines), encoding="ascii")
        command = [sys.executable, "-S", "-E", str(path), str(record)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        return done.returncode, (done.stdout + done.stderr).strip()

    return run


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """With stubs, checkpoints and several chains."""
    with a_prepared_workshop("sqlite", tmp_path_factory.mktemp("record"), stocked=True) as workshop:
        made, own = workshop.credential(), workshop.services
        for _ in range(3):
            workshop.issue(made)
        own.audit_upkeep.checkpoint()
        workshop.clock.advance(3 * DAY)
        for _ in range(3):
            workshop.issue(made)
        own.audit_upkeep.checkpoint()
        settings = workshop.settings.model_copy(update={"audit_retention_days": 1})
        AuditUpkeep(own.store, own.keys, settings, workshop.clock).prune(workshop.clock())
        own.audit_upkeep.checkpoint()
        workshop.issue(made)
        lines = list(own.audit_trail.export())
    assert len([line for line in lines if line.startswith('{"stub"')]) == 3
    assert len([line for line in lines if line.startswith('{"checkpoint"')]) == 2
    return lines


def test_the_program_of_the_page_verifies_a_record(program, record):
    assert program(record) == (0, "whole")


def test_the_program_of_the_page_is_as_short_as_it_is_said_to_be():
    program = PAGE.partition("<!-- example: verify -->\n```python\n")[2].partition("```")[0]
    assert len([line for line in program.splitlines() if line.strip()]) <= 22


def test_the_program_of_the_page_finds_what_ours_finds_in_every_place(program, record):
    for place in range(len(record)):
        forgeries = [record[:place] + record[place + 1 :]]
        if '"event"' in record[place]:
            forgeries.append([*record[:place], record[place].replace("success", "refused"), *record[place + 1 :]])
            forgeries.append([*record[:place], record[place], *record[place:]])
        for forged in forgeries:
            ours = verify(forged)
            code, told = program(forged)
            assert (code == 1) == (ours is not None), (place, ours, told)
            if ours is not None:
                assert told == f"line {ours.place} is bad"


def test_the_page_names_every_member_of_a_line():
    text = chained(Entry(Event.TOKEN_ISSUED, 1.0, "shell"), Head("changes")).exported()
    assert not [name for name in re.findall(r'"([a-z_]+)":', text) if f"`{name}`" not in PAGE]


def test_the_page_says_how_much_a_search_looks_at():
    assert f"{MOST_READ:,} lines" in PAGE

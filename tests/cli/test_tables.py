"""Does a table fit where somebody looks, and stay whole where nobody does?"""

from __future__ import annotations

import re

import pytest
from rich.cells import cell_len

from tests.support.terminals import in_a_terminal
from tokenserver.cli.screen import Column, Screen

STYLE = re.compile(r"\x1b\[[0-9;]*m")
CREDENTIALS = [
    {
        "client_id": f"tsc_{number:022d}",
        "name": name,
        "status": status,
        "roles": ["reader", "cloud_admin"],
        "last_used_at": "2026-11-21T09:30:00Z",
        "expires_at": "2027-11-21T09:30:00Z",
        "allowed_ips": ["192.0.2.0/24", "2001:db8::/32"],
        "generation": 7,
        "created_by": "credential:tsc_0000000000000000000000",
    }
    for number, (name, status) in enumerate([("nightly export", "active"), ("日本語の名前", "revoked")])
]


@pytest.fixture
def listed(at_the_stub, stub):
    stub.answer("GET", "/v1/credentials", {"items": CREDENTIALS, "next": None})

    def run(columns, **environment):
        typed = ["credential", "list"]
        return in_a_terminal(typed, {**at_the_stub.of_a_process(), **environment}, columns=columns)

    return run


@pytest.mark.parametrize("columns", [200, 100, 80, 60, 50])
def test_no_line_is_wider_than_the_terminal_and_no_id_is_cut(listed, columns):
    code, shown = listed(columns, NO_COLOR="1")
    assert code == 0
    rows = [STYLE.sub("", line) for line in shown.splitlines() if "Too narrow" not in line]
    assert all(cell_len(row) <= columns for row in rows), shown
    for credential in CREDENTIALS:
        assert credential["client_id"] in shown
        assert credential["name"] in shown


def test_what_does_not_fit_is_named(listed):
    _, wide = listed(250, NO_COLOR="1")
    assert "Too narrow" not in wide
    assert "CREATED BY" in wide
    _, narrow = listed(80, NO_COLOR="1")
    assert "Too narrow for: " in narrow
    assert "created by" in narrow


def test_where_two_columns_do_not_fit_each_row_is_a_record(listed):
    _, shown = listed(40, NO_COLOR="1")
    assert "CLIENT ID" not in shown
    assert shown.count("client id") == 2


def test_colours_are_for_terminals_that_want_them(listed, at_the_stub, stub):
    _, coloured = listed(200)
    assert "\x1b[" in coloured
    _, plain = listed(200, NO_COLOR="1")
    assert "\x1b[3" not in plain  # no colour; bold is none
    assert "\x1b[" not in at_the_stub.process("credential", "list").stdout


def test_in_a_pipe_a_table_is_as_wide_as_it_is(at_the_stub, stub):
    stub.answer("GET", "/v1/credentials", {"items": [{**CREDENTIALS[0], "name": "x" * 100}], "next": None})
    at_the_stub.environment["COLUMNS"] = "40"
    head, row = at_the_stub.process("credential", "list").stdout.splitlines()
    assert "x" * 100 in row
    assert row.endswith("credential:tsc_0000000000000000000000")
    assert head.split()[-2:] == ["CREATED", "BY"]


def test_an_empty_list_says_so_beside_the_output(capsys):
    Screen("table", quiet=False).listing({"items": []}, [Column("id")], essence="id")
    assert capsys.readouterr() == ("", "There are none.\n")
    Screen("json", quiet=False).listing({"items": []}, [Column("id")], essence="id")
    assert '"items": []' in capsys.readouterr().out

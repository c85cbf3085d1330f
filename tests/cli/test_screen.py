"""Is what is shown safe for a terminal, whole for a script, and readable for a person?"""

from __future__ import annotations

import json
import unicodedata

import pytest

from tests.support.terminals import in_a_terminal
from tokenserver.cli.screen import as_json, clean, words

HOSTILE = {
    "an escape sequence": "a\x1b[2J\x1b]0;title\x07b",
    "a carriage return that hides the beginning": "real\rfake",
    "a line of its own": "name\nDeleted: everything",
    "C1 control characters": "a\x9b31mb",
    "delete and backspace": "ab\x08\x7f",
    "text that turns the direction": "user\u202egnp.exe\u2066",
    "line separators": "a\u2028b\u2029c",
    "half a surrogate pair": "a\ud800b",
    "characters that cannot be seen": "a\u200b\ufeff\u00adb",
    "a NUL": "a\x00b",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_nothing_that_steers_a_terminal_is_shown_and_nothing_is_lost_in_json(text):
    for shown in (clean(text), words(text), words([text]), words({"x": text}), words({text: 1}), as_json({"x": text})):
        assert not [c for c in shown if c != "\n" and unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]
    assert "\n" not in clean(text)
    assert json.loads(as_json({text: text})) == {text: text}


PEOPLE = [
    "Ünïcode",
    "日本語",
    "\N{WOMAN}\u200d\N{PERSONAL COMPUTER} team",
    "\u0645\u06cc\u200c\u0631\u0648\u0645",
    "plain",
    "a – b",
]


@pytest.mark.parametrize("text", PEOPLE)
def test_what_people_write_is_shown_as_they_write_it(text):
    assert clean(text) == text
    assert text in as_json([text])


SHOWN = {
    "nothing": (None, "x", "–"),
    "no restriction": (None, "allowed_ips", "from anywhere"),
    "no end": (None, "expires_at", "never"),
    "yes": (True, "x", "yes"),
    "no": (False, "x", "no"),
    "a list": (["a", "b"], "x", "a, b"),
    "an empty list": ([], "x", "–"),
    "an empty text": ("", "x", "–"),
    "zero": (0, "x", "0"),
    "a grant": ([{"audience": "u:a", "access": "custom", "scopes": ["r", "w"]}], "grants", "u:a=r,w"),
    "a grant of all": ([{"audience": "u:a", "access": "all_read", "scopes": []}], "grants", "u:a=all_read"),
    "scopes": ([{"name": "r", "access": "read"}, {"name": "w", "access": "write", "sensitive": True}], "scopes",
               "r=read; w=write,sensitive"),
    "names of scopes": (["r", "w"], "scopes", "r, w"),
    "things": ([{"id": 1, "x": None}, {"id": 2}], "x", "id 1; id 2"),
}  # fmt: skip


@pytest.mark.parametrize(("value", "member", "shown"), SHOWN.values(), ids=SHOWN.keys())
def test_values_are_shown_as_words(value, member, shown):
    assert words(value, member) == shown


def test_a_hostile_server_does_not_steer_the_terminal(at_the_stub, stub):
    evil = "\x1b]0;owned\x07\x1b[2J\u202e"
    stub.answer("GET", "/v1/roles", {"items": [{"id": "role_1", "name": evil, "description": evil}], "next": None})
    stub.answer("GET", "/v1/roles/role_1", {"id": "role_1", evil: evil})
    stub.answer("POST", "/v1/roles", {"title": evil, "errors": [{"pointer": evil, "detail": evil}]}, 422)
    for typed in (
        ["role", "list"],
        ["role", "show", "role_1"],
        ["role", "list", "-q"],
        ["role", "create", "--name", "x"],
    ):
        _, shown = in_a_terminal(typed, {**at_the_stub.of_a_process(), "NO_COLOR": "1"}, columns=200)
        assert "\x1b]" not in shown
        assert "\x1b[2J" not in shown
        assert "\u202e" not in shown


def test_output_that_cannot_be_written_in_its_encoding_is_escaped(at_the_stub, stub):
    stub.answer("GET", "/v1/roles", {"items": [{"id": "role_1", "name": "日本語"}], "next": None})
    at_the_stub.environment.update(PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert "\\u65e5" in at_the_stub.process("role", "list").stdout
    at_the_stub.environment["PYTHONIOENCODING"] = "utf-8"
    assert "日本語" in at_the_stub.process("role", "list").stdout

"""Are the rows of a form read as they were typed, whatever a form may send?"""

from __future__ import annotations

import pytest

from app.console.forms import Form
from app.console.scope_rows import Row, ScopeRows
from app.inputs.fields import MOST_SCOPES
from tokenserver.domain.catalogue import Kind, Scope
from tokenserver.errors import Fault, InvalidInput


def typed(**fields):
    return ScopeRows.typed(Form(tuple((name.replace("_", "-"), value) for name, value in fields.items())))


def test_rows_come_in_the_order_of_their_numbers_without_the_spaces_around_what_was_typed():
    read = typed(scopes_10_name="c", scopes_2_name=" b ", scopes_2_access="write", scopes_0_name="a")
    assert read.rows == (Row("a"), Row("b", "write"), Row("c"))


def test_a_box_that_is_ticked_is_a_sensitive_scope():
    assert typed(scopes_0_name="a", scopes_0_sensitive="yes").rows == (Row("a", sensitive=True),)


@pytest.mark.parametrize(
    "name", ["scopes-x-name", "scopes-1-color", "scopes-1-name ", "scopes-12345-name", "scopes--1-name"]
)
def test_other_fields_are_no_rows(name):
    assert ScopeRows.typed(Form(((name, "a"),))).rows == ()


def test_what_an_api_has_comes_back_as_it_was():
    scopes = (Scope("a", Kind.READ), Scope("b", Kind.WRITE, sensitive=True, description="of b"))
    assert ScopeRows.of(scopes).body() == [
        {"name": "a", "access": "read", "sensitive": False, "description": ""},
        {"name": "b", "access": "write", "sensitive": True, "description": "of b"},
    ]


def test_a_row_in_which_nothing_was_typed_is_none_and_faults_stay_at_their_rows():
    rows = ScopeRows((Row(), Row("a"), Row(), Row("?"), Row(description="without a name")))
    assert [one["name"] for one in rows.body()] == ["a", "?", ""]
    faults = InvalidInput(
        [
            Fault("/scopes/1/name", "First."),
            Fault("/scopes/1/name", "Second."),
            Fault("/scopes/2/name", "Third."),
            Fault("/scopes", "All."),
            Fault("/name", "Name."),
            Fault("/scopes/7/name", "Nowhere."),
        ]
    )
    assert rows.faults(faults) == {
        "scopes-3-name": "First. Second.",
        "scopes-4-name": "Third.",
        "scopes": "All. Nowhere.",
        "name": "Name.",
    }


def test_one_goes_on_typing_in_the_row_that_was_added_or_beside_the_one_that_is_gone():
    rows = ScopeRows((Row("a"), Row("b")))
    assert rows.pressed("add") == ScopeRows((Row("a"), Row("b"), Row()), focus=2)
    assert rows.pressed("remove-1") == ScopeRows((Row("a"),), focus=0)
    assert ScopeRows((Row("a"),)).pressed("remove-0") == ScopeRows()


def test_there_are_no_more_rows_than_an_api_may_have_scopes():
    full = ScopeRows(tuple(Row(f"s{number}") for number in range(MOST_SCOPES)))
    assert full.pressed("add") == full

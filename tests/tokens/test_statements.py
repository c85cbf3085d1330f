"""The generation feed as a signed statement: golden vectors, round trips, and each member that may be wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import vectors
from tests.support.credentials import NOW, QUICK
from tests.support.tokens import (
    ISSUER,
    STATEMENT,
    VECTORS,
    key_of,
    private_keys,
    signed,
    statement_reading,
    without,
)
from tokenserver.domain.generation import LARGEST, Floor
from tokenserver.domain.liveness import reference
from tokenserver.errors import InvalidToken
from tokenserver.tokens.jws import LONGEST_TOKEN, Signer, UnknownKey
from tokenserver.tokens.keys import read_key_set
from tokenserver.tokens.statements import GENERATIONS, Statement, open_statement

RECORDED = json.loads((VECTORS / "statements.json").read_text())
RING = read_key_set(RECORDED["jwks"]).get
SIGNER = Signer(private_keys()["ES256"], GENERATIONS)


def feed(members: object, **header_changes: object) -> str:
    return signed(members, **{"typ": GENERATIONS, **header_changes})


def opened(text: str) -> Statement:
    return open_statement(text, key_of, issuer=ISSUER)


def test_the_vectors_can_be_made_again_and_nothing_changes() -> None:
    assert vectors.statements() == RECORDED


@pytest.mark.parametrize("vector", RECORDED["accepted"], ids=lambda vector: vector["name"])
def test_statements_of_all_releases_read_to_the_same_values(vector: dict[str, Any]) -> None:
    assert statement_reading(open_statement(vector["statement"], RING, issuer=RECORDED["issuer"])) == vector["reads"]


@pytest.mark.parametrize("vector", RECORDED["refused"], ids=lambda vector: vector["name"])
def test_what_was_ever_refused_stays_refused_for_its_reason(vector: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken) as refusal:
        open_statement(vector["statement"], RING, issuer=RECORDED["issuer"])
    assert refusal.value.detail == vector["reason"]


NUMBERS = st.integers(0, LARGEST)
REFERENCES = st.text(max_size=9).filter(str.isprintable).map(reference)
STATEMENTS = st.builds(
    Statement,
    issuer=st.just(ISSUER),
    issued_at=st.integers(1, 10**13).map(lambda milliseconds: milliseconds / 1000),
    seq=NUMBERS,
    since=NUMBERS,
    window=NUMBERS,
    floors=st.lists(st.tuples(REFERENCES, st.builds(Floor, NUMBERS, NUMBERS)), max_size=5).map(tuple),
    tokens=st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=9), NUMBERS, max_size=5),
    keys=st.lists(st.text(st.characters(codec="utf-8"), max_size=9), max_size=3).map(tuple),
)


@QUICK
@given(STATEMENTS)
def test_a_statement_reads_back_to_what_was_stated(statement: Statement) -> None:
    assert opened(SIGNER.sign(statement.payload())) == statement


def test_a_statement_says_exactly_these_members() -> None:
    statement = Statement(
        ISSUER, NOW + 0.12345, 12, 9, 3900, (("ref", Floor(8, NOW)),), {"jti_1": NOW + 900}, ("kid_1",)
    )
    assert statement.payload() == {
        "iss": ISSUER,
        "iat": NOW + 0.123,
        "seq": 12,
        "since": 9,
        "window": 3900,
        "floors": [["ref", 8, NOW]],
        "tokens": [["jti_1", NOW + 900]],
        "keys": ["kid_1"],
    }


def test_two_statements_of_one_second_are_told_apart_by_their_time() -> None:
    earlier, later = opened(feed({**STATEMENT, "iat": NOW + 0.001})), opened(feed({**STATEMENT, "iat": NOW + 0.002}))
    assert earlier.issued_at < later.issued_at


def test_a_statement_may_be_much_longer_than_a_token() -> None:
    floors = [[f"{number:022}", number + 1, NOW] for number in range(2000)]
    text = feed({**STATEMENT, "floors": floors})
    assert len(text) > 5 * LONGEST_TOKEN
    assert len(opened(text).floors) == 2000


TYPES = {
    "the type of an access token": "at+jwt",
    "the usual type of all": "JWT",
    "a beginning of it": "generations",
    "none": None,
}


@pytest.mark.parametrize("typ", TYPES.values(), ids=TYPES.keys())
def test_a_signed_text_of_another_type_is_no_statement(typ: object) -> None:
    with pytest.raises(InvalidToken):
        opened(feed(STATEMENT, typ=typ))


@pytest.mark.parametrize("issuer", ["https://evil.example.com", ISSUER + "/", "", None, 1, [ISSUER]], ids=repr)
def test_a_statement_of_another_issuer_is_refused(issuer: object) -> None:
    with pytest.raises(InvalidToken) as refusal:
        opened(feed({**STATEMENT, "iss": issuer}))
    assert refusal.value.detail == "a statement of another issuer"


def test_a_statement_under_an_unknown_key_is_told_apart_for_the_key_may_be_new() -> None:
    with pytest.raises(UnknownKey):
        opened(feed(STATEMENT, kid="unknown"))


@pytest.mark.parametrize("name", STATEMENT)
def test_a_statement_without_one_of_its_members_is_refused(name: str) -> None:
    with pytest.raises(InvalidToken):
        opened(feed(without(name, STATEMENT)))


NO_NUMBER: list[object] = [None, True, "1", 1.0, 1.5, -1, LARGEST + 1, [], {}]
NO_ROWS: list[object] = [None, 1, "rows", {}, {"ref": 1}, [None], [1], ["row"], [{}], [[]]]
MISTYPED: dict[str, list[object]] = {
    "iat": [None, True, "now", 0, -1, LARGEST + 1, [], {}],
    "seq": NO_NUMBER,
    "since": NO_NUMBER,
    "window": NO_NUMBER,
    "floors": [
        *NO_ROWS,
        [["ref", 1]],
        [["ref", 1, NOW, 1]],
        [[None, 1, NOW]],
        [[7, 1, NOW]],
        *([["ref", wrong, NOW]] for wrong in NO_NUMBER),
        *([["ref", 1, wrong]] for wrong in NO_NUMBER),
        [["ref", 1, NOW], ["ref", 1]],
    ],
    "tokens": [
        *NO_ROWS,
        [["jti"]],
        [["jti", NOW, 1]],
        [[None, NOW]],
        *([["jti", wrong]] for wrong in NO_NUMBER),
    ],
    "keys": [None, 1, "kid", {}, [None], [1], [["kid"]], ["kid", 1]],
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in MISTYPED.items() for value in values],
    ids=lambda value: ascii(value)[:40],
)
def test_a_member_of_the_wrong_type_or_range_is_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidToken):
        opened(feed({**STATEMENT, name: value}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=8,
)


@QUICK
@given(st.dictionaries(st.sampled_from(sorted(STATEMENT)), JSON, max_size=2))
def test_whatever_a_statement_says_it_is_read_or_refused_with_invalid_token(changes: dict[str, object]) -> None:
    try:
        statement = opened(SIGNER.sign({**STATEMENT, **changes}))
    except InvalidToken:
        return
    assert all(isinstance(floor, Floor) for _, floor in statement.floors)


@QUICK
@given(st.text() | st.binary().map(lambda raw: f"{raw.hex()}.{raw.hex()}.{raw.hex()}"))
def test_any_text_is_refused_with_invalid_token(text: str) -> None:
    with pytest.raises(InvalidToken):
        opened(text)

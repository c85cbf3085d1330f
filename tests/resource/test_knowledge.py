"""Whatever statements come, in whatever order: what is known never goes back, and no ending is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenserver.domain.generation import Floor
from tokenserver.errors import InvalidToken
from tokenserver.resource.knowledge import Known, NotBelieved
from tokenserver.tokens.keys import new_signing_key, verifying_key
from tokenserver.tokens.statements import Statement

NOW = 1_800_000_000.0
FIRST = Statement(issuer="https://auth.example.com", issued_at=NOW, seq=5, since=0, window=3660)


def told(known, statement, *, wall=NOW, ticks=1000.0, tolerance=30.0):
    return known.with_statement(statement, wall=wall, ticks=ticks, tolerance=tolerance)


STATEMENTS = st.builds(
    lambda seq, since, iat, ref, number: Statement(
        issuer="https://auth.example.com",
        issued_at=NOW + iat,
        seq=seq,
        since=since,
        window=3660,
        floors=((ref, Floor(number, int(NOW))),),
        tokens={f"{ref}-{number}": int(NOW) + 900},
    ),
    st.integers(0, 20),
    st.integers(0, 20),
    st.integers(-5, 40),
    st.sampled_from("abc"),
    st.integers(1, 9),
)


@settings(max_examples=200, deadline=None, database=None)
@given(st.lists(st.tuples(STATEMENTS, st.integers(0, 3), st.integers(-100, 100)), max_size=20))
def test_what_is_known_never_goes_back(arrivals):
    known, ticks = Known(), 1000.0
    believed = []
    for statement, later, wall in arrivals:
        ticks += later
        try:
            after = told(known, statement, wall=NOW + wall, ticks=ticks)
        except NotBelieved:
            continue
        if after is known:  # passed over
            continue
        believed.append(statement)
        assert after.seq >= (known.seq or 0)
        assert after.issued_at >= known.issued_at
        assert after.lead >= known.lead
        assert after.born_at <= ticks
        known = after
    for statement in believed:
        ((ref, floor),) = statement.floors
        assert known.endings.floor_of(ref, NOW + 1) >= floor.number
        assert statement.tokens.keys() <= known.endings.tokens.keys()


def test_the_age_counts_from_the_signature_and_not_from_the_arrival():
    known = told(Known(), FIRST, wall=NOW + 12)
    assert known.born_at == 1000.0 - 12


def test_a_second_look_at_the_same_statement_makes_it_no_younger():
    known = told(Known(), FIRST)
    again = told(known, FIRST, wall=NOW - 500, ticks=1020.0)
    assert again.born_at == known.born_at


@pytest.mark.parametrize("older", [0.001, 1, 5])
def test_an_answer_from_a_cache_that_is_no_news_is_passed_over(older):
    known = told(Known(), FIRST)
    assert told(known, replace(FIRST, issued_at=NOW - older), ticks=1001.0) is known


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"seq": 4}, "back in seq"),
        ({"issued_at": NOW - 5.001}, "back in time"),
        ({"issued_at": NOW - 0.001, "seq": 6}, "back in time"),
        ({"issued_at": NOW + 30.1}, "from the future"),
        ({"since": 6, "seq": 7}, "gap"),
    ],
)
def test_a_refusal_says_why(changes, why):
    with pytest.raises(NotBelieved) as refused:
        told(told(Known(), FIRST), replace(FIRST, **changes))
    assert why in refused.value.detail


def test_the_first_statement_must_tell_the_whole_window():
    with pytest.raises(NotBelieved):
        told(Known(), replace(FIRST, since=1))


def test_a_revoked_key_is_named_as_such_and_an_unknown_one_is_unknown():
    key = new_signing_key("ES256").verifying
    known = told(Known().with_keys({key.kid: key}), FIRST)
    assert known.key_of(key.kid) is key
    assert known.key_of("another") is None
    revoked = told(known, replace(FIRST, keys=(key.kid,)))
    with pytest.raises(InvalidToken):
        revoked.key_of(key.kid)
    forgotten = told(revoked, replace(FIRST, keys=()))
    with pytest.raises(InvalidToken):
        forgotten.key_of(key.kid)


def test_a_key_that_stays_stays_the_same_object_and_another_under_its_name_is_another():
    first, second = new_signing_key("ES256").verifying, new_signing_key("ES256").verifying
    known = Known().with_keys({"a": first})
    same = verifying_key({**first.jwk, "kid": first.kid})
    assert same is not None
    assert known.with_keys({"a": same}).keys["a"] is first
    assert known.with_keys({"a": second}).keys["a"] is second
    assert known.with_keys({"b": second}).keys == {"b": second}

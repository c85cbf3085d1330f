"""`GET /oauth/generations`: does everybody get the same signed statement, and nobody more than is due?"""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.workshop import ISSUER
from tokenserver.tokens.statements import open_statement

PATH = "/oauth/generations"


def get(door, query=""):
    return door.send(method="GET", path=PATH + query, kind=None)


def told(door, answer):
    return open_statement(answer.body.decode(), door.server.services.keys.ring().believed.get, issuer=ISSUER)


def regenerate(door):
    door.server.services.credentials.regenerate(door.caller, door.client_id)


def test_it_is_a_signed_statement_that_caches_may_keep_for_a_second(own_door):
    regenerate(own_door)
    answer = get(own_door)
    assert answer.status == 200
    assert answer.header("Content-Type") == "application/jwt"
    assert answer.header("Cache-Control") == "public, max-age=1"
    assert told(own_door, answer).seq == 1
    assert len(told(own_door, answer).floors) == 1


def test_it_needs_no_authentication_and_names_no_credential(own_door):
    regenerate(own_door)
    text = get(own_door).body.decode()
    assert own_door.client_id not in text
    assert own_door.caller.organization_id not in text


def test_after_tells_only_what_is_new(own_door):
    for _ in range(3):
        regenerate(own_door)
    statement = told(own_door, get(own_door, "?after=2"))
    assert (statement.since, statement.seq, len(statement.floors)) == (2, 3, 1)


def test_everybody_gets_the_same_bytes_while_nothing_changes(own_door):
    assert len({get(own_door).body for _ in range(5)}) == 1
    before = get(own_door).body
    own_door.server.clock.advance(1)
    assert get(own_door).body != before


def test_a_wait_is_never_kept_by_a_cache(own_door):
    for query in ("?wait=0.01", "?after=0&wait=0.01"):
        assert get(own_door, query).header("Cache-Control") == "no-store"
    assert get(own_door, "?wait=0").header("Cache-Control") == "public, max-age=1"


def test_a_wait_that_has_news_is_answered_at_once(own_door):
    regenerate(own_door)
    assert told(own_door, get(own_door, "?after=0&wait=25")).seq == 1


FAULTY = [
    "?after=-1",
    "?after=1.5",
    "?after=x",
    "?after=",
    "?after=+1",
    "?after=1e3",
    "?after=%00",
    "?after=%D9%A1",
    "?after=99999999999999999",
    "?after=9007199254740992",
    "?after=" + "1" * 10_000,
    "?wait=-1",
    "?wait=x",
    "?wait=",
    "?wait=nan",
    "?wait=inf",
    "?wait=1e9",
    "?wait=1.",
    "?wait=.5",
    "?wait=%0a1",
    "?wait=1%0a",
    "?wait=9999999",
]


@pytest.mark.parametrize("query", FAULTY, ids=[query[:20] for query in FAULTY])
def test_a_faulty_question_is_refused(door, query):
    answer = get(door, query)
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")
    assert answer.header("Cache-Control") == "no-store"


@settings(max_examples=150, deadline=None, database=None)
@given(st.text(max_size=20), st.sampled_from(["0", "0.0", "00", "", "x", "-0", "0x1", "0e9"]))
def test_any_question_gets_a_statement_or_a_refusal(door, after, wait):
    answer = get(door, f"?after={quote(after, errors='surrogatepass')}&wait={wait}")
    assert answer.status in {200, 400}


def test_the_largest_number_is_no_harm(door):
    assert told(door, get(door, "?after=9007199254740991")).since == told(door, get(door)).seq


def test_a_database_that_is_away_is_503_with_retry_after(own_door):
    home = own_door.server.settings.home
    with own_door.server.app.app_context():
        own_door.server.app.extensions["sqlalchemy"].engine.dispose()
    own_door.server.services.store.engine.dispose()
    (home / "tokenserver.db").rename(home / "away.db")
    (home / "tokenserver.db").mkdir()
    answer = get(own_door)
    assert (answer.status, answer.json["error"]) == (503, "temporarily_unavailable")
    assert int(answer.header("Retry-After")) >= 1
    (home / "tokenserver.db").rmdir()
    (home / "away.db").rename(home / "tokenserver.db")
    assert get(own_door).status == 200

"""The new secret of a scheduled rotation: claimed with the old one, stored first, then used."""

from __future__ import annotations

import logging
import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.token_endpoint import Answer
from tests.support.world import eventually
from tokenserver.client import TokenRefused, TokenUnavailable


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "secret"
    path.write_text("first\n")
    return path


@pytest.fixture
def waiting(tokens):
    tokens.waiting = "second"
    return tokens


def settled(source, condition, what):
    """A claim is made beside the callers, after a renewal."""
    token = source.token()
    eventually(condition, what)
    return token


def test_a_waiting_secret_is_claimed_by_itself_written_and_used_from_the_next_token_on(waiting, make, clock, path):
    source = make(issuer=waiting.issuer, client_secret=path, claim_rotation=True)
    assert settled(source, lambda: path.read_text() == "second\n", "the new secret is in the file") == "token-1"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    clock.advance(900)
    assert source.token() == "token-2"
    assert [one.secret for one in waiting.token_requests] == ["first", "second"]
    assert [one.secret for one in waiting.claims] == ["first"]
    clock.advance(900)
    source.token()
    assert len(waiting.claims) == 1, "what is not said to wait is not asked for"


def test_it_is_left_alone_where_that_was_not_asked_for(waiting, make, path):
    make(issuer=waiting.issuer, client_secret=path).token()
    assert not waiting.claims


def test_the_claim_is_an_empty_form_with_the_old_secret_in_http_basic(waiting, make, path):
    make(issuer=waiting.issuer, client_secret=path, auth_method="client_secret_post").claim()
    (asked,) = waiting.claims
    assert asked.authorization is not None
    assert asked.form == {}


def test_nothing_is_used_that_could_not_be_written(waiting, make, clock, path, caplog):
    def fails(_):
        raise OSError(28, "second")

    source = make(issuer=waiting.issuer, client_secret=path, claim_rotation=True, new_secret_to=fails)
    settled(source, lambda: "could not be written (OSError)" in caplog.text, "the failure is logged")
    clock.advance(900)
    source.token()
    assert {one.secret for one in waiting.token_requests} == {"first"}
    eventually(lambda: len(waiting.claims) == 2, "the next renewal tries again")
    assert "second" not in caplog.text


def test_a_folder_that_cannot_be_written_to_is_such_a_failure(waiting, make, path, tmp_path):
    source = make(issuer=waiting.issuer, client_secret=path, new_secret_to=tmp_path / "missing" / "secret")
    with pytest.raises(TokenUnavailable, match="could not be written"):
        source.claim()
    assert source.token()
    assert waiting.token_requests[-1].secret == "first"


def test_the_secret_is_stored_before_it_is_used(waiting, make, clock, path):
    stored = []

    def store(secret):
        stored.append((secret, [one.secret for one in waiting.token_requests]))

    source = make(issuer=waiting.issuer, claim_rotation=True, new_secret_to=store)
    settled(source, lambda: stored, "the secret is stored")
    clock.advance(900)
    source.token()
    assert stored == [("second", ["first"])]
    assert waiting.token_requests[-1].secret == "second"


def test_a_claimed_secret_stands_in_for_the_one_it_replaces_and_for_no_other(waiting, make, clock):
    """A variable or a mounted file follows later, if at all; when it does, it wins."""
    mounted = ["first"]
    source = make(issuer=waiting.issuer, client_secret=lambda: mounted[0], new_secret_to=lambda _: None)
    assert source.claim()
    source.token()
    mounted[0] = "third"
    waiting.secrets.add("third")
    clock.advance(900)
    source.token()
    assert [one.secret for one in waiting.token_requests] == ["second", "third"]


def test_a_second_rotation_is_claimed_with_the_claimed_secret(waiting, make):
    stored: list[str] = []
    source = make(issuer=waiting.issuer, new_secret_to=stored.append)
    assert source.claim()
    source.token()
    waiting.waiting = "third"
    assert source.claim()
    assert [one.secret for one in waiting.claims] == ["first", "second"]
    assert stored == ["second", "third"]


def test_a_claim_whose_reply_got_lost_is_repeated(waiting, make, path):
    source = make(issuer=waiting.issuer, client_secret=path)
    waiting.next.append(Answer(502, b"lost on the way"))
    with pytest.raises(TokenUnavailable):
        source.claim()
    assert source.claim()
    assert path.read_text() == "second\n"


def test_processes_that_claim_together_end_with_the_same_secret(waiting, make, clock, path):
    sources = [make(issuer=waiting.issuer, client_secret=path, claim_rotation=True) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda source: source.token(), sources))
    eventually(lambda: path.read_text() == "second\n", "claimed by one of them at least")
    clock.advance(900)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda source: source.token(), sources))
    assert [one.secret for one in waiting.token_requests[4:]] == ["second"] * 4


def test_nothing_waits_and_that_is_no_failure(tokens, make, path):
    assert make(issuer=tokens.issuer, client_secret=path).claim() is False
    assert path.read_text() == "first\n"


BAD = {
    "another 404": Answer(404, {"error": "not_found"}),
    "no answer of ours": Answer(404, b"<html>"),
    "another credential": Answer(200, {"client_id": "another", "client_secret": "x"}),
    "no secret": Answer(200, {"client_id": "an app"}),
    "an empty one": Answer(200, {"client_id": "an app", "client_secret": ""}),
    "one of two lines": Answer(200, {"client_id": "an app", "client_secret": "a\nb"}),
    "no JSON": Answer(200, b"second"),
    "a refusal": Answer(401, {"error": "invalid_client"}),
    "busy": Answer(503, {}),
}


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD.keys())
def test_an_odd_answer_changes_nothing(waiting, make, path, answer):
    waiting.next.append(answer)
    with pytest.raises((TokenRefused, TokenUnavailable)):
        make(issuer=waiting.issuer, client_secret=path).claim()
    assert path.read_text() == "first\n"


def test_a_failing_claim_fails_no_caller(waiting, make, path, caplog):
    caplog.set_level(logging.WARNING, "tokenserver.client")
    waiting.next.extend([Answer(200, waiting.metadata), Answer(200, {"access_token": "t", "token_type": "Bearer"})])
    source = make(issuer=waiting.issuer, client_secret=path, claim_rotation=True)
    assert source.token() == "t"
    waiting.next.extend([waiting._answer(waiting.asked[-1]), Answer(503, {})])
    assert source.token(instead_of="t") == "token-1"
    eventually(lambda: "waiting secret was not claimed" in caplog.text, "the failure is logged")


def test_where_it_is_written_to_and_claimed_at_must_be_known(tokens, make, path):
    with pytest.raises(ValueError, match="claim_rotation needs issuer"):
        make(client_secret=path, claim_rotation=True)
    with pytest.raises(ValueError, match="new_secret_to"):
        make(issuer=tokens.issuer, claim_rotation=True)
    with pytest.raises(ValueError, match="new_secret_to"):
        make(issuer=tokens.issuer).claim()
    with pytest.raises(TokenUnavailable, match="pass issuer"):
        make(client_secret=path).claim()


def test_a_file_that_the_environment_names_is_written_to(waiting, make, path, monkeypatch):
    monkeypatch.delenv("TOKENSERVER_CLIENT_SECRET", raising=False)
    monkeypatch.setenv("TOKENSERVER_CLIENT_SECRET_FILE", os.fspath(path))
    assert make(issuer=waiting.issuer, client_secret=None).claim()
    assert path.read_text() == "second\n"

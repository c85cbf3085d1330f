"""Retries, pauses, and what is never repeated. Over real HTTP; time passes when the source sleeps."""

from __future__ import annotations

import pytest

from tests.support.token_endpoint import Answer
from tokenserver.client import SecretUnreadable, TokenRefused, TokenUnavailable
from tokenserver.client.asking import FIRST_REST, MOST_SECRETS

BUSY = Answer(503, {"error": "temporarily_unavailable"})


def no_more(seconds=600):
    """Answers that never end."""
    return [BUSY] * seconds


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_server_that_is_busy_is_asked_again(tokens, make, status):
    tokens.next.extend([Answer(status, {})] * 3)
    assert make().token() == "token-1"
    assert len(tokens.asked) == 4


def test_the_pause_doubles_with_jitter(tokens, make, clock):
    tokens.next.extend([BUSY] * 5)
    make().token()
    assert len(clock.slept) == 5
    for number, pause in enumerate(clock.slept):
        assert 0.25 * 2**number <= pause <= 0.5 * 2**number


def test_retry_after_is_heeded(tokens, make, clock):
    tokens.next.append(Answer(503, {}, {"Retry-After": "7"}))
    make().token()
    assert 7 <= clock.slept[0] <= 8


def test_a_server_that_asks_for_more_patience_than_there_is_is_not_waited_for(tokens, make, clock):
    tokens.next.append(Answer(429, {}, {"Retry-After": "120"}))
    source = make(patience=30)
    with pytest.raises(TokenUnavailable) as refused:
        source.token()
    assert 120 <= refused.value.retry_after <= 132
    assert not clock.slept


def test_nor_is_it_asked_before_that_time_however_often_the_app_asks(tokens, make, clock):
    tokens.next.append(Answer(429, {}, {"Retry-After": "120"}))
    source = make(patience=30)
    for _ in range(40):
        with pytest.raises(TokenUnavailable):
            source.token()
        clock.advance(2)
    assert len(tokens.asked) == 1
    clock.advance(60)
    assert source.token() == "token-1"


def test_in_a_storm_callers_are_told_within_patience_and_the_server_is_left_alone(tokens, make, clock):
    tokens.next.extend(no_more())
    source = make(patience=30)
    began = clock.monotonic()
    with pytest.raises(TokenUnavailable, match="503"):
        source.token()
    assert clock.monotonic() - began <= 30
    assert len(tokens.asked) < 12
    asked, began = len(tokens.asked), clock.monotonic()
    for _ in range(300):  # callers who do not give up
        with pytest.raises(TokenUnavailable):
            source.token()
        clock.advance(1)
    minutes = (clock.monotonic() - began) / 60
    assert len(tokens.asked) - asked < 4 * minutes + 1, "the pause has not begun anew with each attempt"
    tokens.next.clear()
    clock.advance(31)
    assert source.token() == "token-1"


def test_a_server_that_nobody_answers_for_is_asked_again_and_then_said_to_be_unreachable(tokens, make, clock):
    tokens.shutdown()
    tokens.server_close()
    with pytest.raises(TokenUnavailable, match="cannot be reached"):
        make(patience=5).token()
    assert len(clock.slept) >= 2


def test_a_refusal_is_never_asked_again_with_the_same_secret(tokens, make, clock):
    source = make(client_secret="wrong")
    for _ in range(5):
        with pytest.raises(TokenRefused, match="Client authentication failed") as refused:
            source.token()
        assert refused.value.error == "invalid_client"
        clock.advance(FIRST_REST / 10)
    assert len(tokens.asked) == 1
    assert not clock.slept


@pytest.mark.parametrize("error", ["invalid_scope", "unauthorized_client", "invalid_target"])
def test_no_other_refusal_is_either(tokens, make, error):
    tokens.next.append(Answer(400, {"error": error}))
    source = make()
    for _ in range(3):
        with pytest.raises(TokenRefused) as refused:
            source.token()
        assert refused.value.error == error
    assert len(tokens.asked) == 1


def test_a_wrong_secret_is_tried_ever_less_often_so_that_it_locks_nobody_out(tokens, make, clock):
    source = make(client_secret="wrong")
    for _ in range(600):
        with pytest.raises(TokenRefused):
            source.token()
        clock.advance(1)
    assert 5 <= len(tokens.asked) <= 15


def test_a_credential_that_is_enabled_again_works_again_within_a_minute(tokens, make, clock):
    tokens.secrets.clear()
    source = make()
    for _ in range(100):
        with pytest.raises(TokenRefused):
            source.token()
        clock.advance(1)
    tokens.secrets.add("first")
    clock.advance(61)
    assert source.token() == "token-1"


def test_a_secret_that_was_replaced_while_we_asked_is_asked_with_at_once(tokens, make, tmp_path, clock):
    path = tmp_path / "secret"
    path.write_text("first")
    tokens.secrets = {"second"}
    tokens.gate.clear()
    source = make(client_secret=path)
    source.rejected("none yet")  # begins, and does not wait
    assert tokens.entered.wait(20)
    path.write_text("second")
    tokens.gate.set()
    assert source.token() == "token-1"
    assert [one.secret for one in tokens.asked] == ["first", "second"]
    assert not clock.slept


def test_a_secret_that_is_replaced_after_a_refusal_is_picked_up_within_a_second(tokens, make, tmp_path, clock):
    path = tmp_path / "secret"
    path.write_text("old")
    source = make(client_secret=path)
    with pytest.raises(TokenRefused):
        source.token()
    path.write_text("first")
    clock.advance(1)
    assert source.token() == "token-1"


def test_a_source_that_makes_secrets_up_does_not_make_a_storm(tokens, make):
    made = iter(range(1000))
    with pytest.raises(TokenRefused):
        make(client_secret=lambda: f"guess {next(made)}").token()
    assert len(tokens.asked) == MOST_SECRETS


def test_without_a_secret_nothing_is_asked_and_the_error_says_where_it_was_looked_for(tokens, make, tmp_path, clock):
    source = make(client_secret=tmp_path / "secret")
    with pytest.raises(SecretUnreadable, match="not there"):
        source.token()
    (tmp_path / "secret").write_text("first")
    clock.advance(1)
    assert source.token() == "token-1"
    assert len(tokens.asked) == 1

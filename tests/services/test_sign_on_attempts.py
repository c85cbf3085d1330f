"""Is an answer taken once, within ten minutes, in the browser that asked, and never another one?"""

from __future__ import annotations

import base64
import json

import pytest

from app.services.sign_on_attempts import LASTS, Attempts, SignOnRefused, TooMuchTyped
from app.store.sealing import Sealer
from tests.support.workshop import KEK, at_once, failed, succeeded

PURPOSE = "single-sign-on"


@pytest.fixture
def attempts(workshop):
    return Attempts(workshop.services.store, Sealer(KEK), workshop.clock)


def test_what_was_begun_is_what_is_finished(attempts):
    attempt, cookie = attempts.new("/credentials?page=2", again=False)
    assert attempts.taken(cookie, attempt.state) == attempt
    assert attempt.then == "/credentials?page=2"
    assert len({attempt.state, attempt.nonce, attempt.verifier}) == 3
    assert min(map(len, (attempt.state, attempt.nonce, attempt.verifier))) >= 43


def test_the_browser_holds_nothing_that_could_be_read(attempts):
    attempt, cookie = attempts.new("/credentials", again=True)
    inside = base64.urlsafe_b64decode(cookie)
    for text in (attempt.state, attempt.nonce, attempt.verifier, "/credentials"):
        assert text not in cookie
        assert text.encode() not in inside
    assert len(cookie) < 1000


def test_it_lasts_ten_minutes_to_the_second(attempts, workshop):
    (early, early_cookie), (late, late_cookie) = (attempts.new("", again=False) for _ in range(2))
    workshop.clock.now = int(workshop.clock.now) + LASTS - 1
    assert attempts.taken(early_cookie, early.state)
    workshop.clock.advance(1)
    with pytest.raises(SignOnRefused, match="more than ten minutes"):
        attempts.taken(late_cookie, late.state)


def test_of_two_answers_at_once_one_is_taken(attempts):
    attempt, cookie = attempts.new("", again=False)
    outcomes = at_once(*[lambda: attempts.taken(cookie, attempt.state)] * 4)
    assert len(succeeded(outcomes)) == 1
    assert all(isinstance(fault, SignOnRefused) for fault in failed(outcomes))


def test_an_answer_to_what_another_browser_asked_is_refused(attempts):
    (ours, _), (_, their_cookie) = (attempts.new("", again=False) for _ in range(2))
    with pytest.raises(SignOnRefused, match="not begun in this browser"):
        attempts.taken(their_cookie, ours.state)


def sealed(value, key=KEK, purpose=PURPOSE):
    return base64.urlsafe_b64encode(Sealer(key).seal(json.dumps(value).encode(), purpose)).decode()


WHOLE: list[object] = ["state", "nonce", "verifier", "/", [], None, 4_000_000_000]
COOKIES = {
    "none": "",
    "not base64": "%%%",
    "of other letters": "\u00e4\ud800",
    "too short": "AQ==",
    "sealed under another key": sealed(WHOLE, key=bytes(32)),
    "sealed for something else": sealed(WHOLE, purpose="webhook:x"),
    "cut off": sealed(WHOLE)[:-8],
    "too long": "A" * 100_000,
}


@pytest.mark.parametrize("cookie", COOKIES.values(), ids=COOKIES.keys())
def test_a_cookie_that_is_not_ours_begins_nothing(attempts, cookie):
    with pytest.raises(SignOnRefused, match="not begun in this browser"):
        attempts.taken(cookie, "state")


def test_what_was_typed_comes_back_as_it_was_or_is_refused_beforehand(attempts):
    attempt, cookie = attempts.new("/credentials/new", "sealed", again=False)
    assert attempts.taken(cookie, attempt.state).kept == "sealed"
    assert len(attempts.new("", "x" * 2500, again=False)[1]) < 4000
    with pytest.raises(TooMuchTyped):
        attempts.new("", "x" * 3000, again=False)


def test_a_page_that_is_too_long_is_forgotten(attempts):
    assert attempts.new("/" + "x" * 1000, again=False)[0].then == ""

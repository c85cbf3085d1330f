"""No clock that somebody sets can make a token live longer, or old news fresh."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenserver.resource.knowledge import Known
from tokenserver.resource.testing import FakeClock
from tokenserver.resource.timekeeping import Timekeeper
from tokenserver.tokens.statements import Statement


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def time(clock):
    return Timekeeper(clock, clock.monotonic, 30.0)


def news(clock, known=None, *, age=0.0):
    statement = Statement("https://auth.example.com", clock() - age, 1, 0, 3660)
    return (known or Known()).with_statement(statement, wall=clock(), ticks=clock.monotonic(), tolerance=30.0)


def test_before_any_news_the_age_is_endless(time):
    assert time.read(Known())[1] == float("inf")


def test_now_does_not_go_back_with_the_wall_clock(clock, time):
    known = news(clock)
    clock.advance(100)
    now, _ = time.read(known)
    clock.step(-60)
    assert time.read(known)[0] == now
    clock.advance(5)
    assert time.read(known)[0] == now + 5


def test_now_does_not_go_back_before_the_first_news_either(clock, time):
    now, _ = time.read(Known())
    clock.step(-60)
    assert time.read(Known())[0] == now


def test_a_wall_clock_that_is_behind_is_carried_by_the_issuers(clock, time):
    known = news(clock, age=-20)
    assert time.read(known)[0] == clock() + 20
    clock.advance(7)
    assert time.read(known)[0] == clock() + 20


def test_a_wall_clock_that_was_far_ahead_is_forgiven_within_the_bound(clock, time):
    known, right = news(clock), clock()
    clock.step(7200)
    assert time.read(known)[0] == right + 7200
    clock.step(-7200)
    assert time.read(known)[0] == right + 30


def test_setting_the_clock_back_does_not_make_old_news_young(clock, time):
    known = news(clock, age=3600)
    clock.step(-3600)
    assert time.read(known)[1] == 3600


def test_a_machine_that_slept_sees_the_age_on_its_wall_clock(clock, time):
    known = news(clock)
    clock.step(600)  # the monotonic clock stood still
    assert time.read(known)[1] == 600


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("advance"), st.floats(0, 50)),
        st.tuples(st.just("step"), st.floats(-5000, 5000)),
        st.tuples(st.just("news"), st.floats(0, 5)),
    ),
    max_size=30,
)


@settings(max_examples=200, deadline=None, database=None)
@given(STEPS)
def test_now_is_never_before_the_issuers_time_and_the_age_never_below_the_truth(steps):
    """The issuer's clock is the true one; ours is set at will."""
    clock = FakeClock()
    truth = clock()
    time = Timekeeper(clock, clock.monotonic, 30.0)
    known, signed = Known(), None
    for what, amount in steps:
        if what == "advance":
            clock.advance(amount)
            truth += amount
        elif what == "step":
            clock.step(amount)
        else:
            statement = Statement("https://auth.example.com", max(truth - amount, signed or 0), 1, 0, 3660)
            known = known.with_statement(statement, wall=clock(), ticks=clock.monotonic(), tolerance=1e9)
            signed = statement.issued_at
        now, age = time.read(known)
        if signed is not None:
            assert now >= signed - 1e-3
            assert now >= truth - 60 or clock() < truth  # at most the delay of the news behind
            heard = known.lead + clock.monotonic()
            assert age >= heard - signed - 1e-3

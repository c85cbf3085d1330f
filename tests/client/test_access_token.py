"""How long a token is used, by two clocks of which neither is trusted alone."""

from __future__ import annotations

import pytest

from tokenserver.client.access_token import AccessToken, Moment

START = Moment(1_800_000_000.0, 50.0)


def later(seconds, *, step=0.0):
    return Moment(START.wall + seconds + step, START.ticks + seconds)


@pytest.mark.parametrize("lifetime", [3, 60, 900, 3600])
def test_a_token_is_due_between_three_quarters_and_nine_tenths_of_its_life(lifetime):
    token = AccessToken("t", START, lifetime)
    assert not token.is_due(later(lifetime * 0.749))
    assert token.is_due(later(lifetime * 0.901))


def test_tokens_that_were_asked_for_together_are_not_due_together():
    assert len({AccessToken("t", START, 900).due_at_age for _ in range(20)}) > 10


def test_the_child_of_a_fork_draws_its_own_time_of_renewal():
    token = AccessToken("t", START, 900)
    assert len({token.due_at_another_age().due_at_age for _ in range(20)}) > 10
    assert token.due_at_another_age().text == "t"


CASES = {
    "a long one is not used in its last five seconds": (900, 894, 896),
    "a short one not in the last tenth of its life": (10, 8.9, 9.1),
}


@pytest.mark.parametrize(("lifetime", "good", "spent"), CASES.values(), ids=CASES.keys())
def test_a_token_that_might_expire_on_its_way_is_spent(lifetime, good, spent):
    token = AccessToken("t", START, lifetime)
    assert not token.is_spent(later(good))
    assert token.is_spent(later(spent))


def test_a_wall_clock_set_back_does_not_make_a_token_younger():
    assert AccessToken("t", START, 900).is_spent(later(900, step=-86_400))


def test_a_machine_that_slept_sees_it_on_its_wall_clock():
    assert AccessToken("t", START, 900).is_spent(Moment(START.wall + 3600, START.ticks + 1))


def test_its_repr_does_not_show_it():
    assert "eyJ" not in repr(AccessToken("eyJ", START, 900))

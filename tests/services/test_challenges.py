"""Is a challenge good for one purpose, one time, and a short while, without the server keeping it?"""

from __future__ import annotations

import pytest

from app.services.challenges import LASTS, ChallengeIsOver, Challenges
from app.store.sealing import Sealer
from tests.support.workshop import KEK, NOW


@pytest.fixture
def challenges():
    return Challenges(Sealer(KEK))


def use(workshop, challenges, sealed, purpose="sign in", now=NOW):
    opened = challenges.open(sealed, purpose, now)
    with workshop.services.store.writing() as tx:
        challenges.spend_in(tx, opened)
    return opened.value


def test_it_comes_back_as_it_was_made(workshop, challenges):
    made = challenges.make("sign in", NOW)
    assert len(made.value) == 32
    assert use(workshop, challenges, made.sealed) == made.value
    assert challenges.make("sign in", NOW).value != made.value


def test_it_is_used_once(workshop, challenges):
    made = challenges.make("sign in", NOW)
    use(workshop, challenges, made.sealed)
    with pytest.raises(ChallengeIsOver):
        use(workshop, challenges, made.sealed)


def test_what_is_refused_afterwards_has_not_used_it(workshop, challenges):
    made = challenges.make("sign in", NOW)
    with pytest.raises(KeyError), workshop.services.store.writing() as tx:
        challenges.spend_in(tx, challenges.open(made.sealed, "sign in", NOW))
        raise KeyError
    assert use(workshop, challenges, made.sealed) == made.value


def test_it_lasts_for_five_minutes(workshop, challenges):
    made = challenges.make("sign in", NOW)
    with pytest.raises(ChallengeIsOver):
        use(workshop, challenges, made.sealed, now=int(NOW) + LASTS)
    assert use(workshop, challenges, made.sealed, now=int(NOW) + LASTS - 1)


def test_it_is_for_what_it_was_made_for(workshop, challenges):
    made = challenges.make("prove this", NOW)
    with pytest.raises(ChallengeIsOver):
        use(workshop, challenges, made.sealed, "prove that")


def test_it_is_of_this_installation(workshop, challenges):
    made = Challenges(Sealer(bytes(32))).make("sign in", NOW)
    with pytest.raises(ChallengeIsOver):
        use(workshop, challenges, made.sealed)


def test_what_is_asked_is_not_shown_by_accident(challenges):
    made = challenges.make("sign in", NOW)
    assert made.sealed not in repr(made)
    assert made.value.hex() not in made.sealed
    assert repr(made.value) not in repr(challenges.open(made.sealed, "sign in", NOW))

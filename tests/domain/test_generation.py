"""The rule of generations, by examples and against a model that knows no generations: it remembers every token."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.support.credentials import NOW, QUICK, SEQUENCES
from tokenserver.domain.generation import LARGEST, Floor, Generation, NoRotation, RotationOpen
from tokenserver.domain.liveness import Ending, Endings, ended_by

IN_GRACE = Generation(current=6, floor=5, next_floor=6, next_floor_at=NOW + 60)
AFTER_GRACE = NOW + 60
WITHOUT_END = Generation(current=6, floor=5, next_floor=6)
"""A grace period that begins to end when the new secret is in use."""

TRANSITIONS = {
    "regenerating takes the next number and kills all below it": (
        Generation(5, 5, 5).regenerated(),
        Generation(6, 6, 6),
    ),
    "a bump does the same, for the secret that stays": (
        Generation(5, 5, 5).bumped(NOW),
        Generation(6, 6, 6),
    ),
    "rotating lets the old number live until the grace period ends": (
        Generation(5, 5, 5).rotated(NOW, 60),
        IN_GRACE,
    ),
    "rotating within a second rounds the end up, so that nobody gets less grace than asked": (
        Generation(5, 5, 5).rotated(NOW - 0.25, 60),
        IN_GRACE,
    ),
    "rotating without an end lets the old number live until one is set": (
        Generation(5, 5, 5).rotated(NOW, None),
        WITHOUT_END,
    ),
    "setting the end makes it a grace period like any other": (
        WITHOUT_END.bounded(NOW - 0.25, 60),
        IN_GRACE,
    ),
    "a bump in a grace period without an end takes two numbers, and sets no end": (
        WITHOUT_END.bumped(NOW),
        Generation(current=8, floor=7, next_floor=8),
    ),
    "a grace period without an end is never over by itself": (
        WITHOUT_END.settled(NOW + 10**9),
        WITHOUT_END,
    ),
    "finishing one that has no end lifts the floor as well": (
        WITHOUT_END.finished(NOW),
        Generation(6, 6, 6),
    ),
    "regenerating in a grace period ends the grace period": (
        IN_GRACE.regenerated(),
        Generation(7, 7, 7),
    ),
    "a bump in a grace period takes two numbers, one for each secret, and leaves its end alone": (
        IN_GRACE.bumped(NOW),
        Generation(current=8, floor=7, next_floor=8, next_floor_at=NOW + 60),
    ),
    "a bump after a grace period is over takes one": (
        IN_GRACE.bumped(AFTER_GRACE),
        Generation(7, 7, 7),
    ),
    "finishing early lifts the floor to the new secret's number, whose tokens go on": (
        IN_GRACE.finished(NOW),
        Generation(6, 6, 6),
    ),
    "cancelling gives the old secret a number above the withdrawn one": (
        IN_GRACE.cancelled(NOW),
        Generation(7, 7, 7),
    ),
    "rotating after a grace period is over starts from where it ended": (
        IN_GRACE.rotated(AFTER_GRACE, 60),
        Generation(current=7, floor=6, next_floor=7, next_floor_at=AFTER_GRACE + 60),
    ),
    "a grace period that is over can be written down as over": (
        IN_GRACE.settled(AFTER_GRACE),
        Generation(6, 6, 6),
    ),
    "one that is not over cannot": (
        IN_GRACE.settled(AFTER_GRACE - 0.001),
        IN_GRACE,
    ),
    "where there is none there is nothing to write down": (
        Generation(5, 5, 5).settled(NOW),
        Generation(5, 5, 5),
    ),
}


@pytest.mark.parametrize(("reached", "expected"), TRANSITIONS.values(), ids=TRANSITIONS.keys())
def test_each_transition_leads_to_exactly_one_generation(reached: Generation, expected: Generation) -> None:
    assert reached == expected


TOLD = {
    "nothing, when nothing happened": (IN_GRACE, IN_GRACE, NOW, ()),
    "nothing, when a grace period ended by itself: it was told when it began": (
        IN_GRACE,
        IN_GRACE.settled(AFTER_GRACE),
        AFTER_GRACE,
        (),
    ),
    "a bump: the new floor, from this second on": (
        Generation(5, 5, 5),
        Generation(5, 5, 5).bumped(NOW + 0.75),
        NOW + 0.75,
        (Floor(6, NOW),),
    ),
    "a rotation: only the floor to come, on the second it comes": (
        Generation(5, 5, 5),
        IN_GRACE,
        NOW,
        (Floor(6, NOW + 60),),
    ),
    "a bump in a grace period: both": (
        IN_GRACE,
        IN_GRACE.bumped(NOW),
        NOW,
        (Floor(7, NOW), Floor(8, NOW + 60)),
    ),
    "finishing early: that the floor to come is here": (IN_GRACE, IN_GRACE.finished(NOW), NOW, (Floor(6, NOW),)),
    "cancelling: the floor above the withdrawn number": (IN_GRACE, IN_GRACE.cancelled(NOW), NOW, (Floor(7, NOW),)),
    "rotating again after a grace period: only what is to come": (
        IN_GRACE,
        IN_GRACE.rotated(AFTER_GRACE, 60),
        AFTER_GRACE,
        (Floor(7, AFTER_GRACE + 60),),
    ),
}


@pytest.mark.parametrize(("before", "after", "now", "told"), TOLD.values(), ids=TOLD.keys())
def test_resource_servers_are_told_exactly_the_floors_that_moved(
    before: Generation, after: Generation, now: float, told: tuple[Floor, ...]
) -> None:
    assert after.floors_to_tell(before, now) == told


GRACE_MOMENTS = {
    "when it begins": (NOW, 5, True),
    "in its last second": (AFTER_GRACE - 1, 5, True),
    "in its last millisecond": (AFTER_GRACE - 0.001, 5, True),
    "on the second it ends": (AFTER_GRACE, 6, False),
    "long after": (AFTER_GRACE + 10**9, 6, False),
}


@pytest.mark.parametrize(("now", "floor", "open_"), GRACE_MOMENTS.values(), ids=GRACE_MOMENTS.keys())
def test_a_grace_period_ends_on_its_second_by_itself(now: float, floor: int, open_: bool) -> None:
    assert IN_GRACE.floor_at(now) == floor
    assert IN_GRACE.in_grace(now) is open_


def test_a_second_rotation_is_refused_with_what_to_do_instead() -> None:
    with pytest.raises(RotationOpen) as refusal:
        IN_GRACE.rotated(AFTER_GRACE - 0.001, 60)
    assert (refusal.value.status, refusal.value.code) == (409, "rotation_open")
    for way_out in ("finish", "cancel", "regenerate"):
        assert way_out in refusal.value.public


@pytest.mark.parametrize("end", [Generation.finished, Generation.cancelled])
@pytest.mark.parametrize(
    ("generation", "now"),
    [(Generation(5, 5, 5), NOW), (IN_GRACE, AFTER_GRACE)],
    ids=["without a rotation", "after the grace period is over"],
)
def test_only_an_open_rotation_can_be_ended(end: object, generation: Generation, now: float) -> None:
    assert callable(end)
    with pytest.raises(NoRotation):
        end(generation, now)


IMPOSSIBLE = {
    "a floor of zero": (1, 0, 1),
    "a negative floor": (1, -1, 1),
    "a floor above the next floor": (3, 3, 2),
    "a next floor above the current number": (2, 1, 3),
    "a number that JSON readers cannot hold": (LARGEST + 1, 1, 1),
}


@pytest.mark.parametrize(("current", "floor", "next_floor"), IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_a_generation_that_breaks_the_rule_cannot_be_made(current: int, floor: int, next_floor: int) -> None:
    with pytest.raises(ValueError, match="must satisfy"):
        Generation(current, floor, next_floor)


def test_the_last_number_is_never_wrapped_around() -> None:
    last = Generation(LARGEST, LARGEST, LARGEST)
    for change in (last.regenerated, lambda: last.bumped(NOW), lambda: last.rotated(NOW, 60)):
        with pytest.raises(ValueError, match="must satisfy"):
            change()


@QUICK
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(NOW, NOW + 9)), max_size=6), st.randoms(use_true_random=False))
def test_the_order_and_number_of_tellings_never_change_a_verdict(told: list[tuple[int, int]], chance: Random) -> None:
    floors = [Floor(*each) for each in told]
    shuffled = [*floors, *floors[: len(floors) // 2]]
    chance.shuffle(shuffled)
    whole = Endings().and_also([("ref", floor) for floor in floors], {}, ())
    in_pieces = Endings()
    for floor in shuffled:
        in_pieces = in_pieces.and_also([("ref", floor)], {}, ())
    for now in range(NOW - 1, NOW + 11):
        strictest = max((number for number, effective_at in told if effective_at <= now), default=0)
        assert in_pieces.floor_of("ref", now) == whole.floor_of("ref", now) == strictest


@dataclass(frozen=True, slots=True)
class Minted:
    """A token as the model remembers it: which secret minted it, in which epoch (one more after each ending of all)."""

    generation: int
    secret: int
    epoch: int
    credential_ref: str = "ref"
    organization_ref: str = "organization"
    organization_generation: int = 1
    token_id: str = "jti"  # noqa: RUF100, S105
    key_id: str = "kid"


class Generations(RuleBasedStateMachine):
    """Random lives of a credential, beside a model that decides by meaning.

    The model: a token is live while nothing ended everything since (its epoch is the present one) and its secret has
    not ended. Secrets are numbered; `ends` says when one ends.
    """

    def __init__(self) -> None:
        super().__init__()
        self.generation = Generation()
        self.now = float(NOW)
        self.minted: list[Minted] = []
        self.dead: set[Minted] = set()
        self.told: list[Floor] = []
        self.epoch = 0
        self.secrets = 1
        self.current = 1
        self.retiring: int | None = None
        self.ends: dict[int, float] = {}
        self.terms: dict[int, tuple[int, int]] = {}
        self.chance = Random(0)

    @initialize(millisecond=st.integers(0, 999), chance=st.randoms(use_true_random=False))
    def start(self, millisecond: int, chance: Random) -> None:
        self.now = NOW + millisecond / 1000
        self.chance = chance

    def become(self, after: Generation) -> None:
        before, self.generation = self.generation, after
        assert after.current >= before.current
        assert after.next_floor >= before.next_floor
        assert after.floor_at(self.now) >= before.floor_at(self.now)
        self.told += after.floors_to_tell(before, self.now)

    def in_grace(self) -> bool:
        return self.retiring is not None and self.now < self.ends[self.retiring]

    def lives(self, token: Minted) -> bool:
        return token.epoch == self.epoch and not self.now >= self.ends.get(token.secret, float("inf"))

    def new_secret(self) -> int:
        self.secrets += 1
        return self.secrets

    @rule()
    def regenerate(self) -> None:
        self.become(self.generation.regenerated())
        self.epoch += 1
        self.current, self.retiring = self.new_secret(), None

    @rule()
    def bump(self) -> None:
        self.become(self.generation.bumped(self.now))
        self.epoch += 1

    @rule(grace=st.integers(0, 20))
    def rotate(self, grace: int) -> None:
        if self.in_grace():
            with pytest.raises(RotationOpen):
                self.generation.rotated(self.now, grace)
            return
        self.become(self.generation.rotated(self.now, grace))
        self.retiring, self.current = self.current, self.new_secret()
        whole_second = int(self.now) if self.now == int(self.now) else int(self.now) + 1
        self.ends[self.retiring] = whole_second + grace

    @rule()
    def rotate_without_an_end(self) -> None:
        if self.in_grace():
            with pytest.raises(RotationOpen):
                self.generation.rotated(self.now, None)
            return
        told = len(self.told)
        self.become(self.generation.rotated(self.now, None))
        assert len(self.told) == told, "there is nothing to tell yet"
        self.retiring, self.current = self.current, self.new_secret()
        self.ends[self.retiring] = float("inf")

    @rule(grace=st.integers(0, 20))
    def set_the_end(self, grace: int) -> None:
        if self.retiring is None or self.ends[self.retiring] != float("inf"):
            with pytest.raises(NoRotation):
                self.generation.bounded(self.now, grace)
            return
        self.become(self.generation.bounded(self.now, grace))
        self.ends[self.retiring] = math.ceil(self.now) + grace

    @rule()
    def finish(self) -> None:
        if not self.in_grace():
            with pytest.raises(NoRotation):
                self.generation.finished(self.now)
            return
        self.become(self.generation.finished(self.now))
        assert self.retiring is not None
        self.ends[self.retiring], self.retiring = self.now, None

    @rule()
    def cancel(self) -> None:
        if not self.in_grace():
            with pytest.raises(NoRotation):
                self.generation.cancelled(self.now)
            return
        self.become(self.generation.cancelled(self.now))
        assert self.retiring is not None
        self.ends[self.current] = self.now
        self.epoch += 1
        self.current, self.retiring = self.retiring, None
        del self.ends[self.current]

    @rule()
    def write_the_present_down(self) -> None:
        self.become(self.generation.settled(self.now))

    @rule(milliseconds=st.integers(1, 15_000))
    def time_passes(self, milliseconds: int) -> None:
        self.now = round(self.now + milliseconds / 1000, 3)

    @rule(milliseconds=st.sampled_from([-1000, -1, 0, 1, 1000]))
    def time_passes_to_about_the_end_of_the_grace_period(self, milliseconds: int) -> None:
        if self.retiring is not None and self.in_grace() and math.isfinite(self.ends[self.retiring]):
            self.now = max(self.now, round(self.ends[self.retiring] + milliseconds / 1000, 3))

    def mint(self, secret: int, number: int) -> None:
        terms = (secret, self.epoch)
        assert self.terms.setdefault(number, terms) == terms, "a number stands for one set of terms"
        self.minted.append(Minted(number, secret, self.epoch))

    @rule()
    def mint_with_the_current_secret(self) -> None:
        self.mint(self.current, self.generation.current)

    @rule()
    def mint_with_the_retiring_secret(self) -> None:
        if self.retiring is not None and self.in_grace():
            self.mint(self.retiring, self.generation.floor_at(self.now))

    @invariant()
    def numbers_keep_the_rule(self) -> None:
        floor = self.generation.floor_at(self.now)
        assert 0 < self.generation.floor <= floor <= self.generation.next_floor <= self.generation.current
        assert self.generation.in_grace(self.now) == self.in_grace()

    @invariant()
    def server_and_resource_server_agree_with_the_model(self) -> None:
        told = [*self.told, *self.told[::3]]
        self.chance.shuffle(told)
        endings = Endings().and_also([("ref", floor) for floor in told], {}, ())
        for token in self.minted:
            live = self.lives(token)
            assert (token.generation >= self.generation.floor_at(self.now)) is live
            assert ended_by(token, endings, self.now) is (None if live else Ending.GENERATION)
            assert not (live and token in self.dead), "no token comes back"
            if not live:
                self.dead.add(token)


Generations.TestCase.settings = SEQUENCES
test_generations_agree_with_a_model_that_remembers_every_token = Generations.TestCase


def test_between_two_changes_no_token_ends_but_at_the_end_of_the_grace_period() -> None:
    floors = [IN_GRACE.floor_at(NOW + second) for second in range(200)]
    changes = [second for second, (one, next_) in enumerate(pairwise(floors), start=1) if one != next_]
    assert changes == [60]

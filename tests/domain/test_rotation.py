"""Rotation on schedule, by examples and in random lives: nothing that works ends before the new secret is in use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support.credentials import CATALOGUE, NOW, SEQUENCES, credential, secret, terms
from tokenserver.clock import DAY
from tokenserver.domain.credential import Credential, HasEnded, SecretState
from tokenserver.domain.generation import NoRotation, RotationOpen
from tokenserver.domain.rotation import (
    Rotation,
    Step,
    abandoned,
    begun,
    claimed,
    completed,
    handed_out,
    is_awaited,
    is_due,
    next_step,
    prepared,
    rescheduled,
    stepped,
    withdrawn,
)
from tokenserver.domain.schedule import OnUnclaimed, RotationSchedule

GRACE = 10 * DAY
SCHEDULE = RotationSchedule(90, GRACE)
PERIOD = SCHEDULE.period(credential().client_id)
DUE = NOW + PERIOD


def scheduled(**changes: object) -> Credential:
    return replace(rescheduled(credential(), SCHEDULE, NOW), **changes)  # type: ignore[arg-type]


def waiting() -> Credential:
    return prepared(scheduled(), secret("second"), DUE)


def taken() -> Credential:
    return claimed(waiting(), DUE + 60)


def rotation(**changes: object) -> Rotation:
    return replace(begun(waiting(), "secret_second", SCHEDULE, DUE), **changes)  # type: ignore[arg-type]


def working(some: Credential, now: float) -> set[str]:
    return {each.id for each in some.secrets if each.works_at(now)}


# --- the schedule ---


def test_the_interval_counts_from_when_the_schedule_was_set() -> None:
    assert scheduled().rotate_at == DUE
    assert not is_due(scheduled(), DUE - 1)
    assert is_due(scheduled(), DUE)


def test_setting_changing_and_dropping_a_schedule_disturbs_no_secret_and_no_token() -> None:
    some = credential()
    for schedule in (SCHEDULE, RotationSchedule(30, 60), None, SCHEDULE):
        after = rescheduled(some, schedule, NOW + 5)
        assert (after.generation, after.secrets, after.version) == (some.generation, some.secrets, some.version + 1)
        some = after


def test_the_same_schedule_again_changes_nothing() -> None:
    assert rescheduled(scheduled(), SCHEDULE, NOW + DAY) == scheduled()


def test_another_interval_counts_from_the_same_beginning_and_is_due_at_once_where_it_is_over() -> None:
    longer, shorter = RotationSchedule(180, GRACE), RotationSchedule(20, GRACE)
    own = credential().client_id
    assert rescheduled(scheduled(), longer, NOW + 30 * DAY).rotate_at == NOW + longer.period(own)
    assert rescheduled(scheduled(), shorter, NOW + DAY).rotate_at == NOW + shorter.period(own)
    assert rescheduled(scheduled(), shorter, NOW + 30 * DAY).rotate_at == NOW + 30 * DAY


BEGINS_ANEW: dict[str, Callable[[Credential, float], Credential]] = {
    "regenerating": lambda some, now: some.regenerated(secret("third"), now),
    "rotating by hand": lambda some, now: some.rotated(secret("third"), now, 60),
}


@pytest.mark.parametrize("change", BEGINS_ANEW.values(), ids=BEGINS_ANEW.keys())
@pytest.mark.parametrize("before", [scheduled, waiting], ids=["scheduled", "waiting"])
def test_a_new_secret_by_hand_begins_the_interval_anew(
    change: Callable[[Credential, float], Credential], before: Callable[[], Credential]
) -> None:
    after = change(before(), DUE + 5)
    assert after.rotate_at == DUE + 5 + PERIOD
    assert after.pending is None
    assert "secret_second" not in working(after, DUE + 5)


def test_after_a_leak_nothing_is_due_until_there_is_a_secret_again() -> None:
    for before in (scheduled(), waiting(), taken()):
        leaked = before.leaked(DUE + 90)
        assert (leaked.pending, leaked.rotate_at) == (None, None)
        assert leaked.regenerated(secret("third"), DUE + 99).rotate_at == DUE + 99 + PERIOD


def test_disabling_pauses_and_what_came_due_meanwhile_is_due_when_enabled() -> None:
    off = scheduled().disabled(NOW + 1)
    assert not is_due(off, DUE)
    assert is_due(off.enabled(DUE), DUE)


def test_disabling_withdraws_what_waits_and_another_is_prepared_once_it_is_enabled() -> None:
    off = waiting().disabled(DUE + 5)
    assert off.pending is None
    assert not is_due(off, DUE + DAY)
    assert is_due(off.enabled(DUE + DAY), DUE + DAY)


ENDS: dict[str, Callable[[Credential], Credential]] = {
    "revoking": lambda some: some.revoked(DUE + 90, ""),
    "deleting": lambda some: some.deleted(DUE + 90),
    "expiring": abandoned,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
@pytest.mark.parametrize("before", [scheduled, waiting, taken], ids=["scheduled", "waiting", "claimed"])
def test_the_schedule_and_what_is_pending_end_with_the_credential(
    end: Callable[[Credential], Credential], before: Callable[[], Credential]
) -> None:
    after = end(before())
    assert (after.schedule, after.rotate_at, after.pending) == (None, None, None)
    assert not is_due(after, DUE + 10**9)


def test_an_ended_credential_takes_no_schedule() -> None:
    for some in (credential().revoked(NOW, ""), credential(restrictions=terms(expires_at=NOW - 1))):
        with pytest.raises(HasEnded):
            rescheduled(some, SCHEDULE, NOW)


# --- the states ---


def test_preparing_changes_nothing_that_anybody_can_see() -> None:
    assert waiting().generation == scheduled().generation
    assert working(waiting(), DUE) == {"secret_first"}
    assert waiting().rotate_at is None


def test_in_a_grace_period_the_next_rotation_is_put_off_until_its_end() -> None:
    some = scheduled().rotated(secret("other"), DUE - 60, GRACE)
    after = prepared(replace(some, rotate_at=DUE), secret("second"), DUE)
    assert (after.waiting, after.rotate_at) == (None, DUE - 60 + GRACE)


def test_an_expired_credential_is_never_prepared() -> None:
    after = prepared(scheduled(restrictions=terms(expires_at=DUE)), secret("second"), DUE)
    assert (after.schedule, after.rotate_at, after.waiting) == (None, None, None)


def test_after_the_claim_both_secrets_work_and_the_old_one_has_no_end() -> None:
    assert working(taken(), NOW + 10**9) == {"secret_first", "secret_second"}
    assert taken().generation.floors_to_tell(waiting().generation, DUE + 60) == ()
    old, new = (taken().secret_in(state, DUE) for state in (SecretState.RETIRING, SecretState.CURRENT))
    assert old is not None
    assert new is not None
    assert (old.id, new.id) == ("secret_first", "secret_second")
    assert taken().generation_minted_by(old, DUE) == waiting().generation.current


def test_only_what_waits_can_be_claimed() -> None:
    for some in (scheduled(), taken()):
        with pytest.raises(NoRotation):
            claimed(some, DUE + 120)


def test_the_grace_period_begins_when_the_new_secret_is_in_use() -> None:
    done = completed(taken(), DUE + 3600, GRACE)
    ends = DUE + 3600 + GRACE
    assert working(done, ends - 1) == {"secret_first", "secret_second"}
    assert working(done, ends) == {"secret_second"}
    assert [*done.generation.floors_to_tell(taken().generation, DUE)] == [(2, ends)]
    assert (done.pending, done.rotate_at) == (None, DUE + 3600 + PERIOD)


def test_a_bump_while_the_old_secret_has_no_end_ends_the_tokens_of_both() -> None:
    narrowed = taken().restricted(terms(token_lifetime=60), CATALOGUE, DUE + 90)
    assert narrowed.generation.floor_at(DUE + 90) > taken().generation.current
    assert narrowed.pending == taken().pending


def test_withdrawing_what_nobody_has_claimed_changes_nothing_but_the_next_time() -> None:
    after = withdrawn(waiting(), DUE + GRACE)
    assert after.generation == scheduled().generation
    assert working(after, DUE + GRACE) == {"secret_first"}
    assert after.rotate_at == DUE + GRACE + PERIOD


def test_while_one_is_claimed_no_other_rotation_can_begin() -> None:
    with pytest.raises(RotationOpen):
        taken().rotated(secret("third"), DUE + 90, 60)


def test_whoever_cancels_gets_the_old_secret_back_and_whoever_finishes_the_new_one() -> None:
    assert working(waiting().rotation_cancelled(DUE + 9), DUE + 9) == {"secret_first"}
    assert waiting().rotation_cancelled(DUE + 9).generation == waiting().generation
    assert working(taken().rotation_cancelled(DUE + 90), DUE + 90) == {"secret_first"}
    assert working(taken().rotation_finished(DUE + 90), DUE + 90) == {"secret_second"}
    for after in (taken().rotation_cancelled(DUE + 90), taken().rotation_finished(DUE + 90)):
        assert (after.pending, after.rotate_at) == (None, DUE + 90 + PERIOD)
    with pytest.raises(NoRotation):
        waiting().rotation_finished(DUE + 9)


# --- the steps ---


@dataclass
class Situation:
    at: int
    rotation: Rotation
    step: Step
    used: bool = False
    credential: Credential | None = None


HALF, END = DUE + GRACE // 2, DUE + GRACE
WITHDRAWS = {"on_unclaimed": OnUnclaimed.WITHDRAW}
SITUATIONS = {
    "before half of the time nothing is done": Situation(HALF - 1, rotation(), Step.WAIT),
    "at half of it somebody is reminded": Situation(HALF, rotation(), Step.REMIND),
    "but once": Situation(HALF + 9, rotation(reminded=True), Step.WAIT),
    "at the end it is extended": Situation(END, rotation(), Step.EXTEND),
    "but once ": Situation(END, rotation(extended=True), Step.WITHDRAW),
    "or withdrawn at once where the schedule says so": Situation(END, rotation(**WITHDRAWS), Step.WITHDRAW),
    "after a downtime the end counts, not the reminder": Situation(END + DAY, rotation(), Step.EXTEND),
    "what was claimed and is used is completed": Situation(END, rotation(claimed_at=DUE), Step.COMPLETE, used=True),
    "what was claimed and is not used is not withdrawn": Situation(END, rotation(claimed_at=DUE), Step.ALERT),
    "nor is the alert repeated": Situation(END, rotation(claimed_at=DUE, alerted=True), Step.WAIT),
    "nothing is told of a disabled credential": Situation(
        END, rotation(claimed_at=DUE), Step.WAIT, credential=taken().disabled(DUE + 90)
    ),
    "an expired one is given up": Situation(
        HALF, rotation(), Step.ABANDON, credential=replace(waiting(), restrictions=terms(expires_at=HALF))
    ),
}


@pytest.mark.parametrize("case", SITUATIONS.values(), ids=SITUATIONS.keys())
def test_what_is_done_follows_from_the_row_and_the_time(case: Situation) -> None:
    own = case.credential or (waiting() if case.rotation.claimed_at is None else taken())
    assert next_step(case.rotation, own, used=case.used, now=case.at) is case.step


def test_an_extension_lasts_as_long_as_the_first_time_from_when_it_is_granted() -> None:
    late = stepped(rotation(), Step.EXTEND, END + 7 * DAY)
    assert late.ends_at == END + 7 * DAY + GRACE
    assert next_step(late, waiting(), used=False, now=late.ends_at - 1) is Step.WAIT


def test_a_claim_late_in_the_time_leaves_all_of_it_again_to_begin_using_the_new_secret() -> None:
    late = handed_out(rotation(), END - 1)
    again = handed_out(late, END + DAY)
    assert (late.ends_at, again.ends_at) == (END - 1 + GRACE, END + DAY + GRACE)
    assert again.claimed_at == late.claimed_at == END - 1


def test_the_next_look_is_never_now_and_a_fresh_claim_is_looked_at_soon() -> None:
    for now in (DUE, HALF, END, END + 10**8):
        for some in (rotation(), rotation(claimed_at=DUE, alerted=True)):
            assert now < stepped(some, Step.WAIT, now).look_at <= max(now + 600, some.ends_at)
    fresh = handed_out(rotation(), DUE + 60)
    assert fresh.look_at == DUE + 62
    assert stepped(fresh, Step.WAIT, DUE + 62).look_at == DUE + 64


def test_the_old_secret_is_told_that_a_new_one_waits_until_the_new_one_is_used() -> None:
    first = scheduled().secrets[0]
    assert not is_awaited(first, scheduled().secrets, {})
    assert is_awaited(first, waiting().secrets, {"secret_first": 1})
    new, old = taken().secrets
    assert is_awaited(old, taken().secrets, {})
    assert not is_awaited(old, taken().secrets, {"secret_second": 1})
    assert not is_awaited(new, taken().secrets, {})
    new, old = completed(taken(), DUE + 90, GRACE).secrets
    assert not is_awaited(old, (new, old), {"secret_second": 1})


# --- random lives ---


class Lives(RuleBasedStateMachine):
    """An app with several instances lives through rotations, whatever the clock, the jobs and its luck do.

    One instance claims and moves to the new secret some time, or never; the others go on with the old one until the
    grace period that begins with its first use. Work is done by any node, at any time, as often as anybody likes, and
    may be cut short before its transaction is written.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = float(NOW)
        self.credential = credential()
        self.rotation: Rotation | None = None
        self.holds = "secret_first"
        self.claimed: str | None = None
        self.used: set[str] = set()
        self.made = 1
        self.tokens: list[tuple[int, str]] = []
        self.told: list[Step] = []

    @initialize(policy=st.sampled_from(OnUnclaimed), days=st.integers(2, 100))
    def start(self, policy: OnUnclaimed, days: int) -> None:
        self.credential = credential(restrictions=terms())
        self.become(rescheduled(self.credential, RotationSchedule(days, DAY, policy), self.now))

    def become(self, after: Credential) -> None:
        """As the store does it: when nothing is pending any more, or something else is, the row goes."""
        before, self.credential = self.credential, after
        if before.pending is not None and (after.pending is None or after.pending.id != before.pending.id):
            self.rotation, self.claimed = None, None if self.holds != self.claimed else self.claimed

    @rule(seconds=st.sampled_from([1, 60, DAY // 3, DAY, 10 * DAY, 90 * DAY]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule(seconds=st.sampled_from([0, 1, DAY // 2, DAY, 2 * DAY]))
    def time_passes_beyond_the_next_moment(self, seconds: int) -> None:
        moments = [self.credential.rotate_at, self.rotation.look_at if self.rotation else None]
        self.now = max([self.now, *(moment + seconds for moment in moments if moment is not None)])

    @rule()
    def the_clock_is_set_back(self) -> None:
        self.now -= 3600

    @rule(crash=st.sampled_from([False, False, False, True]))
    def a_node_prepares(self, crash: bool) -> None:
        if not is_due(self.credential, self.now) or crash:
            return
        schedule = self.credential.schedule
        assert schedule is not None
        self.made += 1
        after = prepared(self.credential, secret(str(self.made)), self.now)
        if after.waiting is not None:
            assert self.rotation is None, "there is one at a time"
            self.rotation = begun(after, after.waiting.id, schedule, self.now)
        self.become(after)

    @rule(crash=st.sampled_from([False, False, False, True]))
    def a_node_looks(self, crash: bool) -> None:
        if self.rotation is None or self.rotation.look_at > self.now or crash:
            return
        own = self.rotation
        step = next_step(own, self.credential, used=own.secret_id in self.used, now=self.now)
        self.rotation = stepped(own, step, self.now)
        if step is not Step.WAIT:
            self.told.append(step)
        if step is Step.COMPLETE:
            self.become(completed(self.credential, self.now, own.grace_seconds))
        elif step is Step.WITHDRAW:
            assert own.claimed_at is None, "what somebody has is not withdrawn"
            self.become(withdrawn(self.credential, self.now))
        else:
            assert step is not Step.ABANDON

    @precondition(lambda self: self.rotation is not None)
    @rule(lost=st.booleans())
    def the_app_claims(self, lost: bool) -> None:
        assert self.rotation is not None
        if self.rotation.secret_id in self.used:
            return
        if self.credential.waiting is not None:
            self.become(claimed(self.credential, self.now))
        self.rotation = handed_out(self.rotation, self.now)
        if not lost:
            self.claimed = self.rotation.secret_id

    @precondition(lambda self: self.claimed is not None)
    @rule()
    def the_app_moves_to_what_it_claimed(self) -> None:
        assert self.claimed is not None
        self.holds = self.claimed

    @rule()
    def the_app_fetches_a_token(self) -> None:
        proven = next(each for each in self.credential.secrets if each.id == self.holds)
        assert proven.works_at(self.now), "an outage by surprise"
        self.used.add(proven.id)
        self.tokens.append((self.credential.generation_minted_by(proven, self.now), proven.id))

    @rule()
    def somebody_narrows(self) -> None:
        self.become(self.credential.narrowed(self.credential.restrictions, self.now))
        self.tokens.clear()

    @rule(days=st.integers(2, 100))
    def somebody_changes_the_schedule(self, days: int) -> None:
        self.become(rescheduled(self.credential, RotationSchedule(days, DAY), self.now))

    @precondition(lambda self: self.made > 2)
    @rule()
    def somebody_drops_the_schedule(self) -> None:
        self.become(rescheduled(self.credential, None, self.now))

    @invariant()
    def what_the_app_holds_works_whatever_happens(self) -> None:
        assert self.holds in working(self.credential, self.now)

    @invariant()
    def what_nobody_was_given_proves_nothing(self) -> None:
        if self.credential.waiting is not None:
            assert self.credential.waiting.id not in working(self.credential, self.now)

    @invariant()
    def a_row_is_there_exactly_while_something_is_pending(self) -> None:
        pending = self.credential.pending
        assert (self.rotation is None) is (pending is None)
        if self.rotation is not None and pending is not None:
            assert self.rotation.secret_id == pending.id
            assert (self.rotation.claimed_at is None) is (self.credential.waiting is not None)

    @invariant()
    def no_token_of_the_secret_that_the_app_holds_has_ended(self) -> None:
        floor = self.credential.generation.floor_at(self.now)
        assert all(number >= floor for number, minted_by in self.tokens if minted_by == self.holds)

    @invariant()
    def at_most_two_secrets_work(self) -> None:
        assert 1 <= len(working(self.credential, self.now)) <= 2


Lives.TestCase.settings = SEQUENCES
test_no_app_is_ever_cut_off_by_its_schedule = Lives.TestCase


def long_life(seed: int) -> list[Step]:
    """The same, in one long life: what happens often comes often, so that many rotations are gone through."""
    chance = Random(seed)
    life = Lives()
    life.start(chance.choice(list(OnUnclaimed)), chance.randint(2, 100))
    events: list[Callable[[], None]] = [
        *[lambda: life.time_passes_beyond_the_next_moment(chance.choice([0, 1, DAY // 2, DAY]))] * 5,
        *[lambda: life.a_node_prepares(chance.random() < 0.2)] * 5,
        *[lambda: life.a_node_looks(chance.random() < 0.2)] * 5,
        *[lambda: life.the_app_claims(chance.random() < 0.4) if life.rotation else None] * chance.randint(0, 2),
        *[lambda: life.the_app_moves_to_what_it_claimed() if life.claimed else None] * chance.randint(0, 2),
        *[life.the_app_fetches_a_token] * 3,
        lambda: life.time_passes(chance.choice([1, 60, DAY])),
        life.the_clock_is_set_back,
        life.somebody_narrows,
        lambda: life.somebody_changes_the_schedule(chance.randint(2, 100)),
    ]
    for _ in range(600):
        chance.choice(events)()
        life.what_the_app_holds_works_whatever_happens()
        life.what_nobody_was_given_proves_nothing()
        life.a_row_is_there_exactly_while_something_is_pending()
        life.no_token_of_the_secret_that_the_app_holds_has_ended()
        life.at_most_two_secrets_work()
    return life.told


def test_in_long_lives_every_step_is_gone_through_and_none_cuts_the_app_off() -> None:
    gone_through = Counter(step for seed in range(40) for step in long_life(seed))
    assert set(gone_through) == set(Step) - {Step.WAIT, Step.ABANDON}
    assert min(gone_through.values()) > 20

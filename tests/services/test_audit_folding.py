"""Can nobody fill the disk from outside, and is every refusal still counted?"""

from __future__ import annotations

import pytest

from app.services.audit import MOST_CLAIMED, MOST_FOLDED, STRANGER, Folding
from tests.support.workshop import NOW
from tokenserver.domain.audit import Entry, Event
from tokenserver.domain.secret import new_client_id

MINUTE_BEGINS = NOW - NOW % 60


def refusal(address="192.0.2.1", credential="", reason="not proven", actor=STRANGER, at=MINUTE_BEGINS):
    detail = {"error": "invalid_client", "reason": reason}
    return Entry(
        Event.TOKEN_REFUSED, at, actor, credential=credential, address=address, outcome="refused", detail=detail
    )


def fold(folding, times=1, claimed="", **more):
    return [line for _ in range(times) for line in folding.fold(refusal(**more), claimed)]


def test_the_first_of_a_minute_is_written_at_once_and_the_others_are_one_line_with_their_number():
    folding = Folding()
    assert len(fold(folding, 100)) == 1
    over, first = fold(folding, at=MINUTE_BEGINS + 60)
    assert over.detail == {"error": "invalid_client", "reason": "not proven", "more": 99}
    assert "more" not in first.detail
    assert fold(folding, at=MINUTE_BEGINS + 61) == []


def test_the_number_is_written_when_the_minute_is_over_even_if_nobody_is_refused_again():
    folding = Folding()
    fold(folding, 3)
    assert list(folding.over(MINUTE_BEGINS + 59.9)) == []
    (over,) = folding.over(MINUTE_BEGINS + 60)
    assert over.detail["more"] == 2
    assert list(folding.over(MINUTE_BEGINS + 120)) == []


def test_a_single_refusal_leaves_a_single_line():
    folding = Folding()
    assert len(fold(folding)) == 1
    assert list(folding.over(MINUTE_BEGINS + 60)) == []


APART = {
    "addresses": ({"address": "192.0.2.1"}, {"address": "192.0.2.2"}),
    "credentials": ({"credential": "a", "claimed": "a"}, {"credential": "b", "claimed": "b"}),
    "credentials that have proven themselves": ({"credential": "a", "actor": "a"}, {"credential": "b", "actor": "b"}),
    "reasons": ({"reason": "not proven"}, {"reason": "disabled"}),
    "networks of IPv6": ({"address": "2001:db8::1"}, {"address": "2001:db8:0:1::1"}),
}


@pytest.mark.parametrize(("one", "other"), APART.values(), ids=APART.keys())
def test_these_are_told_apart(one, other):
    folding = Folding()
    assert len(fold(folding, 5, **one) + fold(folding, 5, **other)) == 2


def test_the_addresses_that_one_stranger_can_choose_from_count_as_one():
    folding = Folding()
    lines = [line for n in range(1000) for line in fold(folding, address=f"2001:db8::{n:x}")]
    assert len(lines) == 1


def test_an_unknown_address_is_folded_as_well():
    assert len(fold(Folding(), 10, address="")) == 1


def test_one_address_that_tries_a_thousand_client_ids_writes_a_few_lines():
    folding = Folding()
    lines = [line for _ in range(1000) for line in fold(folding, claimed=new_client_id())]
    assert len(lines) == MOST_CLAIMED + 1
    counts = [line.detail["more"] for line in folding.over(MINUTE_BEGINS + 60)]
    assert counts == [1000 - MOST_CLAIMED - 1]


def test_what_is_written_does_not_depend_on_whether_there_is_such_a_credential():
    """A line costs a moment on the disk, and a stranger has a watch."""
    known, unknown = Folding(), Folding()
    for _ in range(3 * MOST_CLAIMED):
        claimed = new_client_id()
        for _ in range(2):
            there = fold(known, claimed=claimed, credential=claimed)
            assert len(there) == len(fold(unknown, claimed=claimed))


def test_those_who_have_proven_their_secret_are_never_lumped_together():
    folding = Folding()
    names = [new_client_id() for _ in range(5 * MOST_CLAIMED)]
    for name in names:
        (line,) = fold(folding, claimed=name, credential=name, actor=f"credential:{name}", reason="disabled")
        assert line.credential == name


def test_what_is_remembered_is_bounded_however_many_strangers_come():
    folding = Folding()
    lines = [
        line
        for n in range(MOST_FOLDED + 500)
        for line in fold(folding, address=f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
    ]
    assert len(folding._counts) <= MOST_FOLDED + 1
    assert len(lines) == MOST_FOLDED + 1
    assert lines[-1].address == ""
    assert lines[-1].detail == {"reason": "many strangers"}
    (over,) = folding.over(MINUTE_BEGINS + 60)
    assert over.detail["more"] == 499
    assert len(folding._counts) == 0


def test_a_clock_that_steps_back_repeats_nothing():
    folding = Folding()
    fold(folding, 3)
    assert fold(folding, 3, at=MINUTE_BEGINS - 600) == []

"""Strangers cannot drive our traffic, and what waits is always told."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tokenserver.resource.wishes import MOST_AT_ONCE, MOST_REMEMBERED, KeyWishes, ListWishes


def wish(wishes, name, ticks):
    attempt = wishes.wish(name, ticks)
    assert attempt is not None
    return attempt


def test_wishes_of_one_moment_share_one_attempt():
    wishes = KeyWishes(5.0)
    first, second = wish(wishes, "a", 0.0), wish(wishes, "b", 0.0)
    assert first is second
    names = wishes.begin()
    assert names == {"a", "b"}
    wishes.end(names, {"a"}, 0.1)
    assert first.done()
    assert not wishes.begin()


def test_a_wish_during_the_fetch_is_told_with_it_but_not_counted_as_looked_for():
    wishes = KeyWishes(5.0)
    wish(wishes, "a", 0.0)
    names = wishes.begin()
    late = wish(wishes, "late", 0.0)
    wishes.end(names, set(), 0.1)
    assert late.done()
    assert not wishes.begin()
    assert wishes.wish("a", 5.0) is None
    assert wish(wishes, "late", 5.0)


def test_after_a_failed_fetch_the_name_is_looked_for_again_when_the_cooldown_is_over():
    wishes = KeyWishes(5.0)
    wish(wishes, "a", 0.0)
    wishes.end(wishes.begin(), None, 0.1)
    assert wishes.wish("a", 4.9) is None
    assert wish(wishes, "a", 5.0)


def test_an_attempt_cannot_be_cancelled_by_one_who_waits_for_it():
    assert not wish(KeyWishes(5.0), "a", 0.0).cancel()


@settings(max_examples=100, deadline=None, database=None)
@given(st.lists(st.tuples(st.floats(0, 2), st.sampled_from("abcdefgh"), st.booleans()), max_size=60))
def test_there_is_never_more_than_one_fetch_per_cooldown(arrivals):
    wishes, now, fetched = KeyWishes(5.0), 0.0, []
    for later, name, tended in arrivals:
        now += later
        wishes.wish(name, now)
        if tended and (names := wishes.begin()):
            fetched.append(now)
            wishes.wish(name + "!", now)
            wishes.end(names, set(), now)
    assert len(fetched) <= now // 5.0 + 1


def test_what_is_remembered_is_bounded():
    keys, lists = KeyWishes(1.0), ListWishes(1.0)
    for n in range(MOST_REMEMBERED + 100):
        assert keys.wish(str(n), float(n)) is not None
        keys.end(keys.begin(), set(), float(n))
        assert lists.wish(str(n), 0.0) is not None
        lists.end(str(n), 0.0, found=False)
    assert len(keys._absent) == len(lists._again_at) == MOST_REMEMBERED


def test_only_so_many_lists_are_fetched_at_once():
    wishes = ListWishes(1.0)
    assert all(wishes.wish(str(n), 0.0) for n in range(MOST_AT_ONCE))
    assert wishes.wish("one more", 0.0) is None
    wishes.end("0", 0.0, found=True)
    assert wishes.wish("one more", 0.0) is not None

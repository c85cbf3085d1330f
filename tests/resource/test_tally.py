"""Is every request counted once, in bounded memory, whoever counts and takes at the same time?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tokenserver.resource.tally import Tally


class Ticks:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_requests_of_one_kind_are_one_group_with_its_first_and_last_moment():
    ticks = Ticks()
    tally = Tally(ticks)
    tally.add("tsc_a", "GET /x", 200, "192.0.2.1")
    ticks.now = 107.0
    tally.add("tsc_a", "GET /x", 200, "192.0.2.1")
    tally.add("tsc_a", "GET /x", 403, "192.0.2.1")
    found = {group.status: (use.count, use.first, use.last) for group, use in tally.take()}
    assert found == {200: (2, 100.0, 107.0), 403: (1, 107.0, 107.0)}


def test_what_was_taken_is_not_told_again():
    tally = Tally(Ticks())
    tally.add("tsc_a", None, 200, None)
    assert len(tally.take().uses) == 1
    assert not tally.take().uses


def test_a_flood_of_different_requests_keeps_the_newest_and_the_number_of_the_others():
    tally = Tally(Ticks(), most=10)
    for number in range(1000):
        tally.add("tsc_a", None, 200, f"address {number}")
    taken = tally.take()
    assert [group.address for group, _ in taken] == [f"address {number}" for number in range(990, 1000)]
    assert taken.untold == 990
    assert tally.take().untold == 0


def test_no_request_is_lost_or_counted_twice_while_others_take():
    tally = Tally(Ticks(), most=50)
    taken = []

    def count(thread):
        for number in range(3000):
            tally.add(f"tsc_{thread}", None, 200, str(number % 70))
            if number % 500 == 0:
                taken.append(tally.take())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(4)))
    taken.append(tally.take())
    assert sum(use.count for one in taken for _, use in one) + sum(one.untold for one in taken) == 4 * 3000

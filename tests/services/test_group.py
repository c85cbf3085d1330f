"""Does every request get its own answer, exactly once, however they come and whatever fails?"""

from __future__ import annotations

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from sqlalchemy.exc import OperationalError

from app.services.group import MOST_IN_A_GROUP, Group, Place
from app.store.database import StoreUnavailable
from tests.support.workshop import at_once, failed, succeeded
from tests.support.world import eventually


class Work:
    """Answers each request with itself; keeps what it was given; may be held up."""

    def __init__(self) -> None:
        self.groups: list[list[object]] = []
        self.held = threading.Event()
        self.held.set()
        self.began = threading.Semaphore(0)
        self._busy = threading.Lock()

    def __call__(self, places):
        assert self._busy.acquire(blocking=False), "two groups at a time"
        self.began.release()
        try:
            self.groups.append([place.request for place in places])
            assert self.held.wait(timeout=30)
            for place in places:
                if place.request == "refused":
                    place.fault = LookupError("refused")
                place.answer = ("answer to", place.request)
        finally:
            self._busy.release()


@pytest.fixture
def work():
    return Work()


def is_waiting(group, count):
    return len(group._waiting) == count


def join_behind(group, work, requests):
    """One request whose group is held up, and `requests` that come meanwhile, in this order; all their outcomes."""
    work.held.clear()
    threads = ThreadPoolExecutor(len(requests) + 1)
    outcomes = [threads.submit(group.join, "first")]
    work.began.acquire()
    for number, request in enumerate(requests, start=1):
        outcomes.append(threads.submit(group.join, request))
        eventually(partial(is_waiting, group, number), "it waits")
    return threads, outcomes


def test_a_request_that_is_alone_gets_its_answer_at_once(work):
    group = Group(work)
    assert group.join("a") == ("answer to", "a")
    assert group.join("b") == ("answer to", "b")
    assert work.groups == [["a"], ["b"]]


def test_those_who_come_while_a_group_is_at_work_are_the_next_group(work):
    group = Group(work)
    threads, outcomes = join_behind(group, work, ["a", "b", "c"])
    work.held.set()
    assert [outcome.result(timeout=30)[1] for outcome in outcomes] == ["first", "a", "b", "c"]
    assert work.groups == [["first"], ["a", "b", "c"]]
    threads.shutdown()


def test_a_group_has_a_limit_and_the_rest_is_the_group_after(work):
    group = Group(work)
    threads, outcomes = join_behind(group, work, list(range(MOST_IN_A_GROUP + 3)))
    work.held.set()
    assert [outcome.result(timeout=30)[1] for outcome in outcomes[1:]] == list(range(MOST_IN_A_GROUP + 3))
    assert [len(members) for members in work.groups] == [1, MOST_IN_A_GROUP, 3]
    threads.shutdown()


def test_a_refusal_is_of_one_request_and_not_of_its_group(work):
    group = Group(work)
    threads, outcomes = join_behind(group, work, ["a", "refused", "b"])
    work.held.set()
    assert outcomes[1].result(timeout=30) == ("answer to", "a")
    with pytest.raises(LookupError):
        outcomes[2].result(timeout=30)
    assert outcomes[3].result(timeout=30) == ("answer to", "b")
    threads.shutdown()


@pytest.mark.parametrize("fault", [OSError, KeyboardInterrupt, MemoryError])
def test_a_group_that_fails_fails_all_of_its_members_and_only_them(work, fault):
    """Even where the work had answered some of them: the commit came last, and failed."""
    broken = threading.Event()

    def sometimes(places):
        work(places)
        if not broken.is_set() and any(place.request == "a" for place in places):
            broken.set()
            raise fault

    group = Group(sometimes)
    threads, outcomes = join_behind(group, work, ["a", "b"])
    work.held.set()
    assert outcomes[0].result(timeout=30) == ("answer to", "first")
    for outcome in outcomes[1:]:
        with pytest.raises(fault):
            outcome.result(timeout=30)
    assert group.join("a") == ("answer to", "a")
    threads.shutdown()


def test_what_goes_wrong_with_one_request_is_its_own_fault_and_the_work_goes_on():
    def breaks_sometimes(places):
        for place in places:
            with place.own_fault():
                place.answer = 12 // place.request

    group: Group[int, int] = Group(breaks_sometimes)
    assert group.join(4) == 3
    with pytest.raises(ZeroDivisionError):
        group.join(0)
    assert group.join(3) == 4


@pytest.mark.parametrize("fault", [StoreUnavailable(detail="away"), OperationalError("SELECT", {}, Exception("away"))])
def test_what_goes_wrong_with_the_database_is_never_the_fault_of_one_request(fault):
    places: list[Place[int, int]] = [Place(1), Place(2)]
    with pytest.raises(StoreUnavailable), places[0].own_fault():
        raise fault
    assert [place.fault for place in places] == [None, None]


def test_nobody_is_left_waiting_however_groups_follow_each_other():
    """No lost wake-up: thousands of requests, and each is answered once, with its own answer."""
    seen: list[int] = []

    def answer(places):
        seen.extend(place.request for place in places)
        for place in places:
            place.answer = place.request * 2

    group = Group(answer)

    def caller(number):
        def run():
            return [group.join(number * 1000 + round_) for round_ in range(400)]

        return run

    outcomes = at_once(*map(caller, range(12)))
    assert failed(outcomes) == []
    for number, answers in enumerate(succeeded(outcomes)):
        assert answers == [2 * (number * 1000 + round_) for round_ in range(400)]
    assert sorted(seen) == sorted(number * 1000 + round_ for number in range(12) for round_ in range(400))
    assert not group._waiting


def test_nobody_is_left_waiting_when_groups_fail_now_and_then():
    calls = [0]

    def answer(places):
        calls[0] += 1
        if calls[0] % 7 == 0:
            raise OSError
        for place in places:
            place.answer = place.request

    group = Group(answer)

    def caller():
        good = bad = 0
        for number in range(300):
            try:
                assert group.join(number) == number
                good += 1
            except OSError:
                bad += 1
        return good, bad

    outcomes = at_once(*[caller] * 8)
    assert failed(outcomes) == []
    assert all(good + bad == 300 and good and bad for good, bad in succeeded(outcomes))


def test_those_who_wait_on_an_event_loop_get_their_own_answers_beside_those_in_threads(work):
    group = Group(work)

    async def ask(number):
        try:
            return await group.joined("refused" if number % 10 == 3 else number)
        except LookupError:
            return "refused"

    async def ask_all():
        return await asyncio.gather(*(ask(number) for number in range(200)))

    with ThreadPoolExecutor(4) as threads:
        beside = [threads.submit(group.join, number) for number in range(1000, 1100)]
        answers = asyncio.run(ask_all())
    assert answers == ["refused" if number % 10 == 3 else ("answer to", number) for number in range(200)]
    assert [outcome.result(timeout=30) for outcome in beside] == [("answer to", number) for number in range(1000, 1100)]


def test_who_was_cancelled_on_the_loop_holds_up_nobody(work):
    group = Group(work)

    async def ask():
        work.held.clear()
        first = asyncio.ensure_future(group.joined("first"))
        await asyncio.to_thread(work.began.acquire)
        gone, other = (asyncio.ensure_future(group.joined(name)) for name in ("gone", "other"))
        await asyncio.sleep(0)
        gone.cancel()
        work.held.set()
        return [await first, await other]

    assert asyncio.run(ask()) == [("answer to", "first"), ("answer to", "other")]


def test_a_loop_that_was_closed_meanwhile_holds_up_nobody(work):
    group = Group(work)

    async def leave():
        work.held.clear()
        asyncio.ensure_future(group.joined("left behind")).cancelled()
        await asyncio.to_thread(work.began.acquire)

    asyncio.run(leave())
    work.held.set()
    assert group.join("later") == ("answer to", "later")


def test_a_group_that_nobody_knows_any_more_leaves_no_thread_behind(work):
    group = Group(work)
    group.join("a")
    (thread,) = group._thread._threads
    del group
    gc.collect()
    eventually(lambda: not thread.is_alive(), "its thread ends")

"""How do many requests share one commit? The first to come leads, the others wait for it.

Requests that arrive while a group commits form the next group, which the first of them leads as soon as the commit is
done. No thread of its own, and no delay when a request is alone: it leads at once. Before it closes the group, the
leader lets every thread that could run have a turn (microseconds when there is none): requests that were just being
read join this group rather than the next, which nearly doubles the size of groups and saves that many commits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from tokenserver.errors import Unavailable

Request = TypeVar("Request")
Answer = TypeVar("Answer")

MOST_IN_A_GROUP = 256
_TURNS = 2


class Place(Generic[Request, Answer]):
    """A request in a group; the work sets `answer` or `fault`."""

    __slots__ = ("_turn", "answer", "done", "fault", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.answer: Answer | None = None
        self.fault: BaseException | None = None
        self.done = False
        self._turn = threading.Lock()
        self._turn.acquire()

    def wait(self) -> None:
        self._turn.acquire()

    def wake(self) -> None:
        self._turn.release()


class Group(Generic[Request, Answer]):
    """`work` is called with one group at a time; when it raises, everybody in the group gets what it raised."""

    def __init__(self, work: Callable[[Sequence[Place[Request, Answer]]], None]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._waiting: list[Place[Request, Answer]] = []
        self._led = False

    def join(self, request: Request) -> Answer:
        """The answer to `request`, once its group is done."""
        place: Place[Request, Answer] = Place(request)
        with self._lock:
            self._waiting.append(place)
            leads, self._led = not self._led, True
        if not leads:
            place.wait()
        if not place.done:
            self._lead(place)
        if place.fault is not None:
            raise place.fault
        return place.answer  # type: ignore[return-value]  # the work has set it

    def _lead(self, own: Place[Request, Answer]) -> None:
        for _ in range(_TURNS):
            time.sleep(0)
        with self._lock:
            group, self._waiting = self._waiting[:MOST_IN_A_GROUP], self._waiting[MOST_IN_A_GROUP:]
        try:
            self._work(group)
        except BaseException as fault:  # noqa: BLE001  it is raised again, by every member
            if isinstance(fault, Unavailable):
                group += self._all_waiting()
            for place in group:
                place.fault = fault
        with self._lock:
            following = self._waiting[0] if self._waiting else None
            self._led = following is not None
        for place in group:
            place.done = True
            if place is not own:
                place.wake()
        if following is not None:
            following.wake()

    def _all_waiting(self) -> list[Place[Request, Answer]]:
        """Who has waited while the database could not be had is told so now, and not after another such wait."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        return waiting

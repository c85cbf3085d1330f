"""How do many requests share one transaction? They queue, and one thread takes all that wait at a time.

What arrives while a group commits forms the next group. Before it closes a group, the thread lets whoever could run
have a turn (microseconds when there is nobody): requests that were just being read join this group rather than the
next, which nearly doubles the size of groups and saves that many commits. A leader chosen from among those who wait
would save the thread, but each of them then needs a thread to wait in: two hand-overs for a request rather than two for
a group, which cost more than the work itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from app.store.database import StoreUnavailable, unavailable_when_broken
from tokenserver.errors import Unavailable

Request = TypeVar("Request")
Answer = TypeVar("Answer")

MOST_IN_A_GROUP = 256


class Place(Generic[Request, Answer]):
    """A request in a group; the work sets `answer` or `fault`. Who waits does so in a thread or on an event loop."""

    __slots__ = ("_told", "answer", "fault", "request")

    def __init__(self, request: Request, told: threading.Lock | asyncio.Future[None] | None = None) -> None:
        self.request = request
        self.answer: Answer | None = None
        self.fault: BaseException | None = None
        self._told = told

    @contextlib.contextmanager
    def own_fault(self) -> Iterator[None]:
        """What goes wrong inside is this request's alone, unless it is the database: that is the whole group's."""
        try:
            with unavailable_when_broken():
                yield
        except StoreUnavailable:
            raise
        except Exception as fault:  # noqa: BLE001  it is raised again, by who waits
            self.fault = fault

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """Where `tell` has to be called; None is anywhere."""
        return self._told.get_loop() if isinstance(self._told, asyncio.Future) else None

    def tell(self) -> None:
        if isinstance(self._told, asyncio.Future):
            if not self._told.done():  # who waited may have been cancelled
                self._told.set_result(None)
        elif self._told is not None:
            self._told.release()

    def outcome(self) -> Answer:
        if self.fault is not None:
            raise self.fault
        return self.answer  # type: ignore[return-value]  # the work has set it


class Group(Generic[Request, Answer]):
    """`work` is called with one group at a time; when it raises, everybody in the group gets what it raised."""

    def __init__(self, work: Callable[[Sequence[Place[Request, Answer]]], None]) -> None:
        self._work = work
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="group")
        self._lock = threading.Lock()
        self._waiting: list[Place[Request, Answer]] = []
        self._at_work = False
        self._crowded = False

    def join(self, request: Request) -> Answer:
        """The answer to `request`, once its group is done; for a caller in a thread of its own."""
        turn = threading.Lock()
        turn.acquire()
        place: Place[Request, Answer] = Place(request, turn)
        self._arrive(place)
        turn.acquire()
        return place.outcome()

    async def joined(self, request: Request) -> Answer:
        """As `join`, for a caller on an event loop."""
        told = asyncio.get_running_loop().create_future()
        place: Place[Request, Answer] = Place(request, told)
        self._arrive(place)
        await told
        return place.outcome()

    def _arrive(self, place: Place[Request, Answer]) -> None:
        with self._lock:
            self._waiting.append(place)
            begins, self._at_work = not self._at_work, True
        if begins:
            self._thread.submit(self._lead)

    def _lead(self) -> None:
        """Work while somebody waits. Who was alone is not made to wait for company."""
        while True:
            if self._crowded:
                time.sleep(0)
            group = self._next()
            if not group:
                return
            try:
                self._work(group)
            except BaseException as fault:  # noqa: BLE001  it is raised again, by every member
                if isinstance(fault, Unavailable):  # who waited meanwhile is told so now, and not after another wait
                    group += self._all_waiting()
                for place in group:
                    place.fault = fault
            _tell(group)

    def _next(self) -> list[Place[Request, Answer]]:
        with self._lock:
            group, self._waiting = self._waiting[:MOST_IN_A_GROUP], self._waiting[MOST_IN_A_GROUP:]
            self._at_work = bool(group)
        if group:
            self._crowded = len(group) > 1
        return group

    def _all_waiting(self) -> list[Place[Request, Answer]]:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        return waiting


def _tell(group: Sequence[Place[Request, Answer]]) -> None:
    """Each event loop is woken once, however many wait on it."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Place[Request, Answer]]] = {}
    for place in group:
        loop = place.loop
        if loop is None:
            place.tell()
        else:
            by_loop.setdefault(loop, []).append(place)
    for loop, places in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(_tell_all, places)


def _tell_all(places: Sequence[Place[Request, Answer]]) -> None:
    for place in places:
        place.tell()

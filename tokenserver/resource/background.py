"""Who keeps the sources fresh? One daemon thread per process, started when it is first needed.

- After a fork the child has no threads, and locks that another thread held would be held for ever. So the child gets
  fresh locks, keeps what was known, and starts a thread of its own at its first request.
- Where the issuer holds our polls for seconds (`wait`), a second thread runs the errands, so that a token under a brand
  new key does not wait until the poll comes back.
- What a resource server tells of its use (`usage`) has a thread of its own: a report must not delay news. Where a
  thread runs when the interpreter ends, `at_exit` is called, so that the last report is not lost.
- With `threads=False` nothing runs by itself: whatever is due is done by the caller, at each request, before it is
  answered. That is for tests, which so need neither threads nor sleeps.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from weakref import WeakSet

from tokenserver.resource.sources import LONGEST_PAUSE, Sources

log = logging.getLogger("tokenserver.resource")


class Background:
    """Runs `Sources` until it is stopped. `running` is read at every request."""

    def __init__(
        self,
        sources: Sources,
        *,
        threads: bool,
        and_after_fork: Sequence[Callable[[], None]],
        beside: Callable[[], float] | None = None,
        at_exit: Callable[[], None] | None = None,
    ) -> None:
        """`beside` is other work for a thread of its own; it says how many seconds until its next turn."""
        self._sources = sources
        self._and_after_fork = and_after_fork
        self._beside = beside
        self._at_exit = at_exit
        self._has_threads = threads
        self.stopped = False
        self.running = False
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads: list[tuple[threading.Thread, threading.Event]] = []
        _ALL.add(self)

    def start(self) -> None:
        """Start the thread of this process, unless it runs already."""
        with self._lock:
            self.stopped = False
            if self.running or not self._has_threads:
                return
            self._stopping = threading.Event()
            works = [self._sources.poll_if_due, self._errands] if self._sources.holds else [self._sources.attend]
            try:
                for work in (*works, *filter(None, [self._beside])):
                    self._begin(work)
            except RuntimeError:  # no more threads are to be had: those that were begin again with the others
                self._end()
                raise
            self.running = True
            _leave_with_the_process()

    def stop(self, timeout: float = 1.0) -> None:
        """Fetch no more. What is known stays, and grows old."""
        with self._lock:
            self.stopped, self.running = True, False
            threads = self._end()
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(timeout)

    def attend(self) -> None:
        """What a request does that finds nothing running."""
        if self.stopped:
            return
        if self._has_threads:
            self.start()
        else:
            self._sources.attend()

    def wake(self) -> None:
        """There are errands to run."""
        if not self._has_threads and not self.stopped:
            self._sources.run_errands()
        for _, wake in self._threads:
            wake.set()

    def leave(self) -> None:
        """The interpreter ends. Threads that run go on until it has."""
        if self.running and self._at_exit is not None:
            self._at_exit()

    def after_fork(self) -> None:
        self._sources.after_fork()
        for follow in self._and_after_fork:
            follow()
        self.running = False
        self._lock = threading.Lock()
        self._threads = []

    def _begin(self, work: Callable[[], float]) -> None:
        wake = threading.Event()
        named = f"tokenserver-{work.__name__.strip('_')}"
        thread = threading.Thread(target=_loop, args=(work, wake, self._stopping), name=named, daemon=True)
        thread.start()
        self._threads.append((thread, wake))

    def _end(self) -> list[threading.Thread]:
        """Tell the threads to end; what is to be joined."""
        threads, self._threads = self._threads, []
        self._stopping.set()
        for _, wake in threads:
            wake.set()
        return [thread for thread, _ in threads]

    def _errands(self) -> float:
        self._sources.run_errands()
        return LONGEST_PAUSE


def _loop(work: Callable[[], float], wake: threading.Event, stopping: threading.Event) -> None:
    while not stopping.is_set():
        wake.clear()  # before the work, so that a wish that comes during it is seen in the next round
        try:
            pause = work()
        except BaseException as fault:  # noqa: BLE001  the thread must live, after a `sys.exit` of the app's as well
            with suppress(Exception):  # a filter of the app's log may look for a request, and there is none here
                log.error("unexpected %s in the background", type(fault).__name__)  # noqa: TRY400  no stranger's text
            pause = LONGEST_PAUSE
        wake.wait(pause)


_ALL: WeakSet[Background] = WeakSet()


def _after_fork_in_child() -> None:
    for background in tuple(_ALL):
        background.after_fork()


def _leave() -> None:
    for background in tuple(_ALL):
        background.leave()


atexit.register(_leave)


_leaving_in = 0


def _leave_with_the_process() -> None:
    """A process of `multiprocessing`, as those of granian are, may end without `atexit`: it has a way of its own."""
    global _leaving_in  # noqa: PLW0603  one for each process, as `atexit` has
    util = sys.modules.get("multiprocessing.util")  # loaded wherever there is such a process
    if util is not None and sys.modules["multiprocessing"].parent_process() and _leaving_in != os.getpid():
        _leaving_in = os.getpid()
        util.Finalize(None, _leave, exitpriority=0)


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_after_fork_in_child)

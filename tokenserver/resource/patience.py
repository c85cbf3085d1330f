"""How long may a request wait for news? Only for what was never heard of, only so long, and only so many at once.

A brand-new key, a list of addresses seen for the first time, the very first news: the background thread is fetching
them, and the request waits for that attempt instead of being refused. Beyond the bound, requests do not wait but are
answered with what is known, so that waiting can never use up the threads of the app.
"""

from __future__ import annotations

import threading
from concurrent.futures import wait
from typing import Final

from tokenserver.resource.wishes import Attempt

MOST_WAITING: Final = 8


class Patience:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.after_fork()

    def after_fork(self) -> None:
        """The places of another process are not ours."""
        self._places = threading.Semaphore(MOST_WAITING)

    def wait(self, attempt: Attempt) -> bool:
        """Whether it is worth looking again: the attempt is over, or time is up."""
        if attempt.done():
            return True
        if not self._places.acquire(blocking=False):
            return False
        try:
            wait([attempt], self._seconds)
        finally:
            self._places.release()
        return True

    async def wait_in_loop(self, attempt: Attempt) -> bool:
        """The same for an event loop (asyncio), which goes on meanwhile."""
        import asyncio  # noqa: PLC0415  20 ms at import, and a WSGI app never needs it

        if attempt.done():
            return True
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # trio, say: the caller is told to try again shortly
            return False
        if not self._places.acquire(blocking=False):
            return False
        done = asyncio.wrap_future(attempt)
        try:
            await asyncio.wait([done], timeout=self._seconds)
        finally:
            done.cancel()  # our waiting, not the attempt
            self._places.release()
        return True

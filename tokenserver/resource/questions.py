"""Which single tokens is the issuer being asked about, and what has it said? The policy `introspect`, for stale news.

This is the one exception to the rule that only background work talks to the network, and it is bounded:

- Only tokens that are good by all that is known here are asked about. A stranger's token causes no question.
- A question has a thread of its own, of which there are few, and the request waits for it as for anything that was
  never heard of (`patience`): an event loop goes on meanwhile. Requests with the same token share a question.
- An answer holds for as long as news may be on its way anyhow (`poll_interval`), so that a busy caller costs one
  question in that time.
- After a question without an answer there is a pause. In it, as beyond the bounds, nobody is asked: None, and so 503.

No thread runs between questions, so nothing is to be stopped, and a child of a fork begins without any.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from tokenserver.clock import Clock
from tokenserver.resource.knowledge import NoNews
from tokenserver.resource.wishes import Attempt, new_attempt

log = logging.getLogger("tokenserver.resource")

MOST_AT_ONCE: Final = 8
MOST_REMEMBERED: Final = 10_000
PAUSE: Final = 2.0
"""Seconds without a question after one that was not answered."""

IsActive = Callable[[str, str], bool]
"""A token and its identifier to what the issuer says of it; raises NoNews. It may take a while."""


class Questions:
    def __init__(self, is_active: IsActive, ticks: Clock, *, lasting: float, threads: bool) -> None:
        """With `threads=False` the caller asks by itself, at once: for tests."""
        self._is_active, self._ticks = is_active, ticks
        self._lasting = lasting
        self._has_threads = threads
        self._told: dict[str, tuple[bool, float]] = {}
        self._again_at = 0.0
        self.asked = self.unanswered = 0
        self.failure: str | None = None
        self.after_fork()

    def after_fork(self) -> None:
        """The questions of another process are not ours; what it was told is known here as well."""
        self._lock = threading.Lock()
        self._under_way: dict[str, Attempt] = {}

    def answer(self, token: str, token_id: str) -> bool | Attempt | None:
        """Whether the issuer says that it is active; or what to wait for; None where nobody can be asked now."""
        now = self._ticks()
        with self._lock:
            told = self._told.get(token_id)
            if told is not None and now < told[1]:
                return told[0]
            if token_id in self._under_way:
                return self._under_way[token_id]
            if now < self._again_at or len(self._under_way) >= MOST_AT_ONCE:
                return None
            attempt = self._under_way[token_id] = new_attempt()
            self.asked += 1
        if not self._has_threads:
            self._ask(token, token_id)
            return self.answer(token, token_id)
        try:
            threading.Thread(
                target=self._ask, args=(token, token_id), name="tokenserver-introspect", daemon=True
            ).start()
        except RuntimeError:  # no more threads are to be had
            self._settle(token_id, failure="no thread to ask with")
            return None
        return attempt

    def health(self) -> dict[str, Any]:
        """For `Verifier.health`."""
        return {"asked": self.asked, "unanswered": self.unanswered, "last_error": self.failure}

    def _ask(self, token: str, token_id: str) -> None:
        try:
            self._settle(token_id, active=self._is_active(token, token_id))
        except NoNews as fault:
            self._settle(token_id, failure=fault.detail)
        except BaseException as fault:  # noqa: BLE001  the app's function for the secret may raise anything, or exit
            self._settle(token_id, failure=f"unexpected {type(fault).__name__}")

    def _settle(self, token_id: str, *, active: bool | None = None, failure: str | None = None) -> None:
        now = self._ticks()
        with self._lock:
            if active is None:
                self.unanswered += 1
                self._again_at = now + PAUSE
            else:
                self._told.pop(token_id, None)
                while len(self._told) >= MOST_REMEMBERED:
                    del self._told[next(iter(self._told))]
                self._told[token_id] = (active, now + self._lasting)
            attempt = self._under_way.pop(token_id, None)
            changed, self.failure = failure != self.failure, failure
        if attempt is not None:
            attempt.set_result(None)
        if changed and failure is None:
            log.info("introspection: well again")
        elif changed:
            log.warning("introspection: %s", failure)

"""Who holds the token, and who fetches the next one? One attempt at a time, for all threads and event loops together.

Each attempt runs in a thread of its own, which ends with it; whoever needs its outcome waits for that. Nobody waits
while there is a token that can be used: when it is due, the first caller who notices starts the attempt and goes on.

- **No token, or a spent one**: the caller waits. After a failure nothing new is begun for a second: it is told again.
- **An API refused the token** (`instead_of`): the caller waits for another one. An API that refuses whatever it is
  shown causes at most one such renewal in ten seconds. Meanwhile the others go on with the token they have, since it
  may be good elsewhere; if the token server refuses us as well, it is dropped, so that they hear why.
- **An attempt that hangs** (in the resolver, or in somebody's callable) is given up by those who have waited long
  enough, and the next caller begins another one.
- **After a fork** the child has the token but no thread and no attempt: it begins with fresh locks, and draws its own
  time of renewal, or all children would renew at once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from tokenserver.client.access_token import AccessToken, Moment
from tokenserver.client.asking import Outcome
from tokenserver.client.failures import NoToken, TokenRefused, TokenUnavailable
from tokenserver.client.forking import begins_anew_after_fork
from tokenserver.client.timekeeping import Timekeeper

log = logging.getLogger("tokenserver.client")

LOOK_AGAIN: Final = 1.0
REJECTION_COOLDOWN: Final = 10.0

Attempt = Future[Outcome]


class Renewing:
    def __init__(
        self, fetch: Callable[[], Outcome], time: Timekeeper, afterwards: Callable[[AccessToken], None]
    ) -> None:
        self._fetch = fetch
        self._time = time
        self._afterwards = afterwards
        self._token: AccessToken | None = None
        self._failure: NoToken | None = None
        self._look_again_at = self._heed_rejections_at = float("-inf")
        self.after_fork()
        begins_anew_after_fork(self)

    def after_fork(self) -> None:
        self._lock = threading.Lock()
        self._attempt: Attempt | None = None
        self._rejected = False
        if self._token is not None:
            self._token = self._token.due_at_another_age()

    def now_or_later(self, instead_of: str | None = None) -> Outcome | Attempt:
        """A token that can be used, or why there is none, or the attempt that will bring one of the two."""
        now = self._time.now()
        with self._lock:
            running = self._attempt
            answer = self._decide(now, instead_of)
            begun = self._attempt if self._attempt is not running else None
        if begun is not None:
            self._start(begun)
        return answer

    def _decide(self, now: Moment, instead_of: str | None) -> Outcome | Attempt:
        token = self._token
        if token is None or token.is_spent(now):
            if self._attempt is None and self._failure is not None and now.ticks < self._look_again_at:
                return self._failure.anew()
            return self._begun()
        if token.text == instead_of:
            if self._attempt is None and now.ticks < self._heed_rejections_at:
                return token
            self._heed_rejections_at = now.ticks + REJECTION_COOLDOWN
            self._rejected = True
            return self._begun()
        if token.is_due(now) and now.ticks >= self._look_again_at:
            self._begun()
        return token

    def _begun(self) -> Attempt:
        """The attempt that is under way; if none is, a new one, to be started outside the lock."""
        if self._attempt is None:
            self._attempt = Future()
            self._attempt.set_running_or_notify_cancel()  # nobody who waits for it can cancel it
        return self._attempt

    def _start(self, attempt: Attempt) -> None:
        thread = threading.Thread(target=self._run, args=(attempt,), name="tokenserver-client", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no more threads, as when the interpreter is ending: an app may still have to say goodbye
            self._run(attempt)

    def _run(self, attempt: Attempt) -> None:
        outcome: Outcome = TokenUnavailable("The attempt to get a token was broken off.")
        try:
            outcome = self._fetch()
        except Exception as fault:  # noqa: BLE001  those who wait must be told, whatever it is
            outcome = TokenUnavailable(f"An unexpected {type(fault).__name__} while a token was asked for.")
        finally:
            self._settle(attempt, outcome)
        if isinstance(outcome, AccessToken):
            self._afterwards(outcome)

    def _settle(self, attempt: Attempt, outcome: Outcome) -> None:
        failure = None if isinstance(outcome, AccessToken) else outcome
        with self._lock:
            before, self._failure = self._failure, failure
            self._look_again_at = float("-inf") if failure is None else self._time.now().ticks + LOOK_AGAIN
            if isinstance(outcome, AccessToken):
                self._token = outcome
            elif self._rejected and isinstance(outcome, TokenRefused):
                self._token = None
            self._forget(attempt)
        try:
            _note(before, failure)
        finally:
            attempt.set_result(outcome)

    def give_up(self, attempt: Attempt) -> None:
        """Nobody waits for this attempt any longer: the next caller begins another."""
        with self._lock:
            self._forget(attempt)

    def _forget(self, attempt: Attempt) -> None:
        if self._attempt is attempt:
            self._attempt, self._rejected = None, False


def _note(before: NoToken | None, failure: NoToken | None) -> None:
    """Log what has changed since the last time, and nothing that has not."""
    if failure is not None and (before is None or before.public != failure.public):
        log.warning("no new token: %s", failure.public)
    elif failure is None and before is not None:
        log.info("a new token has come: well again")

"""When is what fetched, and what is made of it? Keys, feed and lists of addresses, kept fresh by calls of `attend`.

No thread here: `background` calls from its own, tests from theirs. The request path reads `known` and `networks` and
leaves wishes; it never fetches and never waits for a lock that is held while something is fetched.

- The feed is read every `poll_interval`; the first time whole, then only what changed. With `wait`, the issuer holds
  the reply until something changes, and we ask again at once; if it answers early with nothing new (it bounds how many
  it holds), we go on polling at the usual pace.
- The key set is read before the first statement, then as often as it says, within bounds; at once when a token or a
  statement names an unknown key, within the cool-down of `wishes`. A failed fetch never takes a good key away.
- After a failure the pause doubles, with jitter, up to a sixth of `max_staleness` and at most 5 s; `Retry-After` is
  heeded up to a third of `max_staleness`. After a statement that is not believed, the whole window is asked for.
- A failure is logged when it begins, when it changes and when it ends, in words of our own.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from random import SystemRandom

from tokenserver.errors import TokenServerError
from tokenserver.resource.cache import NetworkLists
from tokenserver.resource.issuer import Issuer, SignedByUnknownKey
from tokenserver.resource.knowledge import NEVER, Known, NotBelieved
from tokenserver.resource.timekeeping import Timekeeper
from tokenserver.resource.wishes import Attempt, KeyWishes, ListWishes, new_attempt

log = logging.getLogger("tokenserver.resource")

LONGEST_WAIT = 25
LONGEST_PAUSE = 5.0
SHORTEST_PAUSE = 0.05
KEYS_AGAIN = 10.0
"""Seconds until the key set is tried again after a failure."""

_chance = SystemRandom()  # forked processes must not draw the same pauses


class Sources:
    """What is known, and the work of keeping it fresh."""

    def __init__(
        self,
        issuer: Issuer,
        time: Timekeeper,
        *,
        poll_interval: float,
        max_staleness: float,
        wait: float,
        key_cooldown: float,
    ) -> None:
        self._issuer = issuer
        self._time = time
        self._poll_interval = poll_interval
        self._max_staleness = max_staleness
        self._wait = int(min(wait, LONGEST_WAIT, max_staleness / 2))
        self._key_cooldown = key_cooldown
        self.known = Known()
        self.networks = NetworkLists()
        self.failures: dict[str, str] = {}
        self.not_believed = 0
        self.stale_spells = 0
        self._failed_polls = 0
        self._keys_due_at = NEVER
        self._ask_whole = False
        self.after_fork()

    def after_fork(self) -> None:
        """Begin anew with what is known; nothing that another thread may have held when the process forked."""
        self._next_poll_at = NEVER
        self.learned = threading.Condition()
        self.key_wishes = KeyWishes(self._key_cooldown)
        self.list_wishes = ListWishes(self._key_cooldown)
        self.first_poll: Attempt = new_attempt()
        self._publishing = threading.Lock()
        self._polling = threading.Lock()
        self._running_errands = threading.Lock()

    @property
    def holds(self) -> bool:
        """Whether polls are held by the issuer for seconds, so that errands need a thread of their own."""
        return self._wait > 0

    def attend(self) -> float:
        """Do what is due; how many seconds until something is due again."""
        self.run_errands()
        return self.poll_if_due()

    def poll_if_due(self) -> float:
        if self._time.ticks() >= self._next_poll_at:
            self.poll()
        return max(0.0, self._next_poll_at - self._time.ticks())

    def poll(self) -> None:
        """Ask the issuer once, now."""
        with self._polling:
            started, before = self._time.ticks(), self.known.seq
            try:
                self._keep_keys()
                self._read_feed()
            except Exception as fault:  # noqa: BLE001  a thread that dies would leave the app without news for good
                self._failed_polls += 1
                self.not_believed += isinstance(fault, NotBelieved)
                self._ask_whole = isinstance(fault, NotBelieved)
                self._next_poll_at = self._time.ticks() + self._backoff(fault)
                self._note("feed", _in_words(fault))
            else:
                self._failed_polls, self._ask_whole = 0, False
                self._next_poll_at = self._after_success(started, news=self.known.seq != before)
                self._note("feed", None)
            self._note_staleness()
        with self.learned:
            if not self.first_poll.done():
                self.first_poll.set_result(None)
            self.learned.notify_all()

    def _note_staleness(self) -> None:
        stale = self.is_stale()
        self.stale_spells += stale and "age" not in self.failures
        but = "" if self._failed_polls else ", though the issuer answers: is the clock here ahead, or a cache between?"
        self._note("age", f"what is known is too old{but}" if stale else None)

    def run_errands(self) -> None:
        """Fetch what requests have asked for."""
        with self._running_errands:
            names = self.key_wishes.begin()
            if names:
                found = self._tried("keys", lambda: self._load_keys(fresh=True))
                self.key_wishes.end(names, self.known.keys if found else None, self._time.ticks())
            for digest in self.list_wishes.begin():
                found = self._tried("networks", lambda digest=digest: self._load_list(digest))  # type: ignore[misc]
                self.list_wishes.end(digest, self._time.ticks(), found=found)

    def is_stale(self) -> bool:
        """Whether what is known is older than it may be."""
        return self._time.read(self.known)[1] > self._max_staleness

    def _keep_keys(self) -> None:
        if self._time.ticks() < self._keys_due_at:
            return
        if not self.known.keys:
            self._load_keys()
        elif not self._tried("keys", self._load_keys):
            self._keys_due_at = self._time.ticks() + KEYS_AGAIN

    def _load_keys(self, *, fresh: bool = False) -> None:
        keys, keep_for = self._issuer.keys(fresh=fresh)
        with self._publishing:
            self.known = self.known.with_keys(keys)
        self._keys_due_at = self._time.ticks() + keep_for

    def _load_list(self, digest: str) -> None:
        self.networks.put(digest, self._issuer.network_list(digest))

    def _read_feed(self) -> None:
        after = None if self._ask_whole else self.known.seq
        try:
            told = self._issuer.statement(after, self._wait, self.known)
        except SignedByUnknownKey:
            if not self.key_wishes.may_fetch(self._time.ticks()):
                raise
            self._load_keys(fresh=True)
            told = self._issuer.statement(after, 0, self.known)
        with self._publishing:
            self.known = self.known.with_statement(
                told, wall=self._time.wall(), ticks=self._time.ticks(), tolerance=self._max_staleness
            )

    def _tried(self, what: str, fetch: Callable[[], None]) -> bool:
        """Whether `fetch` went well; what went wrong is noted."""
        try:
            fetch()
        except Exception as fault:  # noqa: BLE001  see `poll`
            self._note(what, _in_words(fault))
            return False
        self._note(what, None)
        return True

    def _after_success(self, started: float, *, news: bool) -> float:
        now = self._time.ticks()
        if self._wait and (news or now - started >= self._poll_interval):
            return now + SHORTEST_PAUSE
        return max(started + self._poll_interval * _chance.uniform(0.9, 1.0), now + SHORTEST_PAUSE)

    def _backoff(self, fault: Exception) -> float:
        doubled = self._poll_interval * 2.0 ** min(self._failed_polls - 1, 16)
        pause = min(doubled, max(self._poll_interval, self._max_staleness / 6), LONGEST_PAUSE)
        asked = getattr(fault, "asked_to_wait", None) or 0.0
        jittered = pause * _chance.uniform(0.5, 1.0)
        return max(jittered, min(asked, self._max_staleness / 3), SHORTEST_PAUSE)

    def _note(self, what: str, failure: str | None) -> None:
        """Log what has changed since the last time, and nothing that has not."""
        before = self.failures.get(what)
        if failure == before:
            return
        if failure is None:
            del self.failures[what]
            log.info("issuer %s: %s: well again", self._issuer.name, what)
        else:
            self.failures[what] = failure
            log.warning("issuer %s: %s: %s", self._issuer.name, what, failure)


def _in_words(fault: Exception) -> str:
    """In words of our own: the message of a stranger's exception may hold what was received."""
    return fault.detail if isinstance(fault, TokenServerError) else f"unexpected {type(fault).__name__}"

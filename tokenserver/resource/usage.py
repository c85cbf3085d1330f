"""What does a resource server tell of its use? Batches of counts, and which changes it has applied, every few seconds.

    verifier = Verifier(…, reports=UsageReports(client_id="tsc_…", secret=…, instance="api-1"))

- Off unless asked for. A request only adds to a counter (`tally`); one thread of the background does the rest.
- A batch that was not taken is sent again under its number, which the server counts once; meanwhile one more batch
  fills. So memory is bounded, and a process that is killed loses what it had not sent.
- The path of a request is never told, since it may hold a secret: told are the patterns of a `Policy`, or what the
  function `route_of` makes of method and path. Addresses are told of callers that have proven who they are.
- Of who was let in, the roles and scopes are told by which the route let them in; so the server can say which are not
  used, and whom a narrower restriction would have refused. What a handler checks by itself is not among them.
  And the generation of their token, by which the server knows with which secret it was fetched.
- `status` is the guard's verdict: 200 for who was let in, whatever the app then answers.
- Times are told as milliseconds before the sending, so that no clock but the server's has to be right.
- A change of the feed that was applied here is told at once: the server can say who has applied it.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from random import SystemRandom
from typing import Any, Final

from tokenserver.clock import HOUR, Clock
from tokenserver.domain.client_ip import TrustedProxies
from tokenserver.domain.ip_notation import canonical_address
from tokenserver.errors import TokenServerError
from tokenserver.resource.posting import Desk, GivenSecret, HttpPost, NotTaken, Post, secret_reader
from tokenserver.resource.sources import Sources
from tokenserver.resource.tally import MOST_GROUPS, Counted, Group, Tally, Use

log = logging.getLogger("tokenserver.resource")

RouteOf = Callable[[str, str], "str | None"]
"""Method and path to a template such as `GET /reports/{id}`; None tells nothing."""

LOOKS_EVERY: Final = 0.25
"""Seconds between two looks at whether something is to be told."""
LONGEST_PAUSE: Final = 60.0
OLDEST_BATCH: Final = HOUR / 2
"""Seconds after which a batch that nobody takes is given up. The server knows its number for longer."""
LONGEST_ROUTE: Final = 200
LONGEST_INSTANCE: Final = 100
MOST_NEEDED: Final = 20
"""Roles, and scopes, of one requirement that are told; of a longer one nothing is."""
_LONGEST_REMEMBERED: Final = 256

_chance = SystemRandom()  # forked processes must not draw the same pauses


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReports:
    """Who reports, as what, and how often.

    `client_id` and `secret` (a text, the path of a file, or a function that gives it) are of a credential with the
    scope `usage:write` at the server's own API. `instance` names this process's place, such as a host; its processes
    are told apart. `most` bounds the groups that are kept.
    """

    client_id: str
    secret: GivenSecret = field(repr=False)
    instance: str
    interval: float = 5.0
    route_of: RouteOf | None = None
    most: int = MOST_GROUPS
    timeout: float = 5.0
    post: Post = field(default_factory=HttpPost, repr=False)

    def __post_init__(self) -> None:
        if not 0.5 <= self.interval <= HOUR:
            raise ValueError("interval is in seconds, from 0.5 to an hour")
        if not 0 < len(self.instance) <= LONGEST_INSTANCE or not self.instance.isprintable():
            raise ValueError(f"instance is a name of 1 to {LONGEST_INSTANCE} characters")
        if not 0 < self.most <= MOST_GROUPS or self.timeout <= 0:
            raise ValueError(f"most is from 1 to {MOST_GROUPS}, and timeout above 0")
        if not self.client_id or not self.secret:
            raise ValueError("name the client_id and the secret of a credential with the scope usage:write")
        secret_reader(self.secret)

    def read_secret(self) -> str:
        return secret_reader(self.secret)()


@dataclass(slots=True)
class _Batch:
    number: int
    counted: Counted
    made_at: float


class Usage:
    """Counts, and tells the server. `add` is what a request does; all else is the background's."""

    def __init__(
        self,
        reports: UsageReports,
        *,
        issuer: str,
        audience: str,
        sources: Sources,
        proxies: TrustedProxies,
        ticks: Clock,
    ) -> None:
        self._reports, self._audience, self._sources, self._proxies = reports, audience, sources, proxies
        self._ticks = ticks
        self._desk = Desk(issuer, reports.client_id, reports.read_secret, reports.post, ticks, reports.timeout)
        self._client_address = lru_cache(maxsize=1024)(self._determined)
        self.route_of = reports.route_of
        self._tally = Tally(ticks, reports.most)
        self.add = self._tally.add
        self.after_fork()

    def after_fork(self) -> None:
        """A process of its own, which has counted nothing yet."""
        self._tally.begin_anew()
        self._process = secrets.token_urlsafe(12)
        self._reporting = threading.Lock()
        self._number = 0
        self._unsent: _Batch | None = None
        self._told_seq: int | None = None
        self._next_at = self._ticks()
        self._failures = 0
        self._has_left = False
        self.failure: str | None = None
        self.sent = self.given_up = 0

    def address_behind(self, peer: str, forwarded: Sequence[tuple[str, str]]) -> str | None:
        """The caller's own address, if `peer` is a proxy of ours; None where nobody can say."""
        if self._proxies.networks is None:
            return peer
        headers = tuple(forwarded)
        if sum(len(value) for _, value in headers) < _LONGEST_REMEMBERED:
            return self._client_address(peer, headers)
        return self._determined(peer, headers)

    # --- in the background ------------------------------------------------------------------------------------------

    def attend(self) -> float:
        """Report if it is time; how many seconds until the next look."""
        now = self._ticks()
        news = self._failures == 0 and self._sources.known.seq != self._told_seq
        if now >= self._next_at or news:
            self.report()
        return LOOKS_EVERY

    def report(self, *, leaving: bool = False) -> bool:
        """Tell the server what there is; whether it was taken. Never raises."""
        with self._reporting:
            batch = self._unsent = self._unsent or self._new_batch()
            seq = self._sources.known.seq
            try:
                self._desk.hand_in(self._written(batch, leaving=leaving))
            except Exception as fault:  # noqa: BLE001  whatever a transport or a function of the app's raises
                self._not_taken(batch, fault)
                return False
            self.sent += 1
            self._unsent, self._told_seq, self._failures, self._has_left = None, seq, 0, leaving
            self._next_at = self._ticks() + self._reports.interval
            self._note(None)
            return True

    def leave(self) -> None:
        """Say goodbye with what there is, unless nobody listened the last time: stopping must not take long. A server
        may have more than one way to tell that it ends: once is enough.
        """
        if self._failures == 0 and (len(self._tally) or not self._has_left):
            self.report(leaving=True)

    def health(self) -> dict[str, Any]:
        """For `Verifier.health`."""
        return {
            "sent": self.sent,
            "batches_given_up": self.given_up,
            "groups": len(self._tally),
            "last_error": self.failure,
        }

    def _new_batch(self) -> _Batch:
        self._number += 1
        return _Batch(self._number, self._tally.take(), self._ticks())

    def _not_taken(self, batch: _Batch, fault: Exception) -> None:
        known = isinstance(fault, NotTaken)
        if (isinstance(fault, NotTaken) and fault.for_good) or self._ticks() - batch.made_at > OLDEST_BATCH:
            self._unsent = None
            self.given_up += 1
        self._failures += 1
        pause = min(self._reports.interval * 2.0 ** min(self._failures - 1, 8), LONGEST_PAUSE)
        self._next_at = self._ticks() + pause * _chance.uniform(0.5, 1.0)
        self._note(str(fault) if known else f"unexpected {type(fault).__name__}")

    def _written(self, batch: _Batch, *, leaving: bool) -> dict[str, object]:
        now = self._ticks()
        return {
            "instance": self._reports.instance,
            "process": self._process,
            "batch": batch.number,
            "audience": self._audience,
            "interval_ms": int(self._reports.interval * 1000),
            "applied": [{"seq": seq, "ago_ms": _ago(now, at)} for seq, at in self._sources.known.applied],
            "uses": list(self._uses(batch.counted, now)),
            "untold": batch.counted.untold,
            "leaving": leaving,
        }

    def _uses(self, counted: Counted, now: float) -> Iterator[dict[str, object]]:
        for group, use in counted:
            yield {
                "client_id": group.client_id,
                "route": _route_told(group),
                "status": group.status,
                "address": self._address_told(group),
                "needs": _needs_told(group),
                "generation": group.generation,
                **_when(use, now),
            }

    # --- addresses --------------------------------------------------------------------------------------------------

    def _determined(self, peer: str, headers: tuple[tuple[str, str], ...]) -> str | None:
        try:
            return self._proxies.client_address(peer, headers)
        except TokenServerError:
            return None

    def _address_told(self, group: Group) -> str | None:
        """In canonical form; None for what is no address, such as a local socket."""
        return None if group.address is None else canonical_address(group.address)

    def _note(self, failure: str | None) -> None:
        """Log what has changed since the last time, and nothing that has not."""
        if failure != self.failure:
            self.failure = failure
            if failure is None:
                log.info("usage reports: well again")
            else:
                log.warning("usage reports: %s", failure)


def _route_told(group: Group) -> str | None:
    route = group.route
    return route if isinstance(route, str) and 0 < len(route) <= LONGEST_ROUTE and route.isprintable() else None


def _needs_told(group: Group) -> dict[str, list[str]] | None:
    if group.needs is None or max(map(len, group.needs)) > MOST_NEEDED:
        return None
    roles, scopes = group.needs
    return {"roles": list(roles), "scopes": list(scopes)}


def _when(use: Use, now: float) -> dict[str, int]:
    return {"count": use.count, "first_ago_ms": _ago(now, use.first), "last_ago_ms": _ago(now, use.last)}


def _ago(now: float, at: float) -> int:
    return max(0, int((now - at) * 1000))

"""How are webhooks told in time, however slow some of them are? This thread writes; a bounded number of others wait.

Posting happens in threads of its own, in two lanes: a webhook whose last delivery failed goes by the slow lane, so that
receivers that hang wait for each other and for nobody else. Of one webhook, and in each lane of one organization, only
so many are on their way at a time. What came of them is recorded here, many at once, since the database has one turn to
write.

At the end of the process, what is on its way is waited for a moment; what is not back by then is tried again by the
next process when its claim has run out.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections import Counter
from collections.abc import Callable

from app.jobs.job import Job
from app.services.deliveries import RECORDED_AT_ONCE, Deliveries, Done, Parcel, Room
from app.services.posting import Outcome, Poster
from app.services.webhook_secrets import signed_headers
from tokenserver.clock import MINUTE, Clock, monotonic
from tokenserver.errors import Unavailable

log = logging.getLogger("tokenserver.webhooks")

LANE_THREADS = 12
MOST_OF_ONE_WEBHOOK = 4
MOST_OF_A_FAILING_ONE = 1
MOST_OF_ONE_ORGANIZATION = 8
GOODBYE_SECONDS = 1.5
_HEADERS = {"Content-Type": "application/json", "User-Agent": "tokenserver"}
CANNOT_SIGN = Outcome(None, "Its signing secret cannot be read by this server: tell its operator.", 0)
UNEXPECTED = Outcome(None, "This server failed to send it: tell its operator.", 0)


class Lane:
    """Threads that post, made when there is work; daemons, since the end of a process does not wait for receivers."""

    def __init__(self, name: str, work: Callable[[Parcel], None]) -> None:
        self._name = name
        self._work = work
        self._parcels: queue.SimpleQueue[Parcel] = queue.SimpleQueue()
        self._threads = 0
        self.of_webhooks: Counter[str] = Counter()
        self.of_organizations: Counter[str] = Counter()
        """What is under way. Counted by whoever hands in and takes out, in one thread."""

    @property
    def under_way(self) -> int:
        return self.of_webhooks.total()

    def hand_in(self, parcel: Parcel) -> None:
        self.of_webhooks[parcel.delivery.webhook_id] += 1
        self.of_organizations[parcel.delivery.organization_id] += 1
        self._parcels.put(parcel)
        if self._threads < min(self.under_way, LANE_THREADS):
            self._threads += 1
            threading.Thread(target=self._run, name=f"webhooks-{self._name}", daemon=True).start()

    def take_out(self, parcel: Parcel) -> None:
        self.of_webhooks -= Counter([parcel.delivery.webhook_id])  # drops what has come to nothing
        self.of_organizations -= Counter([parcel.delivery.organization_id])

    def _run(self) -> None:
        while True:
            self._work(self._parcels.get())


class WebhookJobs:
    """`poster` and `clock` are used by the threads of the lanes, everything else by the thread of the jobs."""

    def __init__(
        self, deliveries: Deliveries, poster: Poster, clock: Clock, *, on_return: Callable[[], None] = lambda: None
    ) -> None:
        self._deliveries = deliveries
        self._poster = poster
        self._clock = clock
        self.on_return = on_return
        """Called when a parcel is back, by the thread that carried it."""
        self._back: queue.SimpleQueue[Done] = queue.SimpleQueue()
        self._unrecorded: list[Done] = []
        self._lanes = {failing: Lane("slow" if failing else "prompt", self._carry) for failing in (False, True)}
        self._lane_of: dict[str, Lane] = {}

    def jobs(self) -> tuple[Job, ...]:
        return (
            Job("webhooks", 1, self.deliver, self.end),
            Job("webhooks-pruning", MINUTE, self._deliveries.prune),
        )

    def deliver(self, now: float) -> bool:
        """One round; whether another has something to do at once."""
        self._record()  # 1. what came of those that are back
        more = self._deliveries.fan_out(now)  # 2. what is new
        return self._send(now) or more  # 3. what is due

    def end(self) -> None:
        """Wait a moment for what is on its way."""
        deadline = monotonic() + GOODBYE_SECONDS
        while self._lane_of and (left := deadline - monotonic()) > 0:
            self._record(left)

    def _send(self, now: float) -> bool:
        sent = 0
        for failing, lane in self._lanes.items():
            if lane.under_way >= LANE_THREADS:
                continue
            parcels = self._deliveries.claim(now, self._room(lane, failing=failing))
            for parcel in parcels:
                self._lane_of[parcel.delivery.id] = lane
                lane.hand_in(parcel)
            sent += len(parcels)
        return sent > 0

    def _room(self, lane: Lane, *, failing: bool) -> Room:
        return Room(
            failing=failing,
            parcels=LANE_THREADS - lane.under_way,
            of_one_webhook=MOST_OF_A_FAILING_ONE if failing else MOST_OF_ONE_WEBHOOK,
            of_one_organization=MOST_OF_ONE_ORGANIZATION,
            busy=[webhook_id for each in self._lanes.values() for webhook_id in each.of_webhooks],
            under_way=lane.of_organizations,
        )

    def _record(self, patience: float = 0.0) -> None:
        """What is back; waiting so long for the first of them. Kept until the database takes it."""
        with contextlib.suppress(queue.Empty):
            self._take_out(self._back.get(timeout=patience) if patience else self._back.get_nowait())
            while True:
                self._take_out(self._back.get_nowait())
        while some := self._unrecorded[:RECORDED_AT_ONCE]:
            try:
                self._deliveries.record(some)
            except Unavailable:
                raise
            except Exception:  # nothing may be in the way for ever: what is dropped is tried again
                del self._unrecorded[:RECORDED_AT_ONCE]
                raise
            del self._unrecorded[:RECORDED_AT_ONCE]

    def _take_out(self, done: Done) -> None:
        self._lane_of.pop(done.parcel.delivery.id).take_out(done.parcel)
        self._unrecorded.append(done)

    def _carry(self, parcel: Parcel) -> None:
        at, outcome = self._clock(), UNEXPECTED
        try:
            outcome = self._posted(parcel, at)
        except Exception:
            log.exception("unexpected while posting to webhook %s", parcel.delivery.webhook_id)
        self._back.put(Done(parcel, outcome, at))
        self.on_return()

    def _posted(self, parcel: Parcel, at: float) -> Outcome:
        if not parcel.signing:
            return CANNOT_SIGN
        body = parcel.delivery.body
        headers = signed_headers(parcel.delivery.event_id, at, body, parcel.signing)
        return self._poster.post(parcel.url, {**_HEADERS, **headers}, body.encode("ascii"))

"""How does the whole installation do, in numbers? What `/metrics` tells.

Several workers share a port and there may be several nodes, so that the counts of one process would be a matter of
luck: every number comes from the database and is true of all of them, whoever answers. (But for the version: while
nodes are replaced one by one, each tells its own.) Who scrapes several nodes takes the `max` of what they say.

One reading transaction with a handful of look-ups, none of which gets longer with the number of credentials; what grows
otherwise is counted up to a limit. Nothing is told of tenants, neither names nor IDs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby

from app.services.audit_verification import verdict_of
from app.services.clockwork import OK, last_runs
from app.services.keys import published_at, signing_at
from app.store import Store, Transaction
from tokenserver import __version__
from tokenserver.clock import Clock
from tokenserver.domain.exposition import Metric
from tokenserver.domain.usage import COUNTED_FOR, Instance

MOST_COUNTED = 10_000
"""Deliveries, and processes of resource servers."""

MEANINGS: Mapping[str, str] = {
    "info": "The version of the process that answers; always 1.",
    "tokens_issued_total": "Tokens that were issued.",
    "tokens_refused_total": "Requests for a token that were refused, by reason as in the audit log.",
    "feed_last_seq": "The number of the last change in the generation feed.",
    "signing_keys_published": "Signing keys in the published key set.",
    "signing_key_age_seconds": "For how long the present signing key has signed.",
    "job_last_success_timestamp_seconds": "When each job of the clock last went well, noted once a minute.",
    "job_failing": "Whether the last run of each job of the clock failed.",
    "webhook_deliveries_pending": f"Webhook deliveries that are still to be made; {MOST_COUNTED} stands for more.",
    "webhook_oldest_due_seconds": "For how long the oldest webhook delivery that is due has been; 0 when none is.",
    "audit_verified_timestamp_seconds": "When the audit log was last verified.",
    "audit_whole": "Whether the audit log was whole then.",
    "audit_checkpoint_timestamp_seconds": "When the heads of the audit log's chains were last signed.",
    "resource_servers": "Processes of resource servers that report their use, by how well they follow the feed.",
}
"""Every metric there is, in the order in which they are told."""

_Samples = Sequence[tuple[Mapping[str, str], float]]


class Measures:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def all(self) -> Sequence[Metric]:
        """Those without a number (nothing was verified yet, say) have no samples."""
        now = self._clock()
        with self._store.reading() as tx:
            found = dict(sample for look in _LOOKS for sample in look(tx, now))
        return [Metric(name, meaning, found.get(name, ())) for name, meaning in MEANINGS.items()]


def _version(_: Transaction, __: float) -> Iterator[tuple[str, _Samples]]:
    yield "info", [({"version": __version__}, 1)]


def _tokens(tx: Transaction, _: float) -> Iterator[tuple[str, _Samples]]:
    counts = tx.activity.ever()
    yield "tokens_issued_total", _one(counts.pop("", 0))
    yield "tokens_refused_total", [({"reason": reason}, count) for reason, count in sorted(counts.items())]


def _keys(tx: Transaction, now: float) -> Iterator[tuple[str, _Samples]]:
    keys = tx.keys.all()
    signing = signing_at(keys, now)
    yield "signing_keys_published", _one(len(published_at(keys, now)))
    yield "signing_key_age_seconds", _one(None if signing is None else int(now) - signing.active_from)


def _jobs(tx: Transaction, _: float) -> Iterator[tuple[str, _Samples]]:
    runs = last_runs(tx)
    went_well = {name: run.went_well_at for name, run in runs.items()}
    yield "job_last_success_timestamp_seconds", [({"name": n}, at) for n, at in went_well.items() if at is not None]
    yield "job_failing", [({"name": name}, int(run.outcome != OK)) for name, run in runs.items()]


def _webhooks(tx: Transaction, now: float) -> Iterator[tuple[str, _Samples]]:
    pending, oldest = tx.deliveries.backlog(int(now), MOST_COUNTED)
    yield "webhook_deliveries_pending", _one(pending)
    yield "webhook_oldest_due_seconds", _one(0 if oldest is None else int(now) - oldest)


def _audit(tx: Transaction, _: float) -> Iterator[tuple[str, _Samples]]:
    verdict, checkpoint = verdict_of(tx), tx.audit_record.last_checkpoint()
    yield "audit_verified_timestamp_seconds", _one(None if verdict is None else verdict.at)
    yield "audit_whole", _one(None if verdict is None else int(verdict.flaw is None))
    yield "audit_checkpoint_timestamp_seconds", _one(None if checkpoint is None else checkpoint.at)


def _feed(tx: Transaction, now: float) -> Iterator[tuple[str, _Samples]]:
    last = tx.feed.last_seq()
    yield "feed_last_seq", _one(last)
    processes = tx.usage.processes(now - COUNTED_FOR, MOST_COUNTED)
    told_at = tx.feed.told_at({one.seq + 1 for one in processes if one.seq is not None and one.seq < last})
    states = sorted(_state(one, last, told_at, now) for one in processes)
    counts = {"behind": 0, "current": 0, "silent": 0} | {state: len([*found]) for state, found in groupby(states)}
    yield "resource_servers", [({"state": state}, count) for state, count in counts.items()]


def _state(process: Instance, last: int, told_at: Mapping[int, float], now: float) -> str:
    """Behind is who had time enough to tell of the next change, and has not."""
    if process.is_silent(now):
        return "silent"
    if process.seq is not None and process.seq >= last:
        return "current"
    missed = None if process.seq is None else told_at.get(process.seq + 1, 0.0)
    return "behind" if missed is None or now - missed > process.patience else "current"


def _one(value: float | None) -> _Samples:
    return [] if value is None else [({}, value)]


_LOOKS: Sequence[Callable[[Transaction, float], Iterator[tuple[str, _Samples]]]] = (
    _version,
    _tokens,
    _feed,
    _keys,
    _jobs,
    _webhooks,
    _audit,
)

"""What is known of the calls of a credential: where, what, how it went, and from where?"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from app.services.usage import Proof, UsageView
from tokenserver.domain.usage import Total

MOST_SHOWN = 10
_REFUSED = 400


@dataclass(frozen=True, slots=True)
class Sum:
    """Calls that are alike. `key` says in what."""

    key: tuple[object, ...]
    count: int
    last_at: int


@dataclass(frozen=True, slots=True)
class UsageShown:
    let_in: int
    refused: int
    routes: Sequence[Sum]
    statuses: Sequence[Sum]
    addresses: Sequence[Sum]
    unused: Sequence[str]


@dataclass(frozen=True, slots=True)
class Applied:
    """How many processes of an API have applied the last change there was; None: none of them reports."""

    audience: str
    seq: int
    applied: int
    total: int
    silent: int
    oldest: float | None
    """When the one was heard of that was silent for longest."""


def usage_shown(view: UsageView) -> UsageShown:
    let_in = [total for total in view.totals if total.status < _REFUSED]

    def where(total: Total) -> tuple[object, ...]:
        return view.audiences.get(total.api_id, total.api_id), total.route

    return UsageShown(
        let_in=sum(total.count for total in let_in),
        refused=sum(total.count for total in view.totals) - sum(total.count for total in let_in),
        routes=_sums(let_in, where),
        statuses=_sums(view.totals, lambda total: (total.status,)),
        addresses=_sums(let_in, lambda total: (total.address,)),
        unused=view.unused,
    )


def applied_shown(audience: str, proof: Proof) -> Applied:
    return Applied(
        audience=audience,
        seq=proof.seq,
        applied=sum(one.applied_at(proof.seq) is not None for one in proof.instances),
        total=len(proof.instances),
        silent=sum(one.is_silent(proof.now) for one in proof.instances),
        oldest=min((one.reported_at for one in proof.instances), default=None),
    )


def _sums(totals: Sequence[Total], key: Callable[[Total], tuple[object, ...]]) -> list[Sum]:
    """The most frequent first."""
    groups: dict[Hashable, Sum] = {}
    for total in totals:
        found = groups.get(key(total), Sum(key(total), 0, 0))
        groups[key(total)] = Sum(found.key, found.count + total.count, max(found.last_at, total.last_at))
    return sorted(groups.values(), key=lambda one: one.count, reverse=True)[:MOST_SHOWN]

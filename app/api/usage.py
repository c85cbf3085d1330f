"""How does usage look from outside? Reports in; what was used, and who has applied a change, out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from app.api.operation import Answer
from app.api.operation import Call as Request
from app.api.usage_bodies import (
    LARGEST_SEQ,
    AddressUsed,
    ApiInstances,
    ApiUsed,
    CredentialUsage,
    InstanceShown,
    RouteUsed,
    StatusAnswered,
    UnusedScopes,
    UsageReport,
    UsageTaken,
)
from app.inputs.fields import moment_text
from app.services.usage import Proof, Report, Usage, UsageView
from tokenserver.clock import Clock
from tokenserver.domain.usage import Applied, Call, Instance, Needs, Total
from tokenserver.errors import InvalidRequest

PATH = "/v1/usage-reports"
MOST_SHOWN = 500
_SEQ = re.compile(r"[0-9]{1,16}", re.ASCII)
Key = TypeVar("Key", bound=tuple[object, ...])


class UsageOperations:
    def __init__(self, usage: Usage, clock: Clock) -> None:
        self._usage = usage
        self._clock = clock

    def report(self, call: Request) -> Answer:
        taken = self._usage.take(call.caller, _read(call.body, self._clock()))
        return Answer(UsageTaken(counted=taken.counted, ignored=taken.ignored, repeated=taken.repeated))

    def of_credential(self, call: Request) -> Answer:
        return Answer(_usage_shown(self._usage.of_credential(call.caller, call.subject)))

    def instances(self, call: Request) -> Answer:
        return Answer(_proof_shown(self._usage.proof(call.caller, call.subject, _read_seq(call.query.get("seq")))))


def _read(body: UsageReport, now: float) -> Report:
    """Moments on our clock."""

    def at(ago_ms: int) -> float:
        return now - ago_ms / 1000

    calls = [
        (
            use.client_id or "",
            Call(
                route=use.route or "",
                status=use.status,
                address=use.address or "",
                count=use.count,
                first_at=at(use.first_ago_ms),
                last_at=at(use.last_ago_ms),
                needs=None if use.needs is None else Needs(frozenset(use.needs.roles), frozenset(use.needs.scopes)),
                generation=use.generation,
            ),
        )
        for use in body.uses
    ]
    instance = Instance(
        name=body.instance,
        process=body.process,
        reported_at=now,
        interval=body.interval_ms / 1000,
        batch=body.batch,
        untold=body.untold,
        has_left=bool(body.leaving),
        applied=tuple(Applied(one.seq, at(one.ago_ms)) for one in body.applied),
    )
    return Report(body.audience, instance, calls)


def _read_seq(text: str | None) -> int | None:
    if text is None:
        return None
    if _SEQ.fullmatch(text) is None or int(text) > LARGEST_SEQ:
        raise InvalidRequest("seq is the number of a change, as `feed_seq` of an answer has it.")
    return int(text)


def _usage_shown(view: UsageView) -> CredentialUsage:
    def audience(total: Total) -> str:
        return view.audiences.get(total.api_id, total.api_id)

    let_in = [total for total in view.totals if total.was_let_in]
    return CredentialUsage(
        client_id=view.credential.client_id,
        since=moment_text(view.since),
        count=_count(let_in),
        first_used_at=moment_text(_first(let_in)) if let_in else None,
        last_used_at=moment_text(_last(let_in).last_at) if let_in else None,
        apis=[
            ApiUsed(
                audience=name,
                count=_count(found),
                first_used_at=moment_text(_first(found)),
                last_used_at=moment_text(_last(found).last_at),
                last_used_from=_last(found).address or None,
            )
            for (name,), found in _by(let_in, lambda total: (audience(total),))
        ],
        routes=[
            RouteUsed(
                audience=name, route=route or None, count=_count(found), last_used_at=moment_text(_last(found).last_at)
            )
            for (name, route), found in _by(let_in, lambda total: (audience(total), total.route))
        ],
        statuses=[
            StatusAnswered(status=status, count=_count(found))
            for (status,), found in _by(view.totals, lambda total: (total.status,))
        ],
        addresses=[
            AddressUsed(
                address=address or None,
                count=_count(found),
                first_used_at=moment_text(_first(found)),
                last_used_at=moment_text(_last(found).last_at),
            )
            for (address,), found in _by(let_in, lambda total: (total.address,))
        ],
        unused_apis=list(view.unused),
        unused_scopes=[UnusedScopes(audience=name, scopes=scopes) for name, scopes in view.unused_scopes.items()],
        unused_roles=view.unused_roles,
    )


def _by(totals: Sequence[Total], key: Callable[[Total], Key]) -> list[tuple[Key, list[Total]]]:
    """The groups, last used first."""
    groups: dict[Key, list[Total]] = {}
    for total in totals:
        groups.setdefault(key(total), []).append(total)
    return sorted(groups.items(), key=lambda group: _last(group[1]).last_at, reverse=True)[:MOST_SHOWN]


def _count(totals: Iterable[Total]) -> int:
    return sum(total.count for total in totals)


def _first(totals: Iterable[Total]) -> int:
    return min(total.first_at for total in totals)


def _last(totals: Iterable[Total]) -> Total:
    return max(totals, key=lambda total: total.last_at)


def _proof_shown(proof: Proof) -> ApiInstances:
    shown = [_instance_shown(one, proof) for one in proof.instances]
    return ApiInstances(
        seq=proof.seq,
        changed_at=None if proof.told_at is None else _precisely(proof.told_at),
        total=len(shown),
        applied=sum(one.applied for one in shown),
        silent=sum(one.silent for one in shown),
        summary=_summary(proof.seq, shown),
        instances=shown,
    )


def _instance_shown(instance: Instance, proof: Proof) -> InstanceShown:
    applied_at = instance.applied_at(proof.seq)
    after = None if applied_at is None or proof.told_at is None else round(max(0.0, applied_at - proof.told_at), 3)
    return InstanceShown(
        instance=instance.name,
        process=instance.process,
        applied=applied_at is not None,
        applied_at=None if applied_at is None else _precisely(applied_at),
        seconds_after=after,
        silent=instance.is_silent(proof.now),
        feed_seq=instance.seq,
        reported_at=_precisely(instance.reported_at),
        age=round(max(0.0, proof.now - instance.reported_at), 3),
        untold=instance.untold,
    )


def _summary(seq: int, shown: Sequence[InstanceShown]) -> str:
    if not shown:
        return "No resource server of this API reports."
    applied, silent = [one for one in shown if one.applied], sum(one.silent for one in shown)
    has = "has" if len(shown) == 1 else "have"
    said = f"{len(applied)} of {len(shown)} {has} applied change {seq}"
    times = [one.seconds_after for one in applied if one.seconds_after is not None]
    if times and len(times) == len(applied) == len(shown):
        said += f", {max(times):.1f} s after it"
    return f"{said}; {silent} silent." if silent else f"{said}."


def _precisely(seconds: float) -> str:
    """RFC 3339, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

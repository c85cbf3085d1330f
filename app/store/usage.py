"""What have resource servers told of their use? Sums by the hour, and how far each of their processes has come.

`usage` has one row for each hour, credential, API, instance, route, status, address, and the roles and scopes by which
the route let the caller in. An hour of one credential at one API is told apart in `MOST_ROWS` and no more; what is
beyond is summed by status only. Rows go after `KEPT_DAYS`; processes, when they have been silent for longer than a
token can live: whatever they missed, no token of before is left that they could let in.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.store.models import GenerationEventRow, UsageInstanceRow, UsageRow
from tokenserver.clock import DAY, HOUR
from tokenserver.domain.catalogue import Api
from tokenserver.domain.usage import Applied, Call, Instance, Needs, Total

KEPT_DAYS = 90
MOST_ROWS = 200
"""Of one hour, credential and API."""
MOST_INSTANCES = 1000
"""Processes of one API that are told apart."""
REMEMBERED = 2 * HOUR
"""Seconds that a silent process is remembered: longer than its batches are sent again."""

_Key = tuple[str, str, str, int, str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where uses are summed."""

    organization_id: str
    api_id: str
    instance: str


class UsageStore:
    def __init__(self, session: Session) -> None:
        self._session = session

    def instance(self, organization_id: str, api_id: str, process: str) -> Instance | None:
        row = self._session.get(UsageInstanceRow, (organization_id, api_id, process))
        return None if row is None else _instance_from(row)

    def instances(self, api: Api, since: float) -> list[Instance]:
        """Those that have reported since, to the organization whose API it is; in the order of their names."""
        query = select(UsageInstanceRow).where(
            UsageInstanceRow.organization_id == api.organization_id,
            UsageInstanceRow.api_id == api.id,
            UsageInstanceRow.reported_ms >= int(since * 1000),
        )
        ordered = query.order_by(UsageInstanceRow.instance, UsageInstanceRow.process).limit(MOST_INSTANCES)
        return [_instance_from(row) for row in self._session.scalars(ordered)]

    def processes(self, since: float, most: int) -> list[Instance]:
        """Of all organizations and APIs, those that have reported since and have not left; `most` at the most."""
        row = UsageInstanceRow
        query = select(row).where(row.reported_ms >= int(since * 1000), row.has_left.is_(False))
        return [_instance_from(found) for found in self._session.scalars(query.limit(most))]

    def count_instances(self, organization_id: str, api_id: str) -> int:
        query = select(func.count()).select_from(UsageInstanceRow)
        mine = (UsageInstanceRow.organization_id == organization_id, UsageInstanceRow.api_id == api_id)
        return self._session.scalars(query.where(*mine)).one()

    def save_instance(self, organization_id: str, api_id: str, instance: Instance) -> None:
        self._session.merge(
            UsageInstanceRow(
                organization_id=organization_id,
                api_id=api_id,
                process=instance.process,
                instance=instance.name,
                reported_ms=int(instance.reported_at * 1000),
                interval_ms=int(instance.interval * 1000),
                batch=instance.batch,
                untold=instance.untold,
                has_left=instance.has_left,
                applied=json.dumps([[one.seq, int(one.at * 1000)] for one in instance.applied]),
            )
        )
        self._session.flush()

    def add(self, place: Place, hour: int, client_id: str, calls: Sequence[Call]) -> None:
        """Sum what one credential did within an hour."""
        mine = (
            UsageRow.organization_id == place.organization_id,
            UsageRow.client_id == client_id,
            UsageRow.api_id == place.api_id,
            UsageRow.hour == hour,
        )
        known = {_key(row): row for row in self._session.scalars(select(UsageRow).where(*mine))}
        for call in calls:
            needs = "" if call.needs is None else call.needs.text
            key = (place.instance, client_id, call.route, call.status, call.address, needs)
            if key not in known and len(known) >= MOST_ROWS:
                key = ("", client_id, "", call.status, "", "")
            row = known.get(key)
            if row is None:
                row = known[key] = _row(place, hour, key, call)
                self._session.add(row)
            row.count += call.count
            row.first_at = min(row.first_at, int(call.first_at))
            row.last_at = max(row.last_at, int(call.last_at))
        self._session.flush()

    def totals(self, organization_id: str, client_id: str, since: int = 0) -> list[Total]:
        """What is known of one credential: by API, route, status, address and what was needed."""
        group = (UsageRow.api_id, UsageRow.route, UsageRow.status, UsageRow.address, UsageRow.needs)
        query = (
            select(*group, func.sum(UsageRow.count), func.min(UsageRow.first_at), func.max(UsageRow.last_at))
            .where(UsageRow.organization_id == organization_id, UsageRow.client_id == client_id, UsageRow.hour >= since)
            .group_by(*group)
        )
        return [
            Total(*row[:4], count=int(row[5]), first_at=row[6], last_at=row[7], needs=Needs.of(row[4]))
            for row in self._session.execute(query)
        ]

    def apis_that_report(self, apis: Collection[Api]) -> frozenset[str]:
        """The IDs of those whose resource servers tell of their use, to the organization whose API it is."""
        query = select(UsageInstanceRow.api_id).where(
            UsageInstanceRow.organization_id.in_({api.organization_id for api in apis}),
            UsageInstanceRow.api_id.in_([api.id for api in apis]),
        )
        return frozenset(self._session.scalars(query.distinct()))

    def told_at(self, organization_id: str, seq: int) -> float | None:
        """When this change was recorded; None where it is another organization's, or long ago."""
        query = select(GenerationEventRow.told_ms).where(
            GenerationEventRow.seq == seq, GenerationEventRow.organization_id == organization_id
        )
        found = self._session.scalars(query).first()
        return None if found is None else found / 1000

    def prune(self, now: float) -> None:
        """Drop what is old enough, of every organization."""
        self._session.execute(delete(UsageRow).where(UsageRow.hour < int(now) - KEPT_DAYS * DAY))
        silent = UsageInstanceRow.reported_ms < int((now - REMEMBERED) * 1000)
        self._session.execute(delete(UsageInstanceRow).where(silent))


def _key(row: UsageRow) -> _Key:
    return row.instance, row.client_id, row.route, row.status, row.address, row.needs


def _row(place: Place, hour: int, key: _Key, call: Call) -> UsageRow:
    instance, client_id, route, status, address, needs = key
    return UsageRow(
        organization_id=place.organization_id,
        api_id=place.api_id,
        hour=hour,
        instance=instance,
        client_id=client_id,
        route=route,
        status=status,
        address=address,
        needs=needs,
        count=0,
        first_at=int(call.first_at),
        last_at=int(call.last_at),
    )


def _instance_from(row: UsageInstanceRow) -> Instance:
    return Instance(
        name=row.instance,
        process=row.process,
        reported_at=row.reported_ms / 1000,
        interval=row.interval_ms / 1000,
        batch=row.batch,
        untold=row.untold,
        has_left=row.has_left,
        applied=tuple(Applied(seq, at / 1000) for seq, at in json.loads(row.applied)),
    )

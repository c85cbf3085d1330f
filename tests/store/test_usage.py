"""Are uses summed exactly, bounded, forgotten in time, and seen by their own organization only?"""

from __future__ import annotations

import pytest

from app.store.usage import KEPT_DAYS, MOST_ROWS, REMEMBERED, Place
from tokenserver.clock import DAY, HOUR
from tokenserver.domain.catalogue import Api
from tokenserver.domain.usage import Applied, Call, Instance

NOW = 1_800_000_000
API = "api_1"


def api(organization_id):
    return Api(API, organization_id, "urn:1", "")


def call(**members):
    return Call(
        **{
            "route": "GET /x",
            "status": 200,
            "address": "192.0.2.1",
            "count": 2,
            "first_at": 10,
            "last_at": 20,
            **members,
        }
    )


def instance(process="p1", reported_at=NOW, **members):
    told = {
        "name": "api-1",
        "interval": 5.0,
        "batch": 1,
        "untold": 0,
        "has_left": False,
        "applied": (Applied(7, NOW - 1.5),),
    }
    return Instance(process=process, reported_at=float(reported_at), **{**told, **members})


class UsageConformance:
    backend: str

    def test_the_same_kind_of_call_is_summed_over_instances_and_hours(self, store, ours):
        with store.writing() as tx:
            tx.usage.add(Place(ours, API, "api-1"), 0, "tsc_a", [call(), call(first_at=5)])
            tx.usage.add(Place(ours, API, "api-2"), HOUR, "tsc_a", [call(last_at=HOUR + 3), call(status=403)])
        with store.reading() as tx:
            found = {
                total.status: (total.count, total.first_at, total.last_at) for total in tx.usage.totals(ours, "tsc_a")
            }
        assert found == {200: (6, 5, HOUR + 3), 403: (2, 10, 20)}

    def test_an_hour_is_told_apart_so_far_and_no_further(self, store, ours):
        place = Place(ours, API, "api-1")
        with store.writing() as tx:
            tx.usage.add(place, 0, "tsc_a", [call(address=str(number)) for number in range(MOST_ROWS)])
        for number in range(3):
            with store.writing() as tx:
                tx.usage.add(Place(ours, API, f"api-{number}"), 0, "tsc_a", [call(address="more", count=5)])
        with store.reading() as tx:
            totals = tx.usage.totals(ours, "tsc_a")
        assert len(totals) == MOST_ROWS + 1
        assert [total.count for total in totals if not total.address] == [15]

    def test_nobody_sees_what_is_anothers(self, store, ours, theirs):
        with store.writing() as tx:
            tx.usage.add(Place(ours, API, "api-1"), 0, "tsc_a", [call()])
            tx.usage.save_instance(ours, API, instance())
        with store.reading() as tx:
            assert not tx.usage.totals(theirs, "tsc_a")
            assert not tx.usage.instances(api(theirs), 0)
            assert tx.usage.instance(theirs, API, "p1") is None
            assert not tx.usage.apis_that_report([api(theirs)])

    def test_a_process_comes_back_as_it_was_told_last(self, store, ours):
        for told in (instance(), instance(batch=2, has_left=True)):
            with store.writing() as tx:
                tx.usage.save_instance(ours, API, told)
        with store.reading() as tx:
            assert tx.usage.instance(ours, API, "p1") == instance(batch=2, has_left=True)
            assert tx.usage.instances(api(ours), NOW + 1) == []
            assert tx.usage.count_instances(ours, API) == 1
            assert tx.usage.apis_that_report([api(ours), Api("api_2", ours, "urn:2", "")]) == {API}

    def test_what_is_old_goes_and_nothing_else(self, store, ours):
        old, young = NOW - KEPT_DAYS * DAY - 1, NOW - KEPT_DAYS * DAY
        with store.writing() as tx:
            for hour in (old, young):
                tx.usage.add(Place(ours, API, "api-1"), hour, "tsc_a", [call(count=1)])
            tx.usage.save_instance(ours, API, instance("old", NOW - REMEMBERED - 1))
            tx.usage.save_instance(ours, API, instance("young", NOW - REMEMBERED))
            tx.usage.prune(NOW)
        with store.reading() as tx:
            assert sum(total.count for total in tx.usage.totals(ours, "tsc_a")) == 1
            assert [one.process for one in tx.usage.instances(api(ours), 0)] == ["young"]


class TestSqlite(UsageConformance):
    backend = "sqlite"


@pytest.mark.postgres
class TestPostgres(UsageConformance):
    backend = "postgres"

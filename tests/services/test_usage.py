"""Is a batch counted once, whoever is faster, and a change proven with the moment at which it was recorded?"""

from __future__ import annotations

from functools import partial

import pytest

from app.services import usage as services_usage
from app.services.usage import Report, Taken
from tests.support.workshop import NOW, REPORTS, at_once, succeeded
from tokenserver.domain.usage import Call, Instance
from tokenserver.errors import Conflict

both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


def report(client_id, batch=1, process="p" * 16, count=3, at=NOW - 1, **told):
    instance = Instance("api-1", process, NOW, 5.0, batch, 0, has_left=False)
    return Report(REPORTS, instance, [(client_id, Call("GET /x", 200, "192.0.2.1", count, NOW - 2, at, **told))])


def api_id(workshop):
    apis = workshop.services.catalogue.list_apis(workshop.caller, None, 50)
    return next(api.id for api in apis if api.audience == REPORTS)


@both
def test_of_the_same_batch_sent_many_times_at_once_one_is_counted(workshop):
    client_id = workshop.credential().view.credential.client_id
    others = [workshop.beside() for _ in range(2)]
    takes = [
        partial(one.services.usage.take, one.caller, report(client_id)) for one in (workshop, *others) for _ in "ab"
    ]
    outcomes = succeeded(at_once(*takes))
    for other in others:
        other.close()
    assert outcomes.count(Taken(3, 0)) == 1
    assert outcomes.count(Taken(0, 0, repeated=True)) == len(outcomes) - 1
    assert sum(total.count for total in workshop.services.usage.of_credential(workshop.caller, client_id).totals) == 3


@both
def test_of_what_many_tell_at_once_the_latest_is_the_last_use_of_the_secret(workshop):
    made = workshop.credential()
    client_id = made.view.credential.client_id
    workshop.issue(made)
    workshop.clock.advance(20)
    places = [workshop, workshop.beside(), workshop.beside()] * 2

    def takes(batch, *moments):
        return [
            partial(
                one.services.usage.take, one.caller, report(client_id, batch, process=name * 16, generation=1, at=at)
            )
            for one, name, at in zip(places, "abcdef", moments, strict=True)
        ]

    def last_use():
        ((_, last),) = workshop.services.credentials.get(workshop.caller, client_id).history
        return last.at, last.address

    succeeded(at_once(*takes(1, NOW + 3, NOW + 9, NOW + 1, NOW + 7, NOW + 2, NOW + 5)))
    assert last_use() == (int(NOW + 9), "192.0.2.1")
    issues = [partial(one.issue, made, address="192.0.2.7") for one in places]
    succeeded(at_once(*takes(2, *[NOW + 15] * 6), *issues))
    for other in places[1:3]:
        other.close()
    assert last_use() == (int(NOW + 20), "192.0.2.7"), "a token that was fetched meanwhile is later still"


@both
def test_a_change_is_proven_with_the_moment_at_which_it_was_recorded(workshop):
    made = workshop.credential()
    workshop.clock.advance(0.5)
    view = workshop.services.credentials.disable(workshop.caller, made.view.credential.client_id)
    assert view.feed_seq is not None
    proof = workshop.services.usage.proof(workshop.caller, api_id(workshop), view.feed_seq)
    assert (proof.seq, proof.told_at) == (view.feed_seq, NOW + 0.5)


def test_processes_beyond_measure_are_refused(workshop, monkeypatch):
    monkeypatch.setattr(services_usage, "MOST_INSTANCES", 2)
    take = partial(workshop.services.usage.take, workshop.caller)
    for name in "ab":
        take(report("", process=name * 16))
    with pytest.raises(Conflict):
        take(report("", process="c" * 16))
    assert take(report("", batch=2, process="a" * 16)).counted == 3

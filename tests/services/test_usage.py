"""Is a batch counted once, whoever is faster, and a change proven with the moment at which it was recorded? And is what
was done at an API that is shared told to whose credential it is, and to nobody else?
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from app.services import usage as services_usage
from app.services.catalogue import ApiDraft, OfAnotherOrganization
from app.services.usage import Report, Taken
from tests.support.neighbours import EVERYTHING, Neighbours, client_id
from tests.support.workshop import NOW, REPORTS, SCOPES, at_once, succeeded
from tokenserver.domain.usage import Call, Instance, Needs
from tokenserver.errors import Conflict, InvalidInput, NotFound

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


# --- an API that is shared --------------------------------------------------------------------------------------------


@pytest.fixture
def three(workshop):
    made = Neighbours(workshop)
    made.share()
    return made


@both
def test_what_is_done_at_a_shared_api_is_told_to_whose_credential_it_is_and_its_processes_to_whose_api(three):
    app = three.credential(three.owner, EVERYTHING)
    three.workshop.issue(app)
    three.workshop.clock.advance(60)
    at = NOW + 50
    told = report(client_id(app), at=at, generation=1, needs=Needs(frozenset(), frozenset({"reports:read"})))
    assert three.own.usage.take(three.vendor, told) == Taken(3, 0)
    view = three.own.usage.of_credential(three.owner, client_id(app))
    assert [(one.api_id, one.count) for one in view.totals] == [(three.api().id, 3)]
    assert (view.unused, view.unused_scopes) == ([], {REPORTS: ["reports:write"]})
    ((_, last),) = three.own.credentials.get(three.owner, client_id(app)).history
    assert last.at == int(at)
    preview = three.own.previewing.preview(
        three.owner, client_id(app), lambda c: replace(c, restrictions=replace(c.restrictions, grants=()))
    )
    assert (preview.refusals.calls, preview.refusals.refused, preview.silent) == (3, 3, ())
    changed = three.own.credentials.disable(three.owner, client_id(app))
    assert changed.api_ids == (three.api().id,)
    proof = three.own.usage.proof(three.owner, three.api().id, changed.feed_seq)
    assert [one.name for one in proof.instances] == ["api-1"]
    assert proof.told_at == NOW + 60
    assert [api for api, _ in three.own.overviews.of(three.owner).instances] == [three.api()]


@both
def test_what_is_told_of_one_organization_is_seen_by_no_other(three):
    app = three.credential(three.owner, EVERYTHING)
    three.own.usage.take(three.vendor, report(client_id(app)))
    three.own.usage.take(three.vendor, report("", batch=2))
    with three.own.store.reading() as tx:
        seen = {
            who.organization_id: [
                sum(one.count for one in tx.usage.totals(who.organization_id, name)) for name in (client_id(app), "")
            ]
            for who in (three.vendor, three.owner, three.stranger)
        }
    expected = {three.vendor: [0, 3], three.owner: [3, 0], three.stranger: [0, 0]}
    assert seen == {who.organization_id: counts for who, counts in expected.items()}
    for caller in (three.vendor, three.stranger):
        with pytest.raises(NotFound):
            three.own.usage.of_credential(caller, client_id(app))


@both
def test_whose_api_it_is_tells_and_nobody_else(three):
    """Else a tenant could invent what was done at somebody else's API, by its own credentials or by others'."""
    app, other = three.credential(three.owner, EVERYTHING), three.credential(three.stranger, EVERYTHING)
    for told in (client_id(app), client_id(other), ""):
        with pytest.raises(OfAnotherOrganization):
            three.own.usage.take(three.owner, report(told))
    assert three.own.usage.proof(three.vendor, three.api().id, None).instances == []


@both
def test_where_its_own_api_is_in_force_the_shared_one_tells_nothing(three):
    three.catalogue.create_api(three.ours, ApiDraft(REPORTS, "Copy", SCOPES))
    app, other = three.credential(three.owner, EVERYTHING), three.credential(three.stranger, EVERYTHING)
    assert three.own.usage.take(three.vendor, report(client_id(app))) == Taken(0, 3)
    assert three.own.usage.take(three.vendor, report(client_id(other), batch=2)) == Taken(3, 0)
    assert three.own.usage.take(three.owner, report(client_id(app))) == Taken(3, 0)
    assert three.own.usage.take(three.owner, report(client_id(other), batch=2)) == Taken(0, 3)


def test_what_is_shared_no_more_is_told_of_its_own_organization_only(three):
    app = three.credential(three.owner, EVERYTHING)
    three.catalogue.update_api(three.vendor, three.api().id, None, lambda api: replace(api, shared=False), cascade=True)
    assert three.own.usage.take(three.vendor, report(client_id(app))) == Taken(0, 3)
    with pytest.raises(InvalidInput):
        three.own.usage.take(three.owner, report(client_id(app)))

"""Is what was shared taken away everywhere or nowhere, and told to each organization by itself?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.services.catalogue import ApiDraft, RoleDraft, StillHeld
from app.services.credentials import NewSecret
from tests.support.neighbours import EVERYTHING, READS, Neighbours, client_id
from tests.support.workshop import REPORTS, SCOPES, allowed, at_once, failed
from tokenserver.domain.catalogue import Kind, Scope
from tokenserver.domain.liveness import reference
from tokenserver.domain.names import ADMIN_AUDIENCE
from tokenserver.domain.restrictions import Access, Grant
from tokenserver.errors import InsufficientScope, InvalidInput

pytestmark = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture
def three(workshop):
    made = Neighbours(workshop)
    made.share()
    made.share_role()
    return made


@pytest.fixture
def holders(three):
    """One in each organization, and one that holds nothing of it."""
    three.credential(three.owner)
    roles = frozenset({"auditor"})
    return [three.credential(at, EVERYTHING, roles=roles) for at in (three.vendor, three.owner, three.stranger)]


def change_api(**members):
    return lambda three, cascade: three.catalogue.update_api(
        three.vendor, three.api().id, None, lambda api: replace(api, **members), cascade=cascade
    )


TAKEN = {
    "a scope goes": (change_api(scopes=SCOPES[:1]), {0, 1, 2, 3}),
    "a scope becomes sensitive": (change_api(scopes=(SCOPES[0], replace(SCOPES[1], sensitive=True))), {3}),
    "an API is shared no more": (change_api(shared=False), {1, 2, 3}),
    "an API is deleted": (
        lambda three, cascade: three.catalogue.delete_api(three.vendor, three.api().id, None, cascade=cascade),
        {0, 1, 2, 3},
    ),
    "a role is shared no more": (
        lambda three, cascade: three.catalogue.update_role(
            three.vendor, three.role().id, None, lambda role: replace(role, shared=False), cascade=cascade
        ),
        {1, 2},
    ),
    "a role is deleted": (
        lambda three, cascade: three.catalogue.delete_role(three.vendor, three.role().id, None, cascade=cascade),
        {0, 1, 2},
    ),
}


@pytest.mark.parametrize("how", TAKEN)
def test_it_is_refused_while_anybody_holds_it_and_taken_from_each_of_them_in_one_go(how, three, holders):
    take, places = TAKEN[how]
    holders.append(three.credential(three.owner, Grant(REPORTS, Access.ALL_READ_WRITE)))
    losing = {client_id(holders[place]) for place in places}
    tokens = [three.workshop.claims(three.workshop.issue(made)) for made in holders]
    seq = three.own.feed.last_seq()
    with pytest.raises(StillHeld) as held:
        take(three, cascade=False)
    assert (held.value.count, held.value.client_ids) == (len(losing), sorted(losing))
    assert three.own.feed.last_seq() == seq, "nothing happens to anybody"
    take(three, cascade=True)
    for made, claims in zip(holders, tokens, strict=True):
        has_ended = three.now_of(made).generation.floor > claims.generation
        assert has_ended == (client_id(made) in losing)
    assert [ref for ref, _ in three.workshop.statement(seq).floors] == [reference(name) for name in sorted(losing)]
    lines = [line for line in three.workshop.audit_lines("credential:updated") if line["credential"] in losing]
    assert [line["credential"] for line in lines] == sorted(losing), "in the order of client IDs"
    homes = {client_id(made): made.view.credential.organization_id for made in holders}
    assert all(line["organization"] == homes[line["credential"]] for line in lines), "each told at home"
    assert {line["actor"] for line in lines} == {three.vendor.actor}
    assert all("feed_seq" in line["detail"] for line in lines)
    assert three.own.audit_trail.verify() is None


@pytest.mark.parametrize("how", ["an API is shared no more", "an API is deleted", "a role is shared no more"])
def test_no_right_is_left_behind(how, three, holders):
    TAKEN[how][0](three, cascade=True)
    made = holders[1]
    terms = three.now_of(made).restrictions
    if "API" in how:
        assert terms.grants == ()
        with pytest.raises(InvalidInput):
            three.credential(three.owner, READS)
        assert REPORTS not in {api.audience for api in three.catalogue.list_apis(three.owner, None, 50)}
    else:
        assert terms.roles == frozenset()
        assert three.workshop.claims(three.workshop.issue(made)).roles == frozenset()
        with pytest.raises(InvalidInput):
            three.credential(three.owner, roles=frozenset({"auditor"}))


def test_where_its_own_is_in_force_nobody_loses_anything(three, holders):
    copy = three.catalogue.create_api(three.theirs, ApiDraft(REPORTS, "Copy", SCOPES))
    three.catalogue.delete_api(three.vendor, three.api().id, None, cascade=True)
    assert [three.now_of(made).generation.current for made in holders] == [2, 2, 1]
    assert three.api(at=three.stranger) == copy
    assert three.scopes(holders[2]) == {"reports:read", "reports:write"}


def test_a_role_of_another_organization_that_belonged_to_it_stays_and_means_nothing(three, holders):
    role = three.catalogue.create_role(three.owner, RoleDraft("reports:admin", "", REPORTS))
    three.catalogue.delete_api(three.vendor, three.api().id, None, cascade=True)
    assert three.catalogue.get_role(three.owner, role.id) == role
    three.catalogue.create_api(three.owner, ApiDraft("urn:else", "Else", (Scope("x:read", Kind.READ),)))
    made = three.credential(three.owner, Grant("urn:else", Access.ALL_READ), roles=frozenset({"reports:admin"}))
    assert three.workshop.claims(three.workshop.issue(made)).roles == frozenset()


def test_who_ended_holds_nothing_any_more(three, holders):
    for made in holders[1:]:
        there = replace(three.vendor, organization_id=made.view.credential.organization_id)
        three.own.credentials.revoke(there, client_id(made), "left")
    three.catalogue.update_api(three.vendor, three.api().id, None, lambda api: replace(api, shared=False))
    assert not three.api().shared


def test_the_platform_too_narrows_no_credential_that_may_do_more_than_it(three):
    """As in one's own organization: whoever touches a credential of the admin API must hold what it holds."""
    admin = Grant(ADMIN_AUDIENCE, Access.ALL_READ_WRITE)
    made = three.credential(three.ours, READS, admin, allowed_ips=allowed("192.0.2.0/24"))
    limited = replace(three.vendor, scopes=frozenset({"apis:write", "organizations:write"}))
    with pytest.raises(InsufficientScope):
        three.catalogue.delete_api(limited, three.api().id, None, cascade=True)
    assert three.now_of(made).generation.current == 1
    three.catalogue.delete_api(three.vendor, three.api().id, None, cascade=True)
    assert three.now_of(made).restrictions.grants == (admin,)


def test_nobody_is_granted_what_is_being_shared_no_more(three):
    """Either the credential comes first and is named, or it is refused; and its tokens never outlive the sharing."""
    for _ in range(4):
        made: list[NewSecret] = []

        def unshare():
            three.catalogue.update_api(three.vendor, three.api().id, None, lambda api: replace(api, shared=False))

        def grant(made=made):
            made.append(three.credential(three.owner, READS))

        (fault,) = failed(at_once(unshare, grant))
        assert type(fault) in {StillHeld, InvalidInput}
        assert bool(made) == isinstance(fault, StillHeld)
        assert three.api().shared == bool(made)
        for one in made:
            three.own.credentials.revoke(three.owner, client_id(one), "again")
        if not three.api().shared:
            three.share()

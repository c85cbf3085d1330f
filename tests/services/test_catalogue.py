"""Is nothing taken away unseen, and nothing granted that is no longer there, whoever is faster?"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from app.services.catalogue import ApiDraft, BelongsToTheServer, RoleDraft, StillHeld
from app.store.catalogue import AlreadyThere
from tests.support.workshop import NOW, REPORTS, SCOPES, at_once, failed, succeeded
from tokenserver.domain.catalogue import Kind, Scope
from tokenserver.domain.generation import Generation
from tokenserver.domain.liveness import reference
from tokenserver.domain.names import ADMIN_AUDIENCE
from tokenserver.domain.organizations import Organization
from tokenserver.domain.restrictions import Access, Grant
from tokenserver.errors import Conflict, InvalidInput, NotFound, PreconditionFailed

both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture
def catalogue(workshop):
    return workshop.services.catalogue


def api_of(workshop, audience=REPORTS):
    apis = workshop.services.catalogue.list_apis(workshop.caller, None, 50)
    return next(api for api in apis if api.audience == audience)


def role_of(workshop, name="auditor"):
    return next(role for role in workshop.services.catalogue.list_roles(workshop.caller, None, 50) if role.name == name)


def now_of(workshop, made):
    return workshop.services.credentials.get(workshop.caller, made.view.credential.client_id).credential


def described(text):
    return lambda role: replace(role, description=text)


def with_scopes(*scopes):
    return lambda api: replace(api, scopes=scopes)


def test_a_role_that_is_held_is_not_deleted_and_its_holders_are_named(workshop, catalogue):
    holders = [workshop.credential(roles=frozenset({"auditor"})) for _ in range(3)]
    workshop.credential(roles=frozenset({"cloud_admin"}))
    with pytest.raises(StillHeld) as caught:
        catalogue.delete_role(workshop.caller, role_of(workshop).id, None)
    assert caught.value.count == 3
    assert caught.value.client_ids == sorted(made.view.credential.client_id for made in holders)
    assert role_of(workshop)


@both
def test_a_cascade_over_many_tells_of_each_in_its_own_line_of_the_feed_and_of_the_audit_log(workshop, catalogue):
    made = [workshop.credential(roles=frozenset({"auditor"})) for _ in range(120)]
    catalogue.delete_role(workshop.caller, role_of(workshop).id, None, cascade=True)
    lines = workshop.audit_lines("credential:updated")
    assert [line["detail"]["feed_seq"] for line in lines] == list(range(1, 121))
    told = dict(workshop.statement().floors)
    for one in made:
        credential = now_of(workshop, one)
        assert credential.restrictions.roles == frozenset()
        assert told[reference(credential.client_id)].number == credential.generation.floor == 2
    assert workshop.services.audit_trail.verify() is None


def test_when_asked_to_cascade_it_is_taken_from_each_and_their_tokens_end(workshop, catalogue):
    made = workshop.credential(roles=frozenset({"auditor", "cloud_admin"}))
    other = workshop.credential(roles=frozenset({"cloud_admin"}))
    catalogue.delete_role(workshop.caller, role_of(workshop).id, None, cascade=True)
    assert now_of(workshop, made).restrictions.roles == {"cloud_admin"}
    assert now_of(workshop, made).generation.floor == 2
    assert now_of(workshop, other).generation.floor == 1
    assert len(workshop.statement().floors) == 1
    assert [line["event"] for line in workshop.audit_lines()][-2:] == ["credential:updated", "role:deleted"]


TAKEN = {
    "a scope that is listed": (Grant(REPORTS, Access.CUSTOM, frozenset({"reports:read"})), SCOPES[1:]),
    "a scope that all of them means": (Grant(REPORTS, Access.ALL_READ), SCOPES[1:]),
    "a scope that becomes sensitive": (
        Grant(REPORTS, Access.ALL_READ),
        (replace(SCOPES[0], sensitive=True), *SCOPES[1:]),
    ),
    "a scope that writes from now on": (
        Grant(REPORTS, Access.ALL_READ),
        (replace(SCOPES[0], access=Kind.WRITE), *SCOPES[1:]),
    ),
}
LEFT = {
    "a scope that nobody holds": (Grant(REPORTS, Access.ALL_READ), SCOPES[:1]),
    "a listed scope that becomes sensitive": (
        Grant(REPORTS, Access.CUSTOM, frozenset({"reports:read"})),
        (replace(SCOPES[0], sensitive=True), *SCOPES[1:]),
    ),
    "a new scope": (Grant(REPORTS, Access.ALL_READ), (*SCOPES, Scope("new", Kind.READ))),
}


@pytest.mark.parametrize(("grant", "scopes"), TAKEN.values(), ids=TAKEN.keys())
def test_taking_away(workshop, catalogue, grant, scopes):
    made, api = workshop.credential(grants=(grant,)), api_of(workshop)
    with pytest.raises(StillHeld):
        catalogue.update_api(workshop.caller, api.id, None, with_scopes(*scopes))
    assert api_of(workshop) == api
    catalogue.update_api(workshop.caller, api.id, None, with_scopes(*scopes), cascade=True)
    assert now_of(workshop, made).generation.floor == 2
    assert "reports:read" not in workshop.issue(made).scope.split()


@pytest.mark.parametrize(("grant", "scopes"), LEFT.values(), ids=LEFT.keys())
def test_leaving_everybody_what_they_have(workshop, catalogue, grant, scopes):
    made = workshop.credential(grants=(grant,))
    catalogue.update_api(workshop.caller, api_of(workshop).id, None, with_scopes(*scopes))
    assert now_of(workshop, made).generation.floor == 1


def test_an_api_goes_with_its_grants_when_asked_to_cascade_and_after_its_roles(workshop, catalogue):
    made, api = workshop.credential(), api_of(workshop)
    role = catalogue.create_role(workshop.caller, RoleDraft("reports:admin", "", REPORTS))
    with pytest.raises(Conflict):
        catalogue.delete_api(workshop.caller, api.id, None, cascade=True)
    catalogue.delete_role(workshop.caller, role.id, None)
    with pytest.raises(StillHeld):
        catalogue.delete_api(workshop.caller, api.id, None)
    catalogue.delete_api(workshop.caller, api.id, None, cascade=True)
    assert now_of(workshop, made).restrictions.grants == ()
    assert now_of(workshop, made).generation.floor == 2


def test_the_servers_own_api_cannot_be_changed(workshop, catalogue):
    api = api_of(workshop, ADMIN_AUDIENCE)
    for attempt in (
        lambda: catalogue.update_api(workshop.caller, api.id, None, with_scopes()),
        lambda: catalogue.delete_api(workshop.caller, api.id, None, cascade=True),
    ):
        with pytest.raises(BelongsToTheServer):
            attempt()
    with pytest.raises(AlreadyThere):
        catalogue.create_api(workshop.caller, ApiDraft(ADMIN_AUDIENCE, "mine", ()))


def test_a_stale_change_is_refused(workshop, catalogue):
    api, role = api_of(workshop), role_of(workshop)
    catalogue.update_api(workshop.caller, api.id, 1, lambda a: replace(a, name="first"))
    catalogue.update_role(workshop.caller, role.id, 1, described("first"))
    for attempt in (
        lambda: catalogue.update_api(workshop.caller, api.id, 1, lambda a: replace(a, name="second")),
        lambda: catalogue.delete_api(workshop.caller, api.id, 1),
        lambda: catalogue.update_role(workshop.caller, role.id, 1, described("second")),
        lambda: catalogue.delete_role(workshop.caller, role.id, 1),
    ):
        with pytest.raises(PreconditionFailed):
            attempt()


def test_a_role_belongs_to_an_api_that_is_there(workshop, catalogue):
    with pytest.raises(InvalidInput):
        catalogue.create_role(workshop.caller, RoleDraft("x", "", "urn:nothing"))


def test_another_organization_finds_nothing_of_ours(workshop, catalogue):
    with workshop.services.store.writing() as tx:
        tx.organizations.add(Organization("org_theirs", "Theirs", Generation(), created_at=int(NOW) + 1))
    theirs = replace(workshop.caller, organization_id="org_theirs")
    api, role = api_of(workshop), role_of(workshop)
    for attempt in (
        lambda: catalogue.get_api(theirs, api.id),
        lambda: catalogue.update_api(theirs, api.id, None, with_scopes()),
        lambda: catalogue.delete_api(theirs, api.id, None, cascade=True),
        lambda: catalogue.get_role(theirs, role.id),
        lambda: catalogue.update_role(theirs, role.id, None, described("x")),
        lambda: catalogue.delete_role(theirs, role.id, None, cascade=True),
    ):
        with pytest.raises(NotFound):
            attempt()
    assert catalogue.list_apis(theirs, None, 10) == []
    assert catalogue.list_roles(theirs, None, 10) == []
    assert (api_of(workshop), role_of(workshop)) == (api, role)


# --- races ---


@both
def test_nobody_is_given_a_role_that_is_being_deleted(workshop):
    """Either the credential comes first and is named, or the role is gone and the credential refused."""
    other = workshop.beside()
    for number in range(6):
        name = f"role_{number}"
        role = workshop.services.catalogue.create_role(workshop.caller, RoleDraft(name, "", None))
        outcomes: list[object] = at_once(
            partial(workshop.services.catalogue.delete_role, workshop.caller, role.id, None),
            partial(other.credential, roles=frozenset({name})),
        )
        assert {type(fault) for fault in failed(outcomes)} <= {StillHeld, InvalidInput}
        assert len(failed(outcomes)) == 1
        for made in succeeded(outcomes):
            if made is not None:
                assert now_of(workshop, made).restrictions.roles <= {r.name for r in _roles(workshop)}
    other.close()


def _roles(workshop):
    return workshop.services.catalogue.list_roles(workshop.caller, None, 50)


@both
def test_changes_that_touch_the_same_things_in_another_order_do_not_stop_each_other(workshop):
    """A cascade over many credentials beside changes of each and of the catalogue: nobody is told to come back."""
    other = workshop.beside()
    made = [workshop.credential(roles=frozenset({"auditor"})) for _ in range(6)]

    def cascade():
        workshop.services.catalogue.delete_role(workshop.caller, role_of(workshop).id, None, cascade=True)

    def regenerate():
        for one in reversed(made):
            other.services.credentials.regenerate(other.caller, one.view.credential.client_id)

    def change_the_api():
        for number in range(6):
            other.services.catalogue.update_api(
                other.caller, api_of(other).id, None, lambda api, n=number: replace(api, name=f"Reports {n}")
            )

    def make_roles():
        for number in range(6):
            workshop.services.catalogue.create_role(workshop.caller, RoleDraft(f"new_{number}", "", None))

    assert failed(at_once(cascade, regenerate, change_the_api, make_roles)) == []
    assert all(now_of(workshop, one).restrictions.roles == frozenset() for one in made)
    assert [row.seq for row in _feed(workshop)] == list(range(1, 13))
    assert workshop.services.audit_trail.verify() is None
    other.close()


def _feed(workshop):
    with workshop.services.store.reading() as tx:
        return tx.feed.since(0)


# --- who holds it ---


@both
def test_the_holders_of_a_role_and_of_an_api_are_those_that_have_not_ended(workshop, catalogue):
    made = [workshop.credential(roles=frozenset({"auditor"})) for _ in range(3)]
    workshop.credential(roles=frozenset({"cloud_admin"}), grants=())
    revoked = made.pop().view.credential.client_id
    workshop.services.credentials.revoke(workshop.caller, revoked, "left", None)
    expected = sorted(one.view.credential.client_id for one in made)
    held = catalogue.holders_of_role(workshop.caller, role_of(workshop).id)
    granted = catalogue.holders_of_api(workshop.caller, api_of(workshop).id)
    assert [credential.client_id for credential in held] == expected
    assert [credential.client_id for credential in granted] == expected


def test_what_is_not_there_has_no_holders(workshop, catalogue):
    with pytest.raises(NotFound):
        catalogue.holders_of_role(workshop.caller, "role_0000000000000000")
    with pytest.raises(NotFound):
        catalogue.holders_of_api(replace(workshop.caller, organization_id="org_x"), api_of(workshop).id)

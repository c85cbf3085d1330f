"""Is what one organization shares everybody's to hold, and nobody's to change but the platform's?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.services.catalogue import ApiDraft, BelongsToTheServer, OfAnotherOrganization, RoleDraft, StillHeld
from app.store.catalogue import AlreadyThere
from tests.support.neighbours import EVERYTHING, READS, Neighbours, client_id
from tests.support.workshop import REPORTS, SCOPES
from tokenserver.domain.catalogue import Kind, Scope
from tokenserver.domain.names import ADMIN_AUDIENCE
from tokenserver.domain.operators import Membership, OperatorRole
from tokenserver.domain.restrictions import Access, Grant
from tokenserver.errors import Conflict, InsufficientScope, InvalidInput, NotFound

pytestmark = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture
def three(workshop):
    return Neighbours(workshop)


def renamed(one):
    return replace(one, name="Other") if hasattr(one, "scopes") else replace(one, description="other")


def unshared(one):
    return replace(one, shared=False)


# --- everybody's to hold ----------------------------------------------------------------------------------------------


def test_what_is_shared_is_read_listed_and_granted_in_every_organization(three):
    with pytest.raises(InvalidInput):
        three.credential(three.owner, READS, roles=frozenset({"auditor"}))
    api, role = three.share(), three.share_role()
    assert three.catalogue.get_api(three.owner, api.id) == api
    assert three.catalogue.get_role(three.owner, role.id) == role
    made = three.credential(three.owner, Grant(REPORTS, Access.ALL_READ), roles=frozenset({"auditor"}))
    claims = three.workshop.claims(three.workshop.issue(made))
    assert (claims.audience, claims.scopes, claims.roles) == ((REPORTS,), {"reports:read"}, {"auditor"})
    assert claims.organization == three.owner.organization_id


def test_bounds_of_operators_may_name_what_is_shared(three):
    three.share()
    three.share_role()
    bounds = Membership("", OperatorRole.MEMBER, frozenset({"auditor"}), (READS,))
    three.own.operators.add(three.owner, "ada@example.com", "Ada", bounds, platform_admin=False)
    three.catalogue.create_role(three.owner, RoleDraft("reports:admin", "", REPORTS))


def test_a_change_of_what_is_shared_reaches_the_next_token_everywhere(three):
    three.share()
    made = three.credential(three.owner, Grant(REPORTS, Access.ALL_READ))
    assert three.scopes(made) == {"reports:read"}
    more = (*SCOPES, Scope("new:read", Kind.READ))
    three.catalogue.update_api(three.vendor, three.api().id, None, lambda api: replace(api, scopes=more))
    assert three.scopes(made) == {"reports:read", "new:read"}


def test_a_shared_role_of_one_api_is_in_tokens_for_that_api_only(three):
    for audience, name in (("urn:vault", "Vault"), ("urn:files", "Files")):
        three.catalogue.create_api(three.vendor, ApiDraft(audience, name, (Scope("k:read", Kind.READ),), shared=True))
    three.catalogue.create_role(three.vendor, RoleDraft("keeper", "", "urn:vault", shared=True))
    grants = (Grant("urn:vault", Access.ALL_READ), Grant("urn:files", Access.ALL_READ))
    made = three.credential(three.owner, *grants, roles=frozenset({"keeper"}))
    held = [three.workshop.claims(three.workshop.issue(made, resource=g.audience)).roles for g in grants]
    assert held == [{"keeper"}, frozenset()]


# --- its own wins -----------------------------------------------------------------------------------------------------


def test_an_organization_goes_on_with_its_own_and_falls_back_to_the_shared_one(three):
    """A copy of before: what it has of scopes that the shared one has not is taken away when it goes, and no more."""
    mine = (SCOPES[0], Scope("mine:read", Kind.READ))
    copy = three.catalogue.create_api(three.ours, ApiDraft(REPORTS, "Copy", mine))
    copied = three.catalogue.create_role(three.ours, RoleDraft("auditor", "copy", None))
    plain = three.credential(three.owner, READS, roles=frozenset({"auditor"}))
    special = three.credential(three.owner, Grant(REPORTS, Access.CUSTOM, frozenset({"mine:read", "reports:read"})))
    shared, shared_role = three.share(), three.share_role()
    assert (three.api(at=three.owner), three.role(at=three.owner)) == (copy, copied)
    for hidden in (
        lambda: three.catalogue.get_api(three.owner, shared.id),
        lambda: three.catalogue.get_role(three.owner, shared_role.id),
    ):
        with pytest.raises(NotFound):
            hidden()
    assert three.scopes(special) == {"mine:read", "reports:read"}
    three.catalogue.delete_role(three.owner, copied.id, None)
    with pytest.raises(StillHeld) as held:
        three.catalogue.delete_api(three.owner, copy.id, None)
    assert held.value.client_ids == [client_id(special)]
    three.catalogue.delete_api(three.owner, copy.id, None, cascade=True)
    assert (three.api(at=three.owner), three.role(at=three.owner)) == (shared, shared_role)
    assert (three.now_of(plain).generation.current, three.now_of(special).generation.current) == (1, 2)
    assert three.now_of(special).restrictions.grants == (READS,)
    assert three.scopes(plain) == three.scopes(special) == {"reports:read"}


def test_an_own_role_that_gives_way_to_one_of_a_single_api_ends_what_is_out(three):
    three.catalogue.create_api(three.vendor, ApiDraft("urn:vault", "Vault", (Scope("k:read", Kind.READ),), shared=True))
    mine = three.catalogue.create_role(three.owner, RoleDraft("keeper", "", None))
    made = three.credential(three.owner, Grant("urn:vault", Access.ALL_READ), roles=frozenset({"keeper"}))
    three.catalogue.create_role(three.vendor, RoleDraft("keeper", "", "urn:vault", shared=True))
    with pytest.raises(StillHeld):
        three.catalogue.delete_role(three.owner, mine.id, None)
    three.catalogue.delete_role(three.owner, mine.id, None, cascade=True)
    assert three.now_of(made).restrictions.roles == {"keeper"}
    assert three.now_of(made).generation.current == 2


def test_an_own_one_that_stands_for_a_shared_one_takes_away_what_it_does_not_have(three):
    three.share()
    made = three.credential(three.owner, EVERYTHING)
    other = three.credential(three.stranger, EVERYTHING)
    draft = ApiDraft(REPORTS, "Less", SCOPES[:1])
    with pytest.raises(OfAnotherOrganization):
        three.catalogue.create_api(three.owner, draft, cascade=True)
    with pytest.raises(StillHeld) as held:
        three.catalogue.create_api(three.ours, draft)
    assert held.value.client_ids == [client_id(made)]
    three.catalogue.create_api(three.ours, draft, cascade=True)
    assert (three.scopes(made), three.scopes(other)) == ({"reports:read"}, {"reports:read", "reports:write"})
    assert three.now_of(made).generation.current == 2
    assert three.now_of(other).generation.current == 1


def test_a_role_by_the_name_of_a_shared_one_is_there_already(three):
    three.share_role()
    for caller in (three.owner, three.ours):
        with pytest.raises(AlreadyThere):
            three.catalogue.create_role(caller, RoleDraft("auditor", "", None))


# --- nobody's to change but the platform's ----------------------------------------------------------------------------


def test_only_platform_admins_share_and_change_what_is_shared(three):
    api, role = three.api(), three.role()
    owner = three.vendor_owner
    attempts = (
        lambda: three.catalogue.create_api(owner, ApiDraft("urn:new", "New", (), shared=True)),
        lambda: three.catalogue.create_role(owner, RoleDraft("new", "", None, shared=True)),
        lambda: three.catalogue.update_api(owner, api.id, None, lambda one: replace(one, shared=not one.shared)),
        lambda: three.catalogue.update_role(owner, role.id, None, lambda one: replace(one, shared=not one.shared)),
    )
    after = (
        lambda: three.catalogue.update_api(owner, api.id, None, renamed),
        lambda: three.catalogue.update_api(owner, api.id, None, lambda one: replace(one, scopes=())),
        lambda: three.catalogue.update_role(owner, role.id, None, renamed),
        lambda: three.catalogue.delete_api(owner, api.id, None, cascade=True),
        lambda: three.catalogue.delete_role(owner, role.id, None, cascade=True),
    )
    for attempt in attempts:
        with pytest.raises(InsufficientScope):
            attempt()
    three.share()
    three.share_role()
    for attempt in (*attempts, *after):
        with pytest.raises(InsufficientScope):
            attempt()
    assert (three.api().version, three.role().version) == (2, 2)


def test_another_organization_changes_nothing_of_what_is_shared_with_it_not_even_by_the_platform(three):
    api, role = three.share(), three.share_role()
    for caller in (three.owner, three.ours):
        for attempt in (
            lambda at: three.catalogue.update_api(at, api.id, None, renamed),
            lambda at: three.catalogue.update_api(at, api.id, None, unshared, cascade=True),
            lambda at: three.catalogue.delete_api(at, api.id, None, cascade=True),
            lambda at: three.catalogue.update_role(at, role.id, None, renamed),
            lambda at: three.catalogue.delete_role(at, role.id, None, cascade=True),
        ):
            with pytest.raises(OfAnotherOrganization):
                attempt(caller)
    assert (three.api(), three.role()) == (api, role)


def test_what_cannot_be_shared_is_refused(three):
    with pytest.raises(BelongsToTheServer):
        three.share(ADMIN_AUDIENCE)
    with pytest.raises(AlreadyThere):
        three.catalogue.create_api(three.vendor, ApiDraft(ADMIN_AUDIENCE, "mine", ()))
    bound = three.catalogue.create_role(three.vendor, RoleDraft("reports:admin", "", REPORTS))
    with pytest.raises(InvalidInput):
        three.share_role(bound.name)
    with pytest.raises(InvalidInput):
        three.catalogue.create_role(three.vendor, RoleDraft("reports:other", "", REPORTS, shared=True))
    three.catalogue.create_api(three.ours, ApiDraft(REPORTS, "Copy", ()))
    three.catalogue.create_role(three.ours, RoleDraft("auditor", "", None))
    three.share()
    three.share_role()
    with pytest.raises(AlreadyThere):
        three.catalogue.update_api(three.ours, three.api(at=three.ours).id, None, lambda api: replace(api, shared=True))
    with pytest.raises(AlreadyThere):
        three.catalogue.update_role(three.ours, three.role(at=three.ours).id, None, lambda r: replace(r, shared=True))


def test_an_api_is_shared_as_long_as_a_shared_role_belongs_to_it(three):
    three.share()
    role = three.catalogue.create_role(three.vendor, RoleDraft("reports:admin", "", REPORTS, shared=True))
    for attempt in (
        lambda: three.catalogue.update_api(three.vendor, three.api().id, None, unshared),
        lambda: three.catalogue.delete_api(three.vendor, three.api().id, None, cascade=True),
    ):
        with pytest.raises(Conflict, match="shared"):
            attempt()
    three.catalogue.update_role(three.vendor, role.id, None, unshared)
    assert not three.catalogue.update_api(three.vendor, three.api().id, None, unshared).shared


# --- nobody's to see through ------------------------------------------------------------------------------------------


def test_who_holds_it_elsewhere_is_told_to_platform_admins_where_it_belongs(three):
    api, role = three.share(), three.share_role()
    made = [
        three.credential(at, READS, roles=frozenset({"auditor"})) for at in (three.vendor, three.owner, three.stranger)
    ]
    everybody = sorted(map(client_id, made))
    sees = {
        "the platform, where it belongs": (three.vendor, everybody),
        "its organization": (three.vendor_owner, [client_id(made[0])]),
        "another": (three.owner, [client_id(made[1])]),
        "the platform, elsewhere": (three.theirs, [client_id(made[2])]),
    }
    for who, (caller, expected) in sees.items():
        holders = three.catalogue.holders_of_api(caller, api.id), three.catalogue.holders_of_role(caller, role.id)
        assert [[one.client_id for one in found] for found in holders] == [expected, expected], who
        gains = three.catalogue.preview_api(caller, api.id, lambda one: replace(one, scopes=()))
        assert [one.credential.client_id for one in gains] == expected, who


def test_unsharing_is_previewed_for_those_who_would_lose_by_it(three):
    three.share()
    kept = three.credential(three.vendor, READS)
    lost = three.credential(three.owner, READS)
    (gain,) = three.catalogue.preview_api(three.vendor, three.api().id, unshared)
    assert (gain.credential.client_id, gain.loses, gain.gains) == (client_id(lost), {"reports:read"}, frozenset())
    assert client_id(kept) != client_id(lost)


def test_a_token_for_a_shared_api_is_explained_to_its_own_organization_and_to_no_other(three):
    three.share()
    made = three.credential(three.owner, READS)
    token = three.workshop.issue(made).access_token
    own = three.own.explaining.explain(three.owner, token, scopes=["reports:read"], audience=REPORTS)
    assert own.claims is not None
    assert own.good
    for caller in (three.vendor, three.stranger):
        assert three.own.explaining.explain(caller, token, audience=REPORTS).claims is None
    three.catalogue.update_api(three.vendor, three.api().id, None, unshared, cascade=True)
    told = three.own.explaining.explain(three.owner, token, audience=REPORTS)
    assert not told.good
    assert "the credential was narrowed" in repr(told)

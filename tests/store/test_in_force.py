"""Does an organization have its own APIs and roles and those that are shared, and of two by one name its own?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.store.catalogue import AlreadyThere
from tokenserver.domain.catalogue import Api, Kind, Role, Scope
from tokenserver.domain.generation import Generation
from tokenserver.domain.organizations import Organization

ORGANIZATIONS = [f"org_in_force_{letter}" for letter in "abc"]
NAMES = ["urn:x", "urn:y", "urn:z"]
Entry = Api | Role


class ForgetIt(Exception):
    """Takes back what an example has written."""


@st.composite
def catalogues(draw):
    """At most one of a name in each organization, and one that is shared."""
    kind = draw(st.sampled_from(["api", "role"]))
    found: list[Entry] = []
    for number, (name, owner) in enumerate((name, owner) for name in NAMES for owner in ORGANIZATIONS):
        if not draw(st.booleans()):
            continue
        shared = draw(st.booleans()) and not any(_name(one) == name and one.shared for one in found)
        created_at = draw(st.integers(1, 3))
        made: Entry = (
            Api(f"api_{number}", owner, name, name, (Scope(f"s{number}", Kind.READ),), created_at, shared=shared)
            if kind == "api"
            else Role(
                f"role_{number}", owner, name, "", draw(st.sampled_from([None, *NAMES])), created_at, shared=shared
            )
        )
        found.append(made)
    return found


def _name(one):
    return one.audience if isinstance(one, Api) else one.name


def in_force_by_hand(entries, organization_id):
    """The naive model: what others share, then one's own over it."""
    found = {_name(one): one for one in entries if one.shared}
    found.update({_name(one): one for one in entries if one.organization_id == organization_id})
    return found


class InForceConformance:
    backend: str

    @pytest.fixture(autouse=True)
    def organizations(self, store):
        with store.writing() as tx:
            for organization_id in ORGANIZATIONS:
                tx.organizations.add(Organization(organization_id, organization_id, Generation()))

    @given(catalogues())
    @settings(
        max_examples=40,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    def test_it_is_what_a_naive_model_says(self, store, entries):
        with pytest.raises(ForgetIt), store.writing() as tx:
            self._compare(tx, entries)
            raise ForgetIt

    def _compare(self, tx, entries):
        are_apis = all(isinstance(one, Api) for one in entries)
        for one in entries:
            (tx.catalogue.add_api if are_apis else tx.catalogue.add_role)(one)
        for organization_id in ORGANIZATIONS:
            expected = in_force_by_hand(entries, organization_id)
            ordered = sorted(expected.values(), key=lambda one: (one.created_at, one.id))
            if are_apis:
                assert tx.catalogue.of(organization_id) == expected
                list_page, read = tx.catalogue.list_apis, tx.catalogue.api
            else:
                assert tx.catalogue.role_names(organization_id) == set(expected)
                list_page, read = tx.catalogue.list_roles, tx.catalogue.role
            assert list_page(organization_id, None, 50) == ordered
            pages = [list_page(organization_id, (one.created_at, one.id), 2) for one in ordered]
            assert pages == [ordered[place + 1 : place + 3] for place in range(len(ordered))]
            for one in entries:
                assert read(organization_id, one.id) == (one if one in ordered else None)
        for one in entries:
            if isinstance(one, Api):
                having = {name for name in ORGANIZATIONS if one in in_force_by_hand(entries, name).values()}
                assert tx.catalogue.having(one, ORGANIZATIONS) == having
                assert tx.catalogue.having(one, ORGANIZATIONS[:1]) == having & set(ORGANIZATIONS[:1])

    def test_of_one_name_one_is_shared_whoever_asks(self, store):
        ours, theirs, _ = ORGANIZATIONS
        with store.writing() as tx:
            tx.catalogue.add_api(Api("api_1", ours, "urn:x", "", shared=True))
            tx.catalogue.add_role(Role("role_1", ours, "x", shared=True))
            with pytest.raises(AlreadyThere):
                tx.catalogue.add_api(Api("api_2", theirs, "urn:x", "", shared=True))
            with pytest.raises(AlreadyThere):
                tx.catalogue.add_role(Role("role_2", theirs, "x", shared=True))

    def test_what_becomes_shared_or_is_shared_no_more_is_another_version_of_the_catalogue(self, store):
        """By which every process knows that what it remembers is over."""
        api, role = Api("api_1", ORGANIZATIONS[0], "urn:x", ""), Role("role_1", ORGANIZATIONS[0], "x")
        shared_api, shared_role = replace(api, shared=True, version=2), replace(role, shared=True, version=2)
        versions = []
        for change in (
            lambda tx: tx.catalogue.add_api(api),
            lambda tx: tx.catalogue.add_role(role),
            lambda tx: tx.catalogue.save_api(shared_api, was=api),
            lambda tx: tx.catalogue.save_role(shared_role, was=role),
            lambda tx: tx.catalogue.save_api(replace(api, version=3), was=shared_api),
            lambda tx: tx.catalogue.save_role(replace(role, version=3), was=shared_role),
        ):
            with store.writing() as tx:
                change(tx)
                versions.append(tx.catalogue.version())
        assert len(set(versions)) == 6


class TestSqlite(InForceConformance):
    backend = "sqlite"


@pytest.mark.postgres
class TestPostgres(InForceConformance):
    backend = "postgres"

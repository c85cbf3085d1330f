"""Are APIs and roles remembered exactly, changed by one at a time, and seen by their own organization only?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.store.catalogue import AlreadyThere
from tests.support.workshop import SCOPES, at_once, failed, succeeded
from tokenserver.domain.catalogue import Api, Kind, Role, Scope
from tokenserver.errors import PreconditionFailed

AUDIENCE = "https://api.example.com"


@pytest.fixture
def api(store, ours):
    made = Api("api_1", ours, AUDIENCE, "Example", SCOPES, 100)
    with store.writing() as tx:
        tx.catalogue.add_api(made)
    return made


@pytest.fixture
def role(store, ours):
    made = Role("role_1", ours, "auditor", "reads", AUDIENCE, 100)
    with store.writing() as tx:
        tx.catalogue.add_role(made)
    return made


def version(store):
    with store.reading() as tx:
        return tx.catalogue.version()


class CatalogueConformance:
    backend: str

    def test_an_api_comes_back_as_it_was_with_its_scopes_in_order(self, store, ours, api):
        with store.reading() as tx:
            assert tx.catalogue.api(ours, "api_1") == api
            assert tx.catalogue.of(ours)[AUDIENCE] == api

    def test_a_role_comes_back_as_it_was(self, store, ours, role):
        with store.reading() as tx:
            assert tx.catalogue.role(ours, "role_1") == role
            assert tx.catalogue.role_names(ours) == {"auditor"}
            assert tx.catalogue.roles_of_api(ours, AUDIENCE) == 1

    def test_scopes_that_are_replaced_are_replaced_whole(self, store, ours, api):
        scopes = (Scope("people:read", Kind.READ), Scope("new", Kind.WRITE, description="n"), SCOPES[0])
        after = replace(api, name="New", scopes=scopes, version=2)
        with store.writing() as tx:
            tx.catalogue.save_api(after, was=api)
            assert tx.catalogue.of(ours)[AUDIENCE].scopes == scopes
        with store.reading() as tx:
            assert tx.catalogue.api(ours, "api_1") == after

    def test_the_version_is_another_after_every_change_of_an_api(self, store, api):
        """What was resolved against the catalogue is remembered by it."""
        first = version(store)
        with store.writing() as tx:
            tx.catalogue.save_api(replace(api, scopes=(), version=2), was=api)
        second = version(store)
        with store.writing() as tx:
            tx.catalogue.delete_api(api)
        third = version(store)
        with pytest.raises(KeyError), store.writing() as tx:
            tx.catalogue.add_api(api)
            raise KeyError
        assert len({first, second, third}) == 3
        assert version(store) == third

    def test_the_second_of_two_racing_saves_loses(self, store, ours, api, role):
        def rename(name):
            def run():
                with store.writing() as tx:
                    tx.catalogue.save_api(replace(api, name=name, scopes=(), version=2), was=api)
                    tx.catalogue.save_role(replace(role, description=name, version=2), was=role)
                return name

            return run

        outcomes = at_once(*map(rename, "abcd"))
        (winner,) = succeeded(outcomes)
        assert {type(fault) for fault in failed(outcomes)} == {PreconditionFailed}
        with store.reading() as tx:
            assert tx.catalogue.api(ours, "api_1").name == winner
            assert tx.catalogue.role(ours, "role_1").description == winner

    def test_a_name_is_taken_once_in_an_organization_and_the_transaction_goes_on(self, store, ours, api, role):
        with store.writing() as tx:
            with pytest.raises(AlreadyThere):
                tx.catalogue.add_api(replace(api, id="api_2"))
            with pytest.raises(AlreadyThere):
                tx.catalogue.add_role(replace(role, id="role_2"))
            tx.catalogue.add_role(replace(role, id="role_3", name="other"))
        with store.reading() as tx:
            assert tx.catalogue.role_names(ours) == {"auditor", "other"}

    def test_two_who_take_the_same_name_at_once_do_not_both_get_it(self, workshop, store, ours):
        other = workshop.beside().services.store

        def add(place, role_id):
            def run():
                with place.writing() as tx:
                    tx.catalogue.add_role(Role(role_id, ours, "auditor"))

            return run

        outcomes = at_once(add(store, "role_1"), add(other, "role_2"))
        assert [type(fault) for fault in failed(outcomes)] == [AlreadyThere]

    def test_another_organization_may_take_the_same_name(self, store, theirs, api, role):
        with store.writing() as tx:
            tx.catalogue.add_api(replace(api, id="api_2", organization_id=theirs))
            tx.catalogue.add_role(replace(role, id="role_2", organization_id=theirs))

    def test_another_organization_neither_finds_nor_changes_what_is_ours(self, store, ours, theirs, api, role):
        with store.reading() as tx:
            assert tx.catalogue.of(theirs) == {}
            assert tx.catalogue.api(theirs, "api_1") is None
            assert tx.catalogue.list_apis(theirs, None, 10) == []
            assert tx.catalogue.role(theirs, "role_1") is None
            assert tx.catalogue.list_roles(theirs, None, 10) == []
            assert tx.catalogue.role_names(theirs) == frozenset()
            assert tx.catalogue.roles_of_api(theirs, AUDIENCE) == 0
        stolen_api, stolen_role = replace(api, organization_id=theirs), replace(role, organization_id=theirs)
        with pytest.raises(PreconditionFailed), store.writing() as tx:
            tx.catalogue.save_api(replace(stolen_api, name="mine", version=2), was=stolen_api)
        with pytest.raises(PreconditionFailed), store.writing() as tx:
            tx.catalogue.save_role(replace(stolen_role, description="mine", version=2), was=stolen_role)
        with store.writing() as tx:
            tx.catalogue.delete_api(stolen_api)
            tx.catalogue.delete_role(stolen_role)
        with store.reading() as tx:
            assert tx.catalogue.api(ours, "api_1") == api
            assert tx.catalogue.role(ours, "role_1") == role

    def test_what_is_deleted_is_gone_with_its_scopes_and_its_name_is_free(self, store, ours, api, role):
        with store.writing() as tx:
            tx.catalogue.delete_api(api)
            tx.catalogue.delete_role(role)
        with store.writing() as tx:
            assert tx.catalogue.api(ours, "api_1") is None
            assert tx.catalogue.role(ours, "role_1") is None
            tx.catalogue.add_api(api)
            tx.catalogue.add_role(role)

    def test_lists_go_on_after_the_last_one_seen(self, store, ours):
        apis = [Api(f"api_{n}", ours, f"urn:{n}", str(n), (), 100 + n // 3) for n in range(8)]
        roles = [Role(f"role_{n}", ours, str(n), created_at=100 + n // 3) for n in range(8)]
        with store.writing() as tx:
            for api, role in zip(apis, roles, strict=True):
                tx.catalogue.add_api(api)
                tx.catalogue.add_role(role)
        with store.reading() as tx:
            pages = [tx.catalogue.list_apis(ours, (api.created_at, api.id), 2) for api in apis]
            of_these = [[api for api in page if api in apis] for page in pages]  # the server's own is the youngest
            assert of_these == [apis[n + 1 : n + 3] for n in range(8)]
            assert [tx.catalogue.list_roles(ours, (role.created_at, role.id), 2) for role in roles] == [
                roles[n + 1 : n + 3] for n in range(8)
            ]


class TestSQLite(CatalogueConformance):
    backend = "sqlite"


@pytest.mark.postgres
class TestPostgres(CatalogueConformance):
    backend = "postgres"

"""Are organizations, operators and facts about the installation remembered?"""

from __future__ import annotations

import pytest

from tests.store.conftest import STRANGER
from tokenserver.domain.generation import Generation
from tokenserver.domain.grant import Organization
from tokenserver.domain.operators import Membership, Operator, OperatorRole


class OrganizationConformance:
    backend: str

    def test_an_organization_comes_back_with_its_generation(self, store):
        made = Organization("org_x", "X", Generation(9, 5, 7, 1_800_000_000))
        with store.writing() as tx:
            tx.organizations.add(made, 5)
        with store.reading() as tx:
            assert tx.organizations.get("org_x") == made
            assert tx.organizations.get("org_y") is None

    def test_the_first_organization_is_the_oldest(self, store, ours, theirs):
        with store.reading() as tx:
            assert tx.organizations.first().id == theirs == STRANGER
            assert {organization.id for organization in tx.organizations.all()} == {ours, theirs}

    def test_a_generation_is_saved_for_one_organization_only(self, store, ours, theirs):
        with store.writing() as tx:
            tx.organizations.save_generation(Organization(ours, "", Generation(3, 2, 3, 100)))
        with store.reading() as tx:
            assert tx.organizations.get(ours).generation == Generation(3, 2, 3, 100)
            assert tx.organizations.get(theirs).generation == Generation()

    def test_an_operator_belongs_to_one_organization(self, store, ours, theirs):
        with store.writing() as tx:
            tx.organizations.add_operator(Operator("op_2", "second@example.com"), 2)
            tx.organizations.add_member(ours, Membership("op_2", OperatorRole.ADMIN), 2)
            tx.organizations.add_operator(Operator("op_1", "first@example.com"), 1)
            tx.organizations.add_member(ours, Membership("op_1", OperatorRole.OWNER), 1)
        with store.reading() as tx:
            assert tx.organizations.operator_email(ours) == "first@example.com"
            assert tx.organizations.operator_email(theirs) is None

    def test_a_fact_is_what_it_was_last_said_to_be(self, store):
        with store.writing() as tx:
            assert tx.organizations.fact("colour") is None
            tx.organizations.set_fact("colour", "red")
        with store.writing() as tx:
            tx.organizations.set_fact("colour", "blue")
        with store.reading() as tx:
            assert tx.organizations.fact("colour") == "blue"


class TestSQLite(OrganizationConformance):
    backend = "sqlite"


@pytest.mark.postgres
class TestPostgres(OrganizationConformance):
    backend = "postgres"

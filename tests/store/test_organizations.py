"""Are organizations, projects, operators and facts about the installation remembered?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.store.conftest import STRANGER
from tokenserver.domain.generation import Generation
from tokenserver.domain.operators import NO_RIGHTS, PERMISSIONS, Membership, Operator, OperatorRole, Rights
from tokenserver.domain.organizations import Organization, Policy, Project
from tokenserver.domain.restrictions import Access, Grant
from tokenserver.errors import Conflict, PreconditionFailed

ADA = Operator("op_ada", "ada@example.com", "Ada", created_at=1)
BOB = Operator("op_bob", "bob@example.com", created_at=2)


class OrganizationConformance:
    backend: str

    def test_an_organization_comes_back_as_it_was(self, store):
        made = Organization("org_x", "X", Generation(9, 5, 7, 1_800_000_000), 6, Policy(10, 90, True), 5, 3)
        with store.writing() as tx:
            tx.organizations.add(made)
        with store.reading() as tx:
            assert tx.organizations.get("org_x") == made
            assert tx.organizations.get("org_y") is None

    def test_the_first_organization_is_the_oldest(self, store, ours, theirs):
        with store.reading() as tx:
            assert tx.organizations.first().id == theirs == STRANGER
            assert {organization.id for organization in tx.organizations.all()} == {ours, theirs}

    def test_a_change_is_saved_for_one_organization_only_and_for_whoever_was_first(self, store, ours, theirs):
        with store.writing() as tx:
            before = tx.organizations.get(ours)
            tx.organizations.save(before.suspended(100), was=before)
        with pytest.raises(PreconditionFailed), store.writing() as tx:
            tx.organizations.save(before.everything_ended(100), was=before)
        with store.reading() as tx:
            assert tx.organizations.get(ours) == before.suspended(100)
            assert tx.organizations.get(theirs).generation == Generation()

    def test_pages_of_organizations_follow_each_other_oldest_first(self, store, ours, theirs):
        with store.writing() as tx:
            for name in "ab":
                tx.organizations.add(Organization(f"org_{name}", name, Generation(), created_at=4_000_000_000))
        with store.reading() as tx:
            first = tx.organizations.page(None, 3)
            assert [o.id for o in first] == [theirs, ours, "org_a"]
            place = first[-1].created_at, first[-1].id
            assert [o.id for o in tx.organizations.page(place, 3)] == ["org_b"]

    def test_some_are_found_by_id_and_none_where_nothing_is_asked(self, store, ours, theirs):
        with store.reading() as tx:
            assert {one.id for one in tx.organizations.some({ours, "org_nowhere"})} == {ours}
            assert {one.id for one in tx.organizations.some([ours, theirs])} == {ours, theirs}
            assert tx.organizations.some([]) == []

    def test_a_project_is_of_one_organization(self, store, ours, theirs):
        made = Project("prj_1", ours, "billing", "Invoices", 7)
        with store.writing() as tx:
            tx.organizations.add_project(made)
            tx.organizations.add_project(replace(made, id="prj_2", organization_id=theirs))
        with pytest.raises(Conflict), store.writing() as tx:
            tx.organizations.add_project(replace(made, id="prj_3"))
        after = replace(made, description="", version=2)
        with store.writing() as tx:
            assert tx.organizations.project(theirs, "prj_1") is None
            tx.organizations.save_project(after, was=made)
        with pytest.raises(PreconditionFailed), store.writing() as tx:
            tx.organizations.save_project(after, was=made)
        with store.writing() as tx:
            assert tx.organizations.projects(ours, None, 10) == [after]
            assert tx.organizations.has_project(ours, "billing")
            tx.organizations.delete_project(after)
            assert not tx.organizations.has_project(ours, "billing")
            assert tx.organizations.has_project(theirs, "billing")

    def test_an_operator_is_what_the_membership_of_each_organization_says(self, store, ours, theirs):
        bound = Membership("op_ada", OperatorRole.MEMBER, frozenset({"auditor"}), (Grant("urn:a", Access.ALL_READ),), 3)
        with store.writing() as tx:
            tx.operators.add(ADA)
            tx.operators.add_member(ours, Membership("op_ada", OperatorRole.OWNER, created_at=2))
            tx.operators.add_member(theirs, bound)
        with store.reading() as tx:
            assert tx.operators.by_email("ada@example.com") == ADA
            assert tx.operators.member(theirs, "op_ada") == (ADA, bound)
            assert tx.operators.rights(ours, "op_ada") == Rights(PERMISSIONS[OperatorRole.OWNER])
            assert tx.operators.rights(theirs, "op_ada").roles == {"auditor"}
            assert tx.operators.rights("org_nowhere", "op_ada") == NO_RIGHTS == tx.operators.rights(ours, "op_nobody")
            assert (tx.operators.owners(ours), tx.operators.owners(theirs)) == (1, 0)

    def test_members_are_listed_by_how_long_they_have_been_there(self, store, ours, theirs):
        with store.writing() as tx:
            for person in (ADA, BOB):
                tx.operators.add(person)
            tx.operators.add_member(ours, Membership("op_bob", OperatorRole.ADMIN, created_at=1))
            tx.operators.add_member(ours, Membership("op_ada", OperatorRole.OWNER, created_at=2))
        with store.reading() as tx:
            assert [person for person, _ in tx.operators.page(ours, None, 10)] == [BOB, ADA]
            assert [person for person, _ in tx.operators.page(ours, (1, "op_bob"), 10)] == [ADA]
            assert tx.operators.first(ours).email == "bob@example.com"
            assert tx.operators.first(theirs) is None

    def test_a_person_who_is_a_member_nowhere_is_forgotten_unless_a_platform_admin(self, store, ours, theirs):
        with store.writing() as tx:
            tx.operators.add(ADA)
            tx.operators.add(replace(BOB, platform_admin=True))
            for organization_id in (ours, theirs):
                tx.operators.add_member(organization_id, Membership("op_ada", OperatorRole.ADMIN))
            tx.operators.add_member(ours, Membership("op_bob", OperatorRole.ADMIN))
            for person in (ADA, BOB):
                tx.operators.remove_member(ours, person.id)
            assert tx.operators.get("op_ada") == ADA
            tx.operators.remove_member(theirs, "op_ada")
            assert tx.operators.get("op_ada") is None
            assert tx.operators.get("op_bob") is not None

    def test_a_change_of_a_membership_is_for_whoever_was_first(self, store, ours):
        before = Membership("op_ada", OperatorRole.ADMIN, frozenset(), (), 4)
        after = replace(before, role=OperatorRole.AUDITOR, roles=None, grants=None, version=2)
        with store.writing() as tx:
            tx.operators.add(ADA)
            tx.operators.add_member(ours, before)
            tx.operators.save_member(ours, after, was=before)
        with pytest.raises(PreconditionFailed), store.writing() as tx:
            tx.operators.save_member(ours, before, was=before)
        with store.reading() as tx:
            assert tx.operators.member(ours, "op_ada") == (ADA, after)

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

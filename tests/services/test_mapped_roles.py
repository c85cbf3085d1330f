"""Does a mapping take away and give as a person would, whatever the operator was before?"""

from __future__ import annotations

import pytest

from app.services.mapped_roles import mapping_caller, settle
from app.services.operators import LastOwner
from tokenserver.domain.operators import Membership, Operator, OperatorRole

BEFORE = [
    *((role, False) for role in OperatorRole if role is not OperatorRole.PLATFORM_ADMIN),
    (OperatorRole.ADMIN, True),
    (OperatorRole.OWNER, True),
    (None, True),
]
"""Their membership, and whether they are a platform admin."""


@pytest.fixture
def boss(workshop):
    """Another owner, so that there is always one."""
    return workshop.services.operators.add(
        workshop.caller, "boss@example.com", "", Membership("", OperatorRole.OWNER), platform_admin=False
    )


def person(workshop, role, *, platform_admin):
    if role is None:
        made = Operator("op_alone", "ada@example.com", "", platform_admin, 1)
        with workshop.services.store.writing() as tx:
            tx.operators.add(made)
        return made
    return workshop.services.operators.add(
        workshop.caller, "ada@example.com", "", Membership("", role), platform_admin=platform_admin
    )[0]


def settled(workshop, who, role):
    caller = mapping_caller(workshop.caller.organization_id, "192.0.2.1", "request")
    with workshop.services.store.writing() as tx:
        settle(tx, workshop.services.operators, caller, who, role, workshop.clock())
    with workshop.services.store.reading() as tx:
        return tx.operators.get(who.id), tx.operators.member(workshop.caller.organization_id, who.id)


@pytest.mark.parametrize("after", [*OperatorRole, None])
@pytest.mark.parametrize(("before", "was"), BEFORE)
def test_whatever_they_were_they_are_what_the_mapping_says(workshop, boss, before, was, after):
    known, member = settled(workshop, person(workshop, before, platform_admin=was), after)
    if after is None:
        assert (known, member) == (None, None)
        return
    assert known.platform_admin == (after is OperatorRole.PLATFORM_ADMIN)
    kept = before or OperatorRole.ADMIN
    assert member[1].role is (kept if after is OperatorRole.PLATFORM_ADMIN else after)


def test_the_bounds_of_a_membership_stay(workshop, boss):
    membership = Membership("", OperatorRole.MEMBER, frozenset({"auditor"}), ())
    who = workshop.services.operators.add(workshop.caller, "ada@example.com", "", membership, platform_admin=False)[0]
    _, (_, after) = settled(workshop, who, OperatorRole.ADMIN)
    assert (after.role, after.roles, after.grants) == (OperatorRole.ADMIN, {"auditor"}, ())


def test_nobody_becomes_nobody_without_a_trace_but_who_was_nobody(workshop):
    stranger = Operator("op_nobody", "ada@example.com")
    lines = len(workshop.audit_lines())
    assert settled(workshop, stranger, None) == (None, None)
    assert len(workshop.audit_lines()) == lines


def test_the_last_owner_is_left_alone(workshop):
    who = person(workshop, OperatorRole.OWNER, platform_admin=True)
    for role in (None, OperatorRole.MEMBER):
        with pytest.raises(LastOwner):
            settled(workshop, who, role)
    with workshop.services.store.reading() as tx:
        assert tx.operators.member(workshop.caller.organization_id, who.id)[1].role is OperatorRole.OWNER

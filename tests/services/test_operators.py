"""What is known of operators beside what the API shows: how they stand with signing in, and what is theirs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.services.operators import BeyondYou
from app.services.terms import Draft
from app.store.operators import SignInFacts
from app.store.sessions import Session
from tests.support.names import a_name
from tests.support.workshop import REPORTS
from tokenserver.clock import DAY
from tokenserver.domain.operators import PERMISSIONS, Membership, OperatorRole
from tokenserver.domain.organizations import Policy
from tokenserver.domain.restrictions import Access, Grant, Restrictions
from tokenserver.errors import NotFound

both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture
def caller(workshop):
    """Everybody's superior."""
    return replace(workshop.caller, scopes=PERMISSIONS[OperatorRole.PLATFORM_ADMIN])


def added(workshop, caller, role="member", **bounds):
    email = f"{a_name('op').replace(' ', '.')}@example.com"
    membership = Membership("", OperatorRole(role), **bounds)
    return workshop.services.operators.add(caller, email, "", membership, platform_admin=False)


def session(operator_id, organization_id, seen_at, **more):
    fields = {"method": "password", "created_at": 1, "proven_at": 1, **more}
    return Session(a_name("session"), operator_id, organization_id, seen_at=seen_at, **fields)


@both
def test_how_each_stands_with_signing_in(workshop, caller):
    operators, now = workshop.services.operators, int(workshop.clock())
    members = seen, invited, neither = [added(workshop, caller) for _ in range(3)]
    elsewhere = workshop.services.organizations.create(caller, "Other", Policy()).id
    with workshop.services.store.writing() as tx:
        tx.sessions.add(session(seen[0].id, caller.organization_id, now - 50))
        tx.sessions.add(session(seen[0].id, caller.organization_id, now - 5))
        tx.sessions.add(session(seen[0].id, elsewhere, now - 1))
        tx.sessions.add(session(neither[0].id, caller.organization_id, now, awaits="second_factor"))
        tx.sign_in.signed_in(seen[0].id, now - 70)
    link = workshop.services.invitations.invite(caller, invited[0].id)
    assert operators.sign_ins(caller, members) == {
        seen[0].id: SignInFacts(seen_at=now - 5, signed_in_at=now - 70),
        invited[0].id: SignInFacts(invited_until=link.expires_at),
        neither[0].id: SignInFacts(),
    }
    workshop.clock.advance(8 * DAY)
    assert operators.sign_ins(caller, members)[invited[0].id] == SignInFacts()


def test_their_personal_credentials_are_those_that_have_not_ended(workshop, caller):
    operators, credentials = workshop.services.operators, workshop.services.credentials
    one = added(workshop, caller)[0].id
    drafts = [Draft(a_name("own"), "", Restrictions(), owner_id=one) for _ in range(3)]
    mine = [credentials.create(caller, draft).view.credential.client_id for draft in drafts]
    workshop.credential()
    credentials.revoke(caller, mine.pop(), "left", None)
    assert [credential.client_id for credential in operators.owned(caller, one)] == sorted(mine)
    with pytest.raises(NotFound):
        operators.owned(caller, "op_0000000000000000")


def test_who_belongs_to_others_too_is_renamed_by_none_of_them(workshop, caller):
    """Whoever adds a known address to an organization of theirs must not choose what others call that person."""
    operators = workshop.services.operators
    person, _ = added(workshop, caller)
    other = replace(caller, organization_id=workshop.services.organizations.create(caller, "Other", Policy()).id)
    theirs = replace(other, scopes=PERMISSIONS[OperatorRole.OWNER])
    operators.add(theirs, person.email, "", Membership("", OperatorRole.MEMBER), platform_admin=False)

    def rename(member):
        return replace(member[0], name="Somebody else"), member[1]

    assert operators.update(theirs, person.id, None, rename)[0].name == "Somebody else", "until they have been there"
    assert operators.get(caller, person.id)[0].name == ""
    with workshop.services.store.writing() as tx:
        tx.operators.call(other.organization_id, person.id, None)
    with pytest.raises(BeyondYou) as refused:
        operators.update(theirs, person.id, None, rename)
    assert refused.value.part == "name"
    assert operators.get(caller, person.id)[0].name == ""
    assert operators.update(other, person.id, None, rename)[0].name == "Somebody else"
    alone, _ = added(workshop, theirs)
    assert operators.update(theirs, alone.id, None, rename)[0].name == "Somebody else"


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ({"role": "owner"}, "role"),
        ({"roles": None}, "roles"),
        ({"roles": frozenset({"auditor", "cloud_admin"})}, "roles"),
        ({"grants": None}, "grants"),
        ({"grants": (Grant(REPORTS, Access.ALL_READ_WRITE),)}, "grants"),
    ],
)
def test_who_asks_for_more_than_they_hold_is_told_which_part_it_is(workshop, caller, asked, part):
    bounds = {"roles": frozenset({"auditor"}), "grants": (Grant(REPORTS, Access.ALL_READ),)}
    admin = added(workshop, caller, "admin", **bounds)[0]
    theirs = replace(caller, scopes=PERMISSIONS[OperatorRole.ADMIN], operator_id=admin.id)
    assert added(workshop, theirs, **bounds)
    with pytest.raises(BeyondYou) as refused:
        added(workshop, theirs, **{**bounds, **asked})
    assert refused.value.part == part

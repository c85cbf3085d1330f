"""Does a link work once, for whom it was made, and for nobody who may not make it?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.services.invitations import LASTS, LinkIsOver
from app.services.sessions import SECOND_FACTOR, SignedOut
from tests.support.authenticator import Authenticator
from tests.support.people import HERE, PASSWORD, a_person
from tests.support.workshop import ISSUER, at_once, failed, succeeded
from tokenserver.domain.operators import Membership, OperatorRole
from tokenserver.domain.organizations import Policy
from tokenserver.errors import InsufficientScope, InvalidInput, NotFound

both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
ANOTHER = "eleven pipers are piping"


@pytest.fixture
def invitations(workshop):
    return workshop.services.invitations


@pytest.fixture
def bob(workshop):
    """An operator without a password."""
    operator, _ = workshop.services.operators.add(
        workshop.caller, "bob@example.com", "Bob", Membership("", OperatorRole.ADMIN), platform_admin=False
    )
    return operator


def token_of(link):
    return link.url.removeprefix(f"{ISSUER}/console/set-up/")


@both
def test_a_link_sets_the_first_password_and_lets_in(workshop, invitations, bob):
    link = invitations.invite(workshop.caller, bob.id)
    assert invitations.invited(token_of(link)) == bob
    opened = invitations.accept(token_of(link), PASSWORD, HERE)
    assert workshop.services.sessions.viewer(opened.token, HERE).operator == bob
    assert workshop.services.signing_in.by_password("bob@example.com", PASSWORD, HERE).awaits is None
    (line,) = workshop.audit_lines("password:set")
    assert (line["actor"], line["detail"]) == (f"operator:{bob.id}", {"by": "link"})


@both
def test_a_link_works_once_even_for_many_at_once(workshop, invitations, bob):
    token = token_of(invitations.invite(workshop.caller, bob.id))
    nodes = [workshop, *(workshop.beside() for _ in range(3))]
    words = [f"{PASSWORD} number {number}" for number in range(4)]
    outcomes = at_once(
        *(
            (lambda node=node, word=word: (word, node.services.invitations.accept(token, word, HERE)))
            for node, word in zip(nodes, words, strict=True)
        )
    )
    ((word, _),) = succeeded(outcomes)
    assert [type(fault) for fault in failed(outcomes)] == [LinkIsOver] * 3
    workshop.services.signing_in.by_password("bob@example.com", word, HERE)
    with pytest.raises(LinkIsOver):
        invitations.accept(token, ANOTHER, HERE)
    for node in nodes[1:]:
        node.close()


def test_a_new_link_ends_the_one_before(workshop, invitations, bob):
    first, second = (token_of(invitations.invite(workshop.caller, bob.id)) for _ in range(2))
    with pytest.raises(LinkIsOver):
        invitations.invited(first)
    assert invitations.invited(second) == bob


def test_a_link_is_over_after_a_week(workshop, invitations, bob):
    link = invitations.invite(workshop.caller, bob.id)
    workshop.clock.advance(LASTS - 1)
    assert invitations.invited(token_of(link)) == bob
    workshop.clock.advance(1)
    assert link.expires_at <= workshop.clock()
    with pytest.raises(LinkIsOver):
        invitations.accept(token_of(link), PASSWORD, HERE)


@pytest.mark.parametrize("token", ["", "unknown", "x" * 10_000, "ünïcode", "../../etc"])
def test_what_is_no_link_is_over(invitations, token):
    with pytest.raises(LinkIsOver):
        invitations.accept(token, PASSWORD, HERE)


def test_a_link_survives_a_password_that_is_unfit(workshop, invitations, bob):
    token = token_of(invitations.invite(workshop.caller, bob.id))
    for unfit in ("short", "passwordpassword", "bob@example.com"):
        with pytest.raises(InvalidInput):
            invitations.accept(token, unfit, HERE)
    invitations.accept(token, PASSWORD, HERE)


def test_a_link_ends_the_sessions_that_were_open(workshop, invitations):
    ada = a_person(workshop)
    before = ada.sign_in()
    invitations.accept(token_of(invitations.invite(workshop.caller, ada.operator.id)), ANOTHER, HERE)
    with pytest.raises(SignedOut):
        ada.view(before)
    with pytest.raises(Exception, match="wrong"):
        ada.sign_in()


def test_a_link_of_an_operator_who_was_removed_is_over(workshop, invitations, bob):
    token = token_of(invitations.invite(workshop.caller, bob.id))
    workshop.services.operators.remove(workshop.caller, bob.id, None)
    with pytest.raises(LinkIsOver):
        invitations.accept(token, PASSWORD, HERE)


def test_nobody_makes_a_link_for_who_may_do_more(workshop, invitations):
    owner, admin = a_person(workshop), a_person(workshop, "admin@example.com", OperatorRole.ADMIN)
    with pytest.raises(InsufficientScope):
        invitations.invite(admin.view().caller(), owner.operator.id)
    assert invitations.invite(owner.view().caller(), admin.operator.id).url.startswith(ISSUER)


def test_nobody_makes_a_link_for_a_stranger(workshop, invitations):
    for operator_id in ("op_unknown", ""):
        with pytest.raises(NotFound):
            invitations.invite(workshop.caller, operator_id)


def test_an_owner_cannot_take_over_who_is_at_home_elsewhere_too(workshop, invitations, bob):
    owner = a_person(workshop)
    other = workshop.services.organizations.create(workshop.caller, "Other", Policy())
    there = replace(workshop.caller, organization_id=other.id)
    workshop.services.operators.add(there, bob.email, "Bob", Membership("", OperatorRole.MEMBER), platform_admin=False)
    with pytest.raises(InsufficientScope):
        invitations.invite(owner.view().caller(), bob.id)
    assert invitations.invite(workshop.caller, bob.id)


@both
def test_a_link_leaves_second_factors_alone_unless_they_are_lost_too(workshop, invitations):
    ada, passkeys = a_person(workshop), workshop.services.passkeys
    viewer, key = ada.view(), Authenticator(ISSUER)
    asked = passkeys.offer(viewer)
    passkeys.add(viewer, asked.sealed, key.make(asked.options), "Key")

    opened = invitations.accept(token_of(invitations.invite(workshop.caller, ada.operator.id)), ANOTHER, HERE)
    assert opened.awaits == SECOND_FACTOR

    link = invitations.invite(workshop.caller, ada.operator.id, without_second_factor=True)
    with pytest.raises(SignedOut):
        ada.view(opened.token, awaiting=SECOND_FACTOR)
    assert invitations.accept(token_of(link), PASSWORD, HERE).awaits is None
    viewer = ada.view()
    assert passkeys.list(viewer) == []
    assert workshop.services.own_proofs.list(viewer).recovery_codes_left == 0
    (line,) = workshop.audit_lines("passkey:removed")
    assert (line["actor"], line["detail"]["operator"]) == ("shell", ada.operator.id)


def test_no_link_is_in_the_audit_log(workshop, invitations, bob):
    token = token_of(invitations.invite(workshop.caller, bob.id))
    assert token not in str(workshop.audit_lines())
    assert token not in repr(workshop.services.invitations.accept(token, PASSWORD, HERE))

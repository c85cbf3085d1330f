"""Is a session good for one browser, for as long as it should be, and gone with the operator?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.services.sessions import FRESH, HALF_OPEN, SECOND_FACTOR, SignedOut, Suspended, Visitor, digest_of
from app.services.standing import changing
from tests.support.people import HERE, a_person
from tests.support.workshop import at_once, failed, succeeded
from tokenserver.clock import HOUR, MINUTE
from tokenserver.domain.operators import Membership, OperatorRole
from tokenserver.domain.organizations import Policy
from tokenserver.errors import InvalidToken, NotFound

both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture
def ada(workshop):
    return a_person(workshop)


@pytest.fixture
def sessions(workshop):
    return workshop.services.sessions


def is_live(sessions, token):
    try:
        sessions.viewer(token, HERE)
    except SignedOut:
        return False
    return True


@both
def test_the_cookie_lets_in_and_its_digest_does_not(workshop, sessions, ada):
    token = ada.sign_in()
    viewer = sessions.viewer(token, HERE)
    assert viewer.operator == ada.operator
    assert viewer.organization.id == workshop.caller.organization_id
    assert viewer.session.id == digest_of(token) != token
    for wrong in (viewer.session.id, "", token + "x", token[:-1], "ünknown"):
        assert not is_live(sessions, wrong)


def test_each_sign_in_is_a_session_of_its_own_and_says_from_where(sessions, ada):
    first, second = ada.sign_in(), ada.sign_in(Visitor("2001:db8::1", "x" * 5000, "r"))
    assert first != second
    listed = sessions.list(ada.view(first))
    assert {(one.address, len(one.agent)) for one in listed} == {("192.0.2.7", len(HERE.agent)), ("2001:db8::1", 200)}


def test_a_session_that_is_not_used_ends(workshop, sessions, ada):
    """O11."""
    token, idle = ada.sign_in(), workshop.settings.console_idle_minutes * MINUTE
    workshop.clock.advance(idle - 1)
    assert is_live(sessions, token)
    workshop.clock.advance(idle - 1)
    assert is_live(sessions, token), "use must have been noted"
    workshop.clock.advance(idle)
    assert not is_live(sessions, token)


def test_a_session_ends_however_it_is_used(workshop, sessions, ada):
    token, longest = ada.sign_in(), workshop.settings.console_session_hours * HOUR
    while workshop.clock.now + 20 * MINUTE < 1_800_000_000 + longest:
        workshop.clock.advance(20 * MINUTE)
        assert is_live(sessions, token)
    workshop.clock.now = 1_800_000_000.25 + longest
    assert not is_live(sessions, token)


def test_use_is_noted_once_a_minute_at_the_most(workshop, sessions, ada):
    token = ada.sign_in()
    workshop.clock.advance(59)
    assert sessions.viewer(token, HERE).session.seen_at == int(workshop.clock.now) - 59
    workshop.clock.advance(1)
    assert sessions.viewer(token, HERE).session.seen_at == int(workshop.clock.now)


def test_a_clock_that_was_wrong_for_a_while_leaves_no_session_that_lives_for_years(workshop, sessions, ada):
    workshop.clock.advance(365 * 24 * HOUR)
    token = workshop.beside().services.signing_in.by_password(ada.email, ada.password, HERE).token
    workshop.clock.advance(-365 * 24 * HOUR)
    other = workshop.beside().services.sessions
    assert not is_live(other, token)


def test_nodes_whose_clocks_differ_a_little_share_their_sessions(workshop, ada):
    workshop.clock.advance(30)
    token = workshop.beside().services.signing_in.by_password(ada.email, ada.password, HERE).token
    workshop.clock.advance(-30)
    assert is_live(workshop.beside().services.sessions, token)


def test_a_proof_is_fresh_for_a_quarter_of_an_hour(workshop, sessions, ada):
    token = ada.sign_in()
    workshop.clock.advance(FRESH - 1)
    assert sessions.is_fresh(sessions.viewer(token, HERE))
    workshop.clock.advance(1)
    assert not sessions.is_fresh(sessions.viewer(token, HERE))


@both
def test_a_proof_gives_the_session_another_token_and_the_one_before_is_worth_nothing(workshop, sessions, ada):
    token = ada.sign_in()
    workshop.clock.advance(20 * MINUTE)
    viewer = sessions.viewer(token, HERE)
    with workshop.services.store.writing() as tx:
        renewed = sessions.proven_in(tx, viewer, "password", workshop.clock())
    assert not is_live(sessions, token)
    after = sessions.viewer(renewed, HERE)
    assert sessions.is_fresh(after)
    assert after.session.created_at == viewer.session.created_at, "the longest time runs from the sign-in"


def test_a_session_that_has_ended_cannot_be_proven_back_to_life(workshop, sessions, ada):
    viewer = ada.view()
    sessions.sign_out(viewer)
    with pytest.raises(SignedOut), workshop.services.store.writing() as tx:
        sessions.proven_in(tx, viewer, "password", workshop.clock())
    assert sessions.list(viewer) == []


@both
def test_signing_out_ends_this_session_and_no_other(workshop, sessions, ada):
    token, other = ada.sign_in(), ada.sign_in()
    sessions.sign_out(ada.view(token))
    assert (is_live(sessions, token), is_live(sessions, other)) == (False, True)
    assert len(workshop.audit_lines("operator:signed_out")) == 2  # the first is of who set the password


@both
def test_sessions_are_ended_one_by_one_or_all_but_this(workshop, sessions, ada):
    here, there, elsewhere = (ada.sign_in() for _ in range(3))
    viewer = ada.view(here)
    sessions.end(viewer, digest_of(there))
    assert [is_live(sessions, token) for token in (here, there, elsewhere)] == [True, False, True]
    ada.sign_in()
    assert sessions.end_others(viewer) == 2
    assert [one.id for one in sessions.list(viewer)] == [viewer.session.id]
    assert [line["detail"]["count"] for line in workshop.audit_lines("session:ended")] == [1, 2]


def test_nobody_ends_the_session_of_somebody_else(workshop, sessions, ada):
    bob = a_person(workshop, "bob@example.com")
    token = bob.sign_in()
    for session_id in (digest_of(token), "unknown", ""):
        with pytest.raises(NotFound):
            sessions.end(ada.view(), session_id)
    assert is_live(sessions, token)
    sessions.end_others(ada.view())
    assert is_live(sessions, token)


@both
def test_an_operator_who_is_removed_is_out_at_once(workshop, sessions, ada):
    bob = a_person(workshop, "bob@example.com")
    viewer, token = bob.view(), bob.sign_in()
    workshop.services.operators.remove(workshop.caller, bob.operator.id, None)
    assert not is_live(sessions, token)
    with pytest.raises(InvalidToken, match="ended"), changing(workshop.services.store, viewer.caller(), workshop.clock):
        pass
    assert is_live(sessions, ada.sign_in())


@both
def test_a_right_that_is_taken_away_is_gone_in_the_midst_of_a_session(workshop, sessions, ada):
    bob = a_person(workshop, "bob@example.com", OperatorRole.ADMIN)
    token = bob.sign_in()
    before = bob.view(token)
    assert before.may("credentials:write")
    workshop.services.operators.update(
        workshop.caller, bob.operator.id, None, lambda one: (one[0], replace(one[1], role=OperatorRole.AUDITOR))
    )
    assert not bob.view(token).may("credentials:write")
    with (
        pytest.raises(InvalidToken, match="changed"),
        changing(workshop.services.store, before.caller(), workshop.clock),
    ):
        pass
    with changing(workshop.services.store, bob.view(token).caller(), workshop.clock) as (tx, _):
        assert tx is not None


def test_a_change_of_a_session_that_has_ended_is_refused_inside_its_transaction(workshop, sessions, ada):
    viewer = ada.view()
    sessions.sign_out(viewer)
    with pytest.raises(InvalidToken, match="sign in again"):
        workshop.services.operators.remove(viewer.caller(), viewer.operator.id, None)


def test_who_has_left_an_organization_looks_at_another_one_of_theirs(workshop, sessions, ada):
    organizations = workshop.services.organizations
    other = organizations.create(workshop.caller, "Other", Policy())
    there = replace(workshop.caller, organization_id=other.id)
    workshop.services.operators.add(there, ada.email, "Ada", Membership("", OperatorRole.AUDITOR), platform_admin=False)
    token = ada.sign_in()
    sessions.switch(ada.view(token), other.id)
    viewer = ada.view(token)
    assert (viewer.organization.id, viewer.may("operators:write")) == (other.id, False)
    assert {one.id for one in sessions.organizations(viewer)} == {workshop.caller.organization_id, other.id}
    workshop.services.operators.remove(there, ada.operator.id, None)
    assert ada.view(token).organization.id == workshop.caller.organization_id


def test_nobody_looks_at_an_organization_that_they_are_not_in(workshop, sessions, ada):
    other = workshop.services.organizations.create(workshop.caller, "Other", Policy())
    for organization_id in (other.id, "org_unknown", ""):
        with pytest.raises(NotFound):
            sessions.switch(ada.view(), organization_id)


def test_members_of_a_suspended_organization_see_nothing_of_it(workshop, sessions, ada):
    token = ada.sign_in()
    workshop.services.organizations.suspend(workshop.caller, workshop.caller.organization_id)
    with pytest.raises(Suspended):
        sessions.viewer(token, HERE)


def test_who_is_in_another_organization_too_goes_on_there(workshop, sessions, ada):
    other = workshop.services.organizations.create(workshop.caller, "Other", Policy())
    there = replace(workshop.caller, organization_id=other.id)
    workshop.services.operators.add(there, ada.email, "", Membership("", OperatorRole.MEMBER), platform_admin=False)
    token = ada.sign_in()
    workshop.services.organizations.suspend(workshop.caller, workshop.caller.organization_id)
    assert ada.view(token).organization.id == other.id
    assert ada.view().organization.id == other.id
    workshop.services.organizations.suspend(workshop.caller, other.id)
    with pytest.raises(Suspended):
        ada.view(token)


def test_a_session_that_awaits_a_second_factor_is_good_for_nothing_else_and_not_for_long(workshop, sessions, ada):
    with workshop.services.store.writing() as tx:
        token = sessions.open_in(tx, ada.operator, "password", HERE, workshop.clock(), awaits=SECOND_FACTOR)
    assert not is_live(sessions, token)
    assert sessions.viewer(token, HERE, awaiting=SECOND_FACTOR).operator == ada.operator
    assert digest_of(token) not in {one.id for one in sessions.list(ada.view())}
    workshop.clock.advance(HALF_OPEN)
    with pytest.raises(SignedOut):
        sessions.viewer(token, HERE, awaiting=SECOND_FACTOR)


def test_somebody_has_signed_in_once_the_second_factor_is_proven_and_that_is_kept(workshop, sessions, ada):
    def last():
        facts = workshop.services.operators.sign_ins(
            workshop.caller, [(ada.operator, Membership("", OperatorRole.OWNER))]
        )
        return facts[ada.operator.id].signed_in_at

    before = last()
    workshop.clock.advance(MINUTE)
    with workshop.services.store.writing() as tx:
        token = sessions.open_in(tx, ada.operator, "password", HERE, workshop.clock(), awaits=SECOND_FACTOR)
    assert last() == before
    viewer = sessions.viewer(token, HERE, awaiting=SECOND_FACTOR)
    workshop.clock.advance(MINUTE)
    with workshop.services.store.writing() as tx:
        token = sessions.proven_in(tx, viewer, "one-time code", workshop.clock())
    now = int(workshop.clock())
    assert last() == now
    workshop.clock.advance(MINUTE)
    viewer = sessions.viewer(token, HERE)
    with workshop.services.store.writing() as tx:
        token = sessions.proven_in(tx, viewer, "password", workshop.clock())
    sessions.sign_out(sessions.viewer(token, HERE))
    assert last() == now, "a proof in between is no sign-in"


def test_a_session_that_awaits_nothing_is_not_taken_for_one_that_does(sessions, ada):
    with pytest.raises(SignedOut):
        ada.view(ada.sign_in(), awaiting=SECOND_FACTOR)


@both
def test_what_is_over_is_forgotten(workshop, sessions, ada):
    ada.sign_in()
    workshop.services.invitations.invite(workshop.caller, ada.operator.id)
    with workshop.services.store.writing() as tx:
        assert tx.sessions.spend("digest", int(workshop.clock()) + 60)
    workshop.clock.advance(30 * 24 * HOUR)
    token = ada.sign_in()
    assert sessions.prune(workshop.clock()) is False
    with workshop.services.store.reading() as tx:
        counted = [
            tx.session.connection().exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()
            for table in ("session", "invitation", "spent")
        ]
    assert counted == [1, 0, 0]
    assert is_live(sessions, token)


@both
def test_what_works_once_works_once_for_many_who_try_together(workshop):
    nodes = [workshop, *(workshop.beside() for _ in range(3))]

    def spend(node):
        with node.services.store.writing() as tx:
            return tx.sessions.spend("digest", int(workshop.clock()) + 60)

    outcomes = at_once(*((lambda node=node: spend(node)) for node in nodes))
    assert failed(outcomes) == []
    assert sorted(succeeded(outcomes)) == [False, False, False, True]
    for node in nodes[1:]:
        node.close()

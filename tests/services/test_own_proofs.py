"""Is a password changed by who knows the one before, and does everybody else have to sign in again?"""

from __future__ import annotations

import pytest

from app.services.failures import FREE, TooManyFailures
from app.services.invitations import LinkIsOver
from app.services.own_proofs import Proofs
from app.services.sessions import FRESH, SignedOut
from app.services.signing_in import WrongPassword
from tests.support.people import HERE, PASSWORD, a_person
from tests.support.workshop import at_once, failed, succeeded
from tokenserver.errors import InvalidInput, InvalidToken

both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
ANOTHER = "eleven pipers are piping"


@pytest.fixture
def ada(workshop):
    return a_person(workshop)


@pytest.fixture
def own(workshop):
    return workshop.services.own_proofs


@both
def test_another_password_ends_every_session_but_this_and_any_link(workshop, own, ada):
    here, there = ada.sign_in(), ada.sign_in()
    link = workshop.services.invitations.invite(workshop.caller, ada.operator.id).url.rpartition("/")[2]
    token = own.set_password(ada.view(here), PASSWORD, ANOTHER)
    assert ada.view(token).operator == ada.operator
    for ended in (here, there):
        with pytest.raises(SignedOut):
            ada.view(ended)
    with pytest.raises(LinkIsOver):
        workshop.services.invitations.invited(link)
    with pytest.raises(WrongPassword):
        ada.sign_in()
    assert workshop.services.signing_in.by_password(ada.email, ANOTHER, HERE)
    line = workshop.audit_lines("password:set")[-1]
    assert line["detail"] == {"by": "operator", "sessions_ended": 1}
    assert ANOTHER not in str(workshop.audit_lines())


def test_the_one_before_must_be_known(workshop, own, ada):
    viewer = ada.view()
    for old in (ANOTHER, "", PASSWORD.upper()):
        with pytest.raises(InvalidInput) as refused:
            own.set_password(viewer, old, ANOTHER)
        assert refused.value.faults[0].pointer == "/old_password"
    assert ada.sign_in()
    assert workshop.audit_lines("sign_in:refused")[0]["detail"]["reason"] == "wrong password on changing it"


def test_it_cannot_be_guessed_from_an_open_session(own, ada):
    viewer = ada.view()
    for _ in range(FREE):
        with pytest.raises(InvalidInput):
            own.set_password(viewer, ANOTHER, ANOTHER)
    with pytest.raises(TooManyFailures):
        own.set_password(viewer, PASSWORD, ANOTHER)


@pytest.mark.parametrize("unfit", ["short", "passwordpassword", "Ada@Example.com", "x" * 257])
def test_an_unfit_one_changes_nothing(own, ada, unfit):
    with pytest.raises(InvalidInput) as refused:
        own.set_password(ada.view(), PASSWORD, unfit)
    assert refused.value.faults[0].pointer == "/password"
    assert ada.sign_in()


def test_a_session_that_has_ended_changes_nothing(workshop, own, ada):
    viewer = ada.view()
    workshop.services.sessions.sign_out(viewer)
    with pytest.raises(InvalidToken):
        own.set_password(viewer, PASSWORD, ANOTHER)
    assert ada.sign_in()


def test_of_two_changes_at_once_one_is_made(workshop, own, ada):
    viewers = [ada.view(), ada.view()]
    words = [ANOTHER, "twelve drummers drumming"]
    outcomes = at_once(
        *(
            (lambda viewer=viewer, word=word: own.set_password(viewer, PASSWORD, word))
            for viewer, word in zip(viewers, words, strict=True)
        )
    )
    assert len(succeeded(outcomes)) == 1
    assert len(failed(outcomes)) == 1


@both
def test_what_is_set_up_is_listed(workshop, own, ada):
    viewer = ada.view()
    assert own.list(viewer) == Proofs(int(workshop.clock()), None, False, 0, [])
    workshop.services.one_time_codes.begin(viewer)
    assert own.list(viewer).half_set_up


def test_who_has_no_password_sets_the_first_one_with_a_fresh_proof(workshop, own, ada):
    viewer = ada.view()
    with workshop.services.store.writing() as tx:
        tx.session.connection().exec_driver_sql("UPDATE sign_in SET password_hash = NULL")
    workshop.clock.advance(FRESH)
    with pytest.raises(InvalidInput, match=r"."):
        own.set_password(viewer, "", ANOTHER)
    workshop.clock.advance(-FRESH)
    own.set_password(viewer, "", ANOTHER)
    assert workshop.services.signing_in.by_password(ada.email, ANOTHER, HERE)

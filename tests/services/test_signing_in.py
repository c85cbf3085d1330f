"""Do strangers learn nothing at the door of the console, and does the right password let in at once?"""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST, get_default_parameters

from app.services.failures import FREE, TooManyFailures
from app.services.passwords import Passwords
from app.services.sessions import SECOND_FACTOR, SignedOut, Visitor
from app.services.sign_in_refusals import FREE_FOR_ALL, LONGEST_FOR_ALL
from app.services.signing_in import WrongPassword
from app.store.sign_in import Passkey
from tests.support.people import HERE, PASSWORD, a_person
from tests.support.workshop import at_once, failed, succeeded
from tokenserver.domain.operators import Membership, OperatorRole

both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
WRONG = "eleven pipers are piping"


@pytest.fixture
def ada(workshop):
    return a_person(workshop)


@pytest.fixture
def by_password(workshop):
    return workshop.services.signing_in.by_password


def wrong(by_password, email, password=WRONG, visitor=HERE):
    with pytest.raises(WrongPassword) as refused:
        by_password(email, password, visitor)
    return refused.value


@both
def test_the_right_password_lets_in_however_the_address_is_written(workshop, by_password, ada):
    for email in (ada.email, " ADA@Example.com\n"):
        opened = by_password(email, PASSWORD, HERE)
        assert opened.awaits is None
        assert workshop.services.sessions.viewer(opened.token, HERE).operator == ada.operator
        assert opened.token not in repr(opened)
    line = workshop.audit_lines("operator:signed_in")[-1]
    assert (line["actor"], line["address"]) == (f"operator:{ada.operator.id}", HERE.address)
    assert line["detail"] == {"method": "password"}


def test_an_unknown_address_and_a_wrong_password_get_the_same_answer_by_the_same_work(
    workshop, by_password, ada, monkeypatch
):
    """R09 at this door."""
    workshop.services.operators.add(
        workshop.caller, "new@example.com", "", Membership("", OperatorRole.MEMBER), platform_admin=False
    )
    hashed = []
    verify = PasswordHasher.verify

    def counted(*given):
        hashed.append(1)
        return verify(*given)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    answers = {
        str(vars(wrong(by_password, email)))
        for email in (ada.email, "nobody@example.com", "new@example.com", "", "ü" * 300)
    }
    assert len(answers) == 1
    assert len(hashed) == 5
    assert len(workshop.audit_lines("sign_in:refused")) == 5


def test_what_was_typed_is_recorded_by_its_digest_only(workshop, by_password, ada):
    wrong(by_password, "my password, by mistake")
    wrong(by_password, ada.email)
    text = str(workshop.audit_lines("sign_in:refused"))
    assert "mistake" not in text
    assert WRONG not in text
    assert ada.email not in text


def test_refusals_of_strangers_are_folded(workshop, by_password):
    for number in range(40):
        wrong(by_password, f"{number}@example.com")
    assert len(workshop.audit_lines("sign_in:refused")) < 20


def test_who_is_wrong_too_often_waits_and_nobody_else_does(workshop, by_password, ada):
    """O13: the account is not locked for others, nor this address for other accounts."""
    bob = a_person(workshop, "bob@example.com")
    for _ in range(FREE):
        wrong(by_password, ada.email)
    with pytest.raises(TooManyFailures) as hasty:
        by_password(ada.email, PASSWORD, HERE)
    assert hasty.value.retry_after >= 1
    assert by_password(ada.email, PASSWORD, Visitor("198.51.100.1"))
    assert by_password(bob.email, PASSWORD, HERE)
    workshop.clock.advance(hasty.value.retry_after)
    assert by_password(ada.email, PASSWORD, HERE)
    wrong(by_password, ada.email)  # the right one has ended the row


def test_addresses_of_one_network_count_as_one(workshop, by_password, ada):
    for number in range(FREE):
        wrong(by_password, ada.email, visitor=Visitor(f"2001:db8::{number:x}"))
    with pytest.raises(TooManyFailures):
        by_password(ada.email, PASSWORD, Visitor("2001:db8::ffff"))


def test_an_account_that_is_not_there_makes_wait_as_well(by_password, workshop):
    for _ in range(FREE):
        wrong(by_password, "nobody@example.com")
    with pytest.raises(TooManyFailures):
        by_password("nobody@example.com", PASSWORD, HERE)


def test_an_address_that_is_wrong_for_ever_other_accounts_waits_too(workshop, by_password, ada):
    elsewhere = Visitor("198.51.100.9")
    for number in range(FREE_FOR_ALL):
        wrong(by_password, f"{number}@example.com")
    with pytest.raises(TooManyFailures):
        by_password(ada.email, PASSWORD, HERE)
    assert by_password(ada.email, PASSWORD, elsewhere)


def test_others_behind_an_address_that_goes_on_guessing_wait_a_minute_at_most(workshop, by_password, ada):
    for number in range(FREE_FOR_ALL + 12):
        wrong(by_password, f"{number}@example.com")
        workshop.clock.advance(LONGEST_FOR_ALL + 1)
    assert by_password(ada.email, PASSWORD, HERE)


def test_an_address_from_which_somebody_signs_in_begins_anew(workshop, by_password, ada):
    for number in range(FREE_FOR_ALL - 1):
        wrong(by_password, f"{number}@example.com")
    by_password(ada.email, PASSWORD, HERE)
    wrong(by_password, "nobody@example.com")
    assert by_password(ada.email, PASSWORD, HERE)


def test_a_password_is_hashed_anew_when_the_parameters_have_grown(workshop, ada):
    signing_in = workshop.services.signing_in
    stronger = Passwords(get_default_parameters())
    signing_in._passwords = stronger
    signing_in.by_password(ada.email, PASSWORD, HERE)
    with workshop.services.store.reading() as tx:
        kept = tx.sign_in.password_hash(ada.operator.id)
    assert Passwords(CHEAPEST).is_out_of_date(kept)
    assert not stronger.is_out_of_date(kept)
    assert ada.view(signing_in.by_password(ada.email, PASSWORD, HERE).token)


def test_with_a_second_factor_the_password_alone_opens_nothing(workshop, by_password, ada):
    with workshop.services.store.writing() as tx:
        tx.sign_in.add_passkey(Passkey("key", ada.operator.id, "Key", b"", 0, 0))
    before = len(workshop.audit_lines("operator:signed_in"))
    opened = by_password(ada.email, PASSWORD, HERE)
    assert opened.awaits == SECOND_FACTOR
    with pytest.raises(SignedOut):
        workshop.services.sessions.viewer(opened.token, HERE)
    assert len(workshop.audit_lines("operator:signed_in")) == before, "nobody has signed in yet"


@both
def test_many_sign_in_at_once(workshop, by_password, ada):
    outcomes = at_once(*(lambda: by_password(ada.email, PASSWORD, HERE) for _ in range(6)))
    assert failed(outcomes) == []
    assert len({opened.token for opened in succeeded(outcomes)}) == 6

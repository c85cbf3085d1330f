"""Does a second factor complete what a password began, and a proof make a session fresh, for who has it only?"""

from __future__ import annotations

import pyotp
import pytest

from app.services.failures import FREE, TooManyFailures
from app.services.passkeys import WrongPasskey
from app.services.proving_again import Means, WrongCode, WrongRecoveryCode
from app.services.sessions import SECOND_FACTOR, SignedOut, Visitor
from app.services.signing_in import WrongPassword
from tests.support.authenticator import Authenticator
from tests.support.people import HERE, PASSWORD, a_person
from tests.support.workshop import ISSUER
from tokenserver.clock import MINUTE

both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
WRONG = "eleven pipers are piping"


class Secured:
    """An operator with one-time codes, a passkey and recovery codes."""

    def __init__(self, workshop):
        self.person, own = a_person(workshop), workshop.services
        viewer = self.person.view()
        own.one_time_codes.begin(viewer)
        seed = own.one_time_codes.setting_up(viewer).secret.replace(" ", "")
        self._maker, self._clock = pyotp.TOTP(seed), workshop.clock
        self.recovery = own.one_time_codes.confirm(viewer, self.code())
        self.key = Authenticator(ISSUER)
        asked = own.passkeys.offer(viewer)
        own.passkeys.add(viewer, asked.sealed, self.key.make(asked.options), "Key")
        self.signed_in = own.sessions.viewer(
            own.proving_again.by_password(viewer, PASSWORD), HERE
        )  # before it was asked for more
        workshop.clock.advance(20 * MINUTE)

    def code(self):
        return self._maker.at(int(self._clock.now))

    def half_open(self, visitor=HERE):
        return self.person.view(awaiting=SECOND_FACTOR, visitor=visitor)


@pytest.fixture
def ada(workshop):
    return Secured(workshop)


@pytest.fixture
def again(workshop):
    return workshop.services.proving_again


def answer(workshop, viewer, key):
    asked = workshop.services.passkeys.ask(viewer)
    return asked.sealed, key.sign(asked.options)


def proofs(workshop, again, ada):
    """The ways to complete a sign-in, by name."""
    return {
        "one-time code": lambda viewer: again.by_code(viewer, ada.code()),
        "passkey": lambda viewer: again.by_passkey(viewer, *answer(workshop, viewer, ada.key)),
        "recovery code": lambda viewer: again.by_recovery_code(viewer, ada.recovery[0]),
    }


@both
@pytest.mark.parametrize("means", ["one-time code", "passkey", "recovery code"])
def test_each_second_factor_completes_a_sign_in_under_another_token(workshop, again, ada, means):
    before = ada.person.sign_in()
    lines = len(workshop.audit_lines("operator:signed_in"))
    viewer = ada.person.view(before, awaiting=SECOND_FACTOR)
    token = proofs(workshop, again, ada)[means](viewer)
    assert token != before
    after = ada.person.view(token)
    assert after.operator == ada.person.operator
    assert workshop.services.sessions.is_fresh(after)
    for awaiting in (None, SECOND_FACTOR):
        with pytest.raises(SignedOut):
            ada.person.view(before, awaiting=awaiting)
    (line,) = workshop.audit_lines("operator:signed_in")[lines:]
    assert line["detail"] == {"method": f"password and {means}"}


@pytest.mark.parametrize("means", ["one-time code", "passkey", "recovery code"])
def test_no_proof_works_twice(workshop, again, ada, means):
    first, second = ada.half_open(), ada.half_open()
    code, (sealed, signed) = ada.code(), answer(workshop, first, ada.key)
    use = {
        "one-time code": lambda viewer: again.by_code(viewer, code),
        "passkey": lambda viewer: again.by_passkey(viewer, sealed, signed),
        "recovery code": lambda viewer: again.by_recovery_code(viewer, ada.recovery[0]),
    }[means]
    use(first)
    for viewer in (first, second):
        with pytest.raises(Exception, match=r"wrong|used|twice|not known"):
            use(viewer)


def test_a_password_is_no_second_factor(again, ada):
    with pytest.raises(SignedOut):
        again.by_password(ada.half_open(), PASSWORD)


def test_a_recovery_code_is_for_signing_in_only(again, ada):
    with pytest.raises(SignedOut):
        again.by_recovery_code(ada.signed_in, ada.recovery[0])


@pytest.mark.parametrize("means", ["password", "one-time code", "passkey"])
def test_each_proof_makes_a_session_fresh_under_another_token(workshop, again, ada, means):
    sessions = workshop.services.sessions
    assert not sessions.is_fresh(ada.signed_in)
    prove = {**proofs(workshop, again, ada), "password": lambda viewer: again.by_password(viewer, PASSWORD)}[means]
    signed_in = len(workshop.audit_lines("operator:signed_in"))
    after = ada.person.view(prove(ada.signed_in))
    assert sessions.is_fresh(after)
    assert after.session.method == ada.signed_in.session.method
    assert len(workshop.audit_lines("operator:signed_in")) == signed_in, "they had signed in before"
    workshop.clock.advance(MINUTE)
    with pytest.raises(SignedOut):
        prove(ada.signed_in)


def test_wrong_proofs_are_refused_and_recorded_with_the_operator(workshop, again, ada):
    viewer = ada.half_open()
    wrong = "000000" if ada.code() != "000000" else "111111"
    with pytest.raises(WrongCode):
        again.by_code(viewer, wrong)
    with pytest.raises(WrongRecoveryCode):
        again.by_recovery_code(viewer, "aaaa-aaaa-aaaa-aaaa")
    with pytest.raises(WrongPasskey):
        again.by_passkey(viewer, *answer(workshop, viewer, Authenticator(ISSUER)))
    with pytest.raises(WrongPassword):
        again.by_password(ada.signed_in, WRONG)
    lines = workshop.audit_lines("sign_in:refused")
    assert [line["detail"]["reason"] for line in lines] == [
        *("wrong one-time code", "wrong recovery code", "wrong passkey"),
        "wrong password on being asked again",
    ]
    assert {line["actor"] for line in lines} == {f"operator:{ada.person.operator.id}"}
    assert {line["organization"] for line in lines} == {workshop.caller.organization_id}
    assert again.by_code(viewer, ada.code())


def test_codes_cannot_be_guessed_from_many_addresses_nor_by_signing_in_again(again, ada):
    """Whoever has the password gets ten tries for all of them, and then waits."""
    wrong = "000000" if ada.code() != "000000" else "111111"
    for number in range(FREE):
        with pytest.raises(WrongCode):
            again.by_code(ada.half_open(Visitor(f"198.51.100.{number}")), wrong)
    for prove in (
        lambda: again.by_code(ada.half_open(Visitor("203.0.113.1")), ada.code()),
        lambda: again.by_recovery_code(ada.half_open(), ada.recovery[0]),
    ):
        with pytest.raises(TooManyFailures):
            prove()
    assert again.by_password(ada.signed_in, PASSWORD), "who is signed in does not wait for them"


def test_a_passkey_of_somebody_else_proves_nothing(workshop, again, ada):
    bob, key, passkeys = a_person(workshop, "bob@example.com"), Authenticator(ISSUER), workshop.services.passkeys
    viewer = bob.view()
    asked = passkeys.offer(viewer)
    passkeys.add(viewer, asked.sealed, key.make(asked.options), "Key")
    half_open = ada.half_open()
    with pytest.raises(WrongPasskey):
        again.by_passkey(half_open, *answer(workshop, half_open, key))


def test_a_page_offers_what_there_is(workshop, again, ada):
    assert again.means(ada.half_open()) == Means(password=False, one_time_code=True, passkey=True, recovery_code=True)
    assert again.means(ada.signed_in) == Means(password=True, one_time_code=True, passkey=True, recovery_code=False)
    plain = a_person(workshop, "bob@example.com").view()
    assert again.means(plain) == Means(password=True, one_time_code=False, passkey=False, recovery_code=False)


def test_who_is_removed_between_the_steps_is_not_let_in(workshop, again, ada):
    viewer, code = ada.half_open(), ada.code()
    a_person(workshop, "bob@example.com")
    workshop.services.operators.remove(workshop.caller, ada.person.operator.id, None)
    with pytest.raises((SignedOut, WrongCode)):
        again.by_code(viewer, code)

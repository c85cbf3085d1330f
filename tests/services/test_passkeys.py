"""Is a passkey good for its owner, this host, this step, and once?"""

from __future__ import annotations

import json

import pytest

from app.services.challenges import LASTS, ChallengeIsOver
from app.services.failures import FREE, TooManyFailures
from app.services.passkeys import MOST, NoPasskeysHere, Passkey, TooManyPasskeys, WrongPasskey, unavailable_at
from app.services.sessions import SECOND_FACTOR, SignedOut
from tests.support.authenticator import Authenticator
from tests.support.people import HERE, a_person
from tests.support.workshop import ISSUER, at_once, failed, succeeded
from tokenserver.errors import InvalidInput, NotFound

both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture
def passkeys(workshop):
    return workshop.services.passkeys


@pytest.fixture
def ada(workshop):
    return a_person(workshop)


@pytest.fixture
def viewer(ada):
    return ada.view()


def register(passkeys, viewer, key=None, name="Laptop"):
    key = key or Authenticator(ISSUER)
    asked = passkeys.offer(viewer)
    codes = passkeys.add(viewer, asked.sealed, key.make(asked.options), name)
    return key, codes


def sign_in(workshop, key, **claimed):
    asked = workshop.services.passkeys.ask()
    return workshop.services.signing_in.by_passkey(asked.sealed, key.sign(asked.options, **claimed), HERE)


@both
def test_a_passkey_signs_in_without_an_address_or_a_password(workshop, passkeys, ada, viewer):
    key, codes = register(passkeys, viewer)
    assert len(codes) == 10
    workshop.clock.advance(60)
    opened = sign_in(workshop, key)
    assert opened.awaits is None
    assert ada.view(opened.token).session.method == "passkey"
    (listed,) = passkeys.list(viewer)
    assert (listed.name, listed.sign_count, listed.last_used_at) == ("Laptop", 1, int(workshop.clock()))
    assert workshop.audit_lines("operator:signed_in")[-1]["detail"] == {"method": "passkey"}
    (line,) = workshop.audit_lines("passkey:added")
    assert line["detail"] == {"passkey": listed.id, "name": "Laptop"}


def test_a_browser_is_asked_for_a_key_of_this_host_that_knows_its_owner(passkeys, ada, viewer):
    asked = json.loads(passkeys.offer(viewer).options)
    assert asked["rp"]["id"] == "auth.example.com"
    assert asked["user"]["name"] == ada.email
    assert asked["authenticatorSelection"]["residentKey"] == "preferred"
    assert asked["excludeCredentials"] == []
    register(passkeys, viewer)
    assert [one["id"] for one in json.loads(passkeys.offer(viewer).options)["excludeCredentials"]] == [
        passkey.id for passkey in passkeys.list(viewer)
    ]


def test_where_the_key_is_all_there_is_it_must_ask_who_uses_it(workshop, passkeys, viewer):
    key, _ = register(passkeys, viewer)
    assert json.loads(passkeys.ask().options)["userVerification"] == "required"
    key.verifies = False
    with pytest.raises(WrongPasskey):
        sign_in(workshop, key)
    key.verifies = True
    assert sign_in(workshop, key)


@both
def test_an_answer_is_taken_once_even_by_many_at_once(workshop, passkeys, viewer):
    key, _ = register(passkeys, viewer, Authenticator(ISSUER, counts=False))
    asked = passkeys.ask()
    answer = key.sign(asked.options)
    nodes = [workshop, *(workshop.beside() for _ in range(3))]
    outcomes = at_once(
        *((lambda node=node: node.services.signing_in.by_passkey(asked.sealed, answer, HERE)) for node in nodes)
    )
    assert len(succeeded(outcomes)) == 1
    assert [type(fault) for fault in failed(outcomes)] == [ChallengeIsOver] * 3
    for node in nodes[1:]:
        node.close()


def test_a_challenge_is_over_after_five_minutes(workshop, passkeys, viewer):
    key, _ = register(passkeys, viewer)
    asked = passkeys.ask()
    workshop.clock.advance(LASTS)
    with pytest.raises(ChallengeIsOver):
        workshop.services.signing_in.by_passkey(asked.sealed, key.sign(asked.options), HERE)


def test_an_answer_to_another_challenge_is_none(workshop, passkeys, viewer):
    key, _ = register(passkeys, viewer)
    first, second = passkeys.ask(), passkeys.ask()
    with pytest.raises(WrongPasskey):
        workshop.services.signing_in.by_passkey(first.sealed, key.sign(second.options), HERE)


def test_a_challenge_of_one_step_is_good_for_no_other(workshop, passkeys, ada, viewer):
    key, _ = register(passkeys, viewer)
    of_this_session, of_registering = passkeys.ask(viewer), passkeys.offer(viewer)
    with pytest.raises(ChallengeIsOver):
        workshop.services.signing_in.by_passkey(of_this_session.sealed, key.sign(of_this_session.options), HERE)
    with pytest.raises(ChallengeIsOver):
        passkeys.add(viewer, of_this_session.sealed, "{}", "Key")
    other = ada.view(sign_in(workshop, key).token)
    with pytest.raises(ChallengeIsOver):
        passkeys.add(other, of_registering.sealed, Authenticator(ISSUER).make(of_registering.options), "Key")


CLAIMS = {
    "another origin": {"origin": "https://auth.example.com.evil.example"},
    "the origin without https": {"origin": "http://auth.example.com"},
    "another port": {"origin": "https://auth.example.com:8443"},
    "another kind": {"type": "webauthn.create"},
}


@pytest.mark.parametrize("claimed", CLAIMS.values(), ids=CLAIMS.keys())
def test_what_was_signed_elsewhere_is_refused(workshop, passkeys, viewer, claimed):
    key, _ = register(passkeys, viewer)
    with pytest.raises(WrongPasskey):
        sign_in(workshop, key, **claimed)


def test_a_key_of_another_host_is_refused(workshop, passkeys, viewer):
    key, _ = register(passkeys, viewer)
    asked = passkeys.ask()
    elsewhere = json.dumps({**json.loads(asked.options), "rpId": "evil.example"})
    with pytest.raises(WrongPasskey):
        workshop.services.signing_in.by_passkey(asked.sealed, key.sign(elsewhere), HERE)


def test_an_unknown_key_and_a_wrong_signature_get_the_same_answer(workshop, passkeys, viewer):
    key, _ = register(passkeys, viewer)
    forged = Authenticator(ISSUER, id=key.id, owner=key.owner)
    with pytest.raises(WrongPasskey) as unknown:
        sign_in(workshop, Authenticator(ISSUER))
    with pytest.raises(WrongPasskey) as wrong:
        sign_in(workshop, forged)
    assert vars(unknown.value) == vars(wrong.value)
    assert workshop.audit_lines("sign_in:refused")[0]["detail"]["reason"] == "wrong passkey"


def test_a_key_that_says_it_is_somebody_else_s_is_refused(workshop, passkeys, viewer):
    key, _ = register(passkeys, viewer)
    key.owner = b"op_somebody_else"
    with pytest.raises(WrongPasskey):
        sign_in(workshop, key)


def test_strangers_who_answer_wrongly_never_take_the_turn_to_write(workshop, passkeys, viewer, monkeypatch):
    """But for the audit line, of which there is one a minute."""
    register(passkeys, viewer)
    with pytest.raises(WrongPasskey):
        sign_in(workshop, Authenticator(ISSUER))
    monkeypatch.setattr(workshop.services.store, "writing", None)
    with pytest.raises(WrongPasskey):
        sign_in(workshop, Authenticator(ISSUER))


def test_a_counter_that_goes_back_betrays_a_copy(workshop, passkeys, viewer):
    key, _ = register(passkeys, viewer)
    copy = Authenticator(ISSUER, id=key.id, key=key.key, owner=key.owner)
    for _ in range(2):
        sign_in(workshop, key)
    with pytest.raises(WrongPasskey):
        sign_in(workshop, copy)
    assert "copied" in workshop.audit_lines("sign_in:refused")[-1]["detail"]["reason"]
    copy.counts, copy.count = False, 0
    with pytest.raises(WrongPasskey):
        sign_in(workshop, copy)
    assert sign_in(workshop, key)


def test_a_key_that_never_counts_is_good_all_the_same(workshop, passkeys, viewer):
    key, _ = register(passkeys, viewer, Authenticator(ISSUER, counts=False))
    for _ in range(2):
        assert sign_in(workshop, key)


_EMPTY = {"clientDataJSON": "AA", "authenticatorData": "AA", "signature": "AA"}
NO_ANSWERS = {
    "nothing": "",
    "null": "null",
    "a list": "[]",
    "half an object": "{",
    "an empty object": "{}",
    "an ID that is a number": '{"id": 1}',
    "an empty response": '{"id": "", "rawId": "", "response": {}, "type": "public-key"}',
    "a response of nothing": json.dumps({"id": "AA", "rawId": "AA", "type": "public-key", "response": _EMPTY}),
    "what is no Unicode": "\udcff",
    "too deep a list": "[" * 5000,
    "too long a number": "9" * 50_000,
}


@pytest.mark.parametrize("answer", NO_ANSWERS.values(), ids=NO_ANSWERS.keys())
def test_what_is_no_answer_is_refused_and_no_fault(workshop, passkeys, viewer, answer):
    with pytest.raises(WrongPasskey):
        workshop.services.signing_in.by_passkey(passkeys.ask().sealed, answer, HERE)
    with pytest.raises(InvalidInput):
        passkeys.add(viewer, passkeys.offer(viewer).sealed, answer, "Key")


@pytest.mark.parametrize("sealed", ["", "AAAA", "ünïcode", "x" * 50_000, "\udcff"])
def test_what_is_no_challenge_of_ours_is_over(workshop, passkeys, viewer, sealed):
    with pytest.raises(ChallengeIsOver):
        workshop.services.signing_in.by_passkey(sealed, "{}", HERE)
    with pytest.raises(ChallengeIsOver):
        passkeys.add(viewer, sealed, "{}", "Key")


def test_whoever_is_wrong_too_often_waits(workshop, passkeys, viewer):
    key, _ = register(passkeys, viewer)
    for _ in range(FREE):
        with pytest.raises(WrongPasskey):
            sign_in(workshop, Authenticator(ISSUER))
    with pytest.raises(TooManyFailures):
        sign_in(workshop, key)


def test_a_registration_for_elsewhere_is_refused(passkeys, viewer):
    with pytest.raises(InvalidInput):
        register(passkeys, viewer, Authenticator("https://evil.example"))
    assert passkeys.list(viewer) == []


def test_a_key_is_added_once_and_by_one_operator(workshop, passkeys, viewer):
    key, _ = register(passkeys, viewer)
    bob = a_person(workshop, "bob@example.com").view()
    for who in (viewer, bob):
        with pytest.raises(InvalidInput, match=r"."):
            register(passkeys, who, key)
    assert [one.operator_id for one in passkeys.list(viewer)] == [viewer.operator.id]


def test_a_second_key_makes_no_new_recovery_codes(passkeys, viewer):
    register(passkeys, viewer)
    assert register(passkeys, viewer)[1] == ()


@pytest.mark.parametrize(("name", "kept"), [("", "Passkey"), ("  my   key ", "my key"), ("ключ 🔑", "ключ 🔑")])
def test_a_name_is_what_people_call_it(passkeys, viewer, name, kept):
    register(passkeys, viewer, name=name)
    assert [one.name for one in passkeys.list(viewer)] == [kept]


@pytest.mark.parametrize("name", ["x" * 61, "a\x00b", "a\u202eb"])
def test_a_name_that_is_none_is_refused_at_its_field(passkeys, viewer, name):
    with pytest.raises(InvalidInput) as refused:
        register(passkeys, viewer, name=name)
    assert refused.value.faults[0].pointer == "/name"


def test_there_is_an_end_to_keys(workshop, passkeys, viewer):
    with workshop.services.store.writing() as tx:
        for number in range(MOST):
            tx.sign_in.add_passkey(Passkey(f"k{number:03}", viewer.operator.id, "Key", b"", 0, 0))
    with pytest.raises(TooManyPasskeys):
        register(passkeys, viewer)


def test_a_key_is_renamed_by_its_owner_with_a_line_that_says_from_what_to_what(workshop, passkeys, ada, viewer):
    key, _ = register(passkeys, viewer)
    (listed,) = passkeys.list(viewer)
    bob = a_person(workshop, "bob@example.com").view()
    for who, which in ((bob, listed.id), (viewer, "unknown")):
        with pytest.raises(NotFound):
            passkeys.rename(who, which, "Mine")
    passkeys.rename(viewer, listed.id, "On the keyring")
    passkeys.rename(viewer, listed.id, "On the keyring")
    assert [one.name for one in passkeys.list(viewer)] == ["On the keyring"]
    (line,) = workshop.audit_lines("passkey:renamed")
    assert line["detail"]["changed"] == {"name": ["Laptop", "On the keyring"]}
    assert sign_in(workshop, key), "it is the same key"


def test_a_key_that_was_removed_signs_in_nobody(workshop, passkeys, ada, viewer):
    key, _ = register(passkeys, viewer)
    (listed,) = passkeys.list(viewer)
    bob = a_person(workshop, "bob@example.com").view()
    for who, which in ((bob, listed.id), (viewer, "unknown")):
        with pytest.raises(NotFound):
            passkeys.remove(who, which)
    passkeys.remove(viewer, listed.id)
    with pytest.raises(WrongPasskey):
        sign_in(workshop, key)
    assert workshop.audit_lines("passkey:removed")[0]["detail"]["name"] == "Laptop"
    assert ada.view().operator == ada.operator, "a password is enough again"


def test_an_operator_who_is_removed_takes_their_keys_along(workshop, passkeys, viewer):
    key, _ = register(passkeys, viewer)
    a_person(workshop, "bob@example.com")
    workshop.services.operators.remove(workshop.caller, viewer.operator.id, None)
    with pytest.raises(WrongPasskey):
        sign_in(workshop, key)


def test_a_passkey_counts_as_a_second_factor(passkeys, ada, viewer):
    register(passkeys, viewer)
    with pytest.raises(SignedOut):
        ada.view()
    assert ada.view(awaiting=SECOND_FACTOR).operator == ada.operator


WHERE = {
    "https": ("https://auth.example.com", True),
    "https with a port and a path": ("https://auth.example.com:8443/tokens", True),
    "this machine by its name": ("http://localhost:8000", True),
    "this machine by its address": ("http://127.0.0.1:8000", False),
    "an IPv6 address": ("https://[2001:db8::1]", False),
    "an address over https": ("https://192.0.2.1", False),
    "a name without https": ("http://auth.example.com", False),
}


@pytest.mark.parametrize(("issuer", "there"), WHERE.values(), ids=WHERE.keys())
def test_passkeys_are_where_browsers_make_them(issuer, there):
    assert (unavailable_at(issuer) is None) is there


def test_elsewhere_they_are_refused_with_the_reason(workshop, viewer):
    elsewhere = workshop.beside(issuer="http://127.0.0.1:8000").services.passkeys
    for ask in (elsewhere.ask, lambda: elsewhere.offer(viewer)):
        with pytest.raises(NoPasskeysHere, match="IP address"):
            ask()


@pytest.mark.parametrize("issuer", ["https://Auth.Example.COM:443/here", "https://auth.example.com"])
def test_the_origin_is_written_as_browsers_write_it(workshop, issuer):
    node = workshop.beside(issuer=issuer)
    person = a_person(node)
    register(node.services.passkeys, person.view())

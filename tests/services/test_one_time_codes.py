"""Is a one-time code good once, for half a minute and a little, and for its operator only?"""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree as ET

import pyotp
import pytest

from app.services.one_time_codes import STEP, CodesAreOn, NothingBegun
from app.services.sessions import SignedOut
from tests.support.people import a_person
from tests.support.workshop import at_once, succeeded
from tokenserver.errors import InvalidInput, InvalidToken

both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture
def codes(workshop):
    return workshop.services.one_time_codes


@pytest.fixture
def ada(workshop):
    return a_person(workshop)


class Phone:
    """An app that was shown the picture."""

    def __init__(self, workshop, viewer):
        secret = workshop.services.one_time_codes.setting_up(viewer).secret.replace(" ", "")
        self._maker, self._clock = pyotp.TOTP(secret), workshop.clock

    def shows(self, steps: int = 0) -> str:
        return self._maker.at(int(self._clock.now) + steps * STEP)


def set_up(workshop, viewer):
    workshop.services.one_time_codes.begin(viewer)
    phone = Phone(workshop, viewer)
    workshop.services.one_time_codes.confirm(viewer, phone.shows())
    workshop.clock.advance(STEP)
    return phone


def is_taken(workshop, person, code):
    with workshop.services.store.writing() as tx:
        return workshop.services.one_time_codes.use_in(tx, person.operator.id, code, workshop.clock())


@both
def test_codes_count_from_the_first_right_one_on(workshop, codes, ada):
    viewer = ada.view()
    codes.begin(viewer)
    phone = Phone(workshop, viewer)
    assert not is_taken(workshop, ada, phone.shows())
    with pytest.raises(InvalidInput) as refused:
        codes.confirm(viewer, "000000" if phone.shows() != "000000" else "111111")
    assert refused.value.faults[0].pointer == "/code"
    assert ada.view().operator == ada.operator, "a password is still enough"
    assert len(codes.confirm(viewer, phone.shows())) == 10
    assert workshop.services.own_proofs.list(viewer).one_time_codes_since == int(workshop.clock())
    assert [line["event"] for line in workshop.audit_lines("one_time_codes")] == ["one_time_codes:enabled"]
    with pytest.raises(SignedOut):
        ada.view()


def test_what_an_app_is_told_is_what_it_needs(workshop, codes, ada):
    viewer = ada.view()
    codes.begin(viewer)
    made = codes.setting_up(viewer)
    url = urlsplit(made.uri)
    assert (url.scheme, url.netloc) == ("otpauth", "totp")
    assert unquote(url.path) == "/auth.example.com:ada@example.com"
    told = parse_qs(url.query)
    assert told["secret"] == [made.secret.replace(" ", "")]
    assert told["issuer"] == ["auth.example.com"]
    assert len(told["secret"][0]) == 32, "160 bits"
    assert made.secret not in repr(made)


def test_the_picture_needs_no_style_and_no_script(workshop, codes, ada):
    """The policy of the pages allows neither."""
    viewer = ada.view()
    codes.begin(viewer)
    root = ET.fromstring(codes.setting_up(viewer).picture)  # noqa: S314  made by our own server
    assert {element.tag for element in root.iter()} == {"svg", "path"}
    assert {name for element in root.iter() for name in element.attrib} <= {
        *("viewBox", "class", "transform", "stroke", "fill", "d")
    }


def test_the_seed_is_sealed_and_the_same_until_it_is_confirmed(workshop, codes, ada):
    viewer = ada.view()
    codes.begin(viewer)
    secret = codes.setting_up(viewer).secret
    assert codes.setting_up(viewer).secret == secret
    with workshop.services.store.reading() as tx:
        assert secret.replace(" ", "").encode() not in tx.sign_in.one_time_codes(ada.operator.id).sealed
    codes.begin(viewer)
    assert codes.setting_up(viewer).secret != secret


@both
def test_no_code_is_taken_twice_even_by_many_at_once(workshop, ada):
    phone = set_up(workshop, ada.view())
    nodes = [workshop, *(workshop.beside() for _ in range(3))]
    code = phone.shows()
    outcomes = at_once(*((lambda node=node: is_taken(node, ada, code)) for node in nodes))
    assert sorted(succeeded(outcomes)) == [False, False, False, True]
    assert not is_taken(workshop, ada, code)
    for node in nodes[1:]:
        node.close()


def test_the_code_that_turned_them_on_is_used(workshop, codes, ada):
    viewer = ada.view()
    codes.begin(viewer)
    phone = Phone(workshop, viewer)
    codes.confirm(viewer, phone.shows())
    assert not is_taken(workshop, ada, phone.shows())


@pytest.mark.parametrize(("steps", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_wrong_by_one_step(workshop, ada, steps, taken):
    phone = set_up(workshop, ada.view())
    workshop.clock.advance(10 * STEP)
    assert is_taken(workshop, ada, phone.shows(steps)) is taken


def test_after_a_later_code_no_earlier_one_is_good(workshop, ada):
    phone = set_up(workshop, ada.view())
    workshop.clock.advance(10 * STEP)
    assert is_taken(workshop, ada, phone.shows(1))
    assert not is_taken(workshop, ada, phone.shows(0))
    workshop.clock.advance(2 * STEP)
    assert is_taken(workshop, ada, phone.shows())


def test_a_clock_set_back_makes_no_used_code_good_again(workshop, ada):
    phone = set_up(workshop, ada.view())
    workshop.clock.advance(100 * STEP)
    used = phone.shows()
    assert is_taken(workshop, ada, used)
    workshop.clock.advance(-50 * STEP)
    other = workshop.beside()
    assert not is_taken(other, ada, phone.shows())
    assert not is_taken(other, ada, used)


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "-12345", "1" * 10_000, "12 34"])
def test_what_is_no_code_is_not_taken(workshop, ada, code):
    set_up(workshop, ada.view())
    assert not is_taken(workshop, ada, code)


def test_spaces_do_not_matter(workshop, ada):
    code = set_up(workshop, ada.view()).shows()
    assert is_taken(workshop, ada, f" {code[:3]} {code[3:]}\n")


def test_a_code_is_of_one_operator(workshop, ada):
    bob = a_person(workshop, "bob@example.com")
    phone = set_up(workshop, ada.view())
    set_up(workshop, bob.view())
    assert not is_taken(workshop, bob, phone.shows())
    assert is_taken(workshop, ada, phone.shows())


def test_turning_off_leaves_nothing_behind(workshop, codes, ada):
    viewer = ada.view()
    phone = set_up(workshop, viewer)
    codes.disable(viewer)
    assert not is_taken(workshop, ada, phone.shows())
    assert workshop.services.own_proofs.list(viewer).recovery_codes_left == 0
    assert ada.view().operator == ada.operator
    codes.disable(viewer)  # there is nothing left to turn off
    assert [line["event"] for line in workshop.audit_lines("one_time_codes")] == [
        *("one_time_codes:enabled", "one_time_codes:disabled")
    ]


def test_what_is_on_is_not_set_up_again_and_what_was_not_begun_is_not_confirmed(workshop, codes, ada):
    viewer = ada.view()
    for premature in (lambda: codes.confirm(viewer, "123456"), lambda: codes.setting_up(viewer)):
        with pytest.raises(NothingBegun):
            premature()
    phone = set_up(workshop, viewer)
    with pytest.raises(CodesAreOn):
        codes.begin(viewer)
    for late in (lambda: codes.confirm(viewer, phone.shows()), lambda: codes.setting_up(viewer)):
        with pytest.raises(NothingBegun):
            late()


def test_a_session_that_has_ended_sets_up_nothing(workshop, codes, ada):
    viewer = ada.view()
    workshop.services.sessions.sign_out(viewer)
    for change in (lambda: codes.begin(viewer), lambda: codes.confirm(viewer, "123456"), lambda: codes.disable(viewer)):
        with pytest.raises(InvalidToken):
            change()

"""Does a recovery code stand in once, for its operator, while there is something to stand in for?"""

from __future__ import annotations

import re

import pytest

from app.services import recovery_codes
from app.services.recovery_codes import NothingToRecover
from app.store.sign_in import Passkey
from tests.support.people import a_person
from tests.support.workshop import at_once, succeeded

both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture
def ada(workshop):
    """Signed in, with a passkey."""
    person = a_person(workshop)
    viewer = person.view()
    with workshop.services.store.writing() as tx:
        tx.sign_in.add_passkey(Passkey("key", person.operator.id, "Key", b"", 0, 0))
    return viewer


def use(workshop, viewer, code):
    with workshop.services.store.writing() as tx:
        return recovery_codes.use_in(tx, viewer.caller(), viewer.operator.id, code, workshop.clock())


@both
def test_ten_are_made_and_each_is_good_once(workshop, ada):
    codes = workshop.services.recovery_codes.renew(ada)
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"([a-z2-7]{4}-){3}[a-z2-7]{4}", code) for code in codes)
    assert [use(workshop, ada, code) for code in codes] == [True] * 10
    assert [use(workshop, ada, code) for code in codes] == [False] * 10
    lines = workshop.audit_lines("recovery_code")
    assert [line["detail"] for line in lines] == [{"count": 10}, *({"left": left} for left in reversed(range(10)))]
    assert not any(code in str(workshop.audit_lines()) for code in codes)


@both
def test_one_that_many_use_at_once_is_good_for_one(workshop, ada):
    code = workshop.services.recovery_codes.renew(ada)[0]
    nodes = [workshop, *(workshop.beside() for _ in range(3))]
    outcomes = at_once(*((lambda node=node: use(node, ada, code)) for node in nodes))
    assert sorted(succeeded(outcomes)) == [False, False, False, True]
    for node in nodes[1:]:
        node.close()


def test_they_may_be_written_as_people_write(workshop, ada):
    first, second, third = workshop.services.recovery_codes.renew(ada)[:3]
    assert use(workshop, ada, first.upper())
    assert use(workshop, ada, f"  {second.replace('-', ' ')} ")
    assert use(workshop, ada, third.replace("-", ""))


@pytest.mark.parametrize("code", ["", "-", "aaaa-aaaa-aaaa-aaaa", "x" * 10_000, "\udcff"])
def test_what_is_no_code_is_not_taken(workshop, ada, code):
    workshop.services.recovery_codes.renew(ada)
    assert not use(workshop, ada, code)


def test_new_ones_end_those_that_were_left(workshop, ada):
    old, new = (workshop.services.recovery_codes.renew(ada) for _ in range(2))
    assert not any(use(workshop, ada, code) for code in old)
    assert use(workshop, ada, new[0])


def test_a_code_is_of_one_operator(workshop, ada):
    bob = a_person(workshop, "bob@example.com").view()
    code = workshop.services.recovery_codes.renew(ada)[0]
    assert not use(workshop, bob, code)
    assert use(workshop, ada, code)


def test_there_are_none_without_a_second_factor(workshop):
    with pytest.raises(NothingToRecover):
        workshop.services.recovery_codes.renew(a_person(workshop).view())


def test_they_go_with_the_last_second_factor(workshop, ada):
    code = workshop.services.recovery_codes.renew(ada)[0]
    workshop.services.passkeys.remove(ada, "key")
    assert not use(workshop, ada, code)


def test_only_digests_are_kept(workshop, ada):
    codes = workshop.services.recovery_codes.renew(ada)
    with workshop.services.store.reading() as tx:
        rows = tx.session.connection().exec_driver_sql("SELECT id FROM recovery_code").scalars().all()
    assert all(re.fullmatch("[0-9a-f]{64}", row) for row in rows)
    assert set(rows) == {recovery_codes.digest_of(ada.operator.id, code) for code in codes}

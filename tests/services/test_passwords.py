"""Is a password kept so that only the right one matches, and is an unfit one refused with what to do?"""

from __future__ import annotations

import threading

import pytest
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST, RFC_9106_LOW_MEMORY

from app.services import passwords as module
from app.services.passwords import LONGEST, SHORTEST, Passwords
from tokenserver.errors import InvalidInput, Unavailable

EMAIL = "ada@example.com"
GOOD = "ten green bottles on a wall"


@pytest.fixture
def passwords():
    return Passwords(CHEAPEST)


def test_the_right_one_matches_and_no_other(passwords):
    kept = passwords.hash(GOOD)
    assert passwords.matches(GOOD, kept)
    assert not passwords.matches(GOOD + " ", kept)
    assert not passwords.matches("", kept)
    assert GOOD not in kept


def test_nobody_s_password_matches_nothing(passwords):
    assert not passwords.matches(GOOD, None)
    assert not passwords.matches("nobody has this one", None)


def test_what_is_no_hash_matches_nothing(passwords):
    assert not passwords.matches(GOOD, "not a hash")


def test_a_letter_is_the_same_however_the_keyboard_writes_it(passwords):
    assert passwords.matches("cafe\u0301 au lait noir", passwords.hash("caf\u00e9 au lait noir"))


def test_where_nobody_has_a_password_one_is_hashed_all_the_same(passwords, monkeypatch):
    hashed = []
    verify = PasswordHasher.verify

    def counted(*given):
        hashed.append(1)
        return verify(*given)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    passwords.matches(GOOD, None)
    passwords.matches(GOOD, passwords.hash("another one of some length"))
    assert len(hashed) == 2


def test_the_profile_of_a_server_is_the_one_of_the_rfc():
    kept = Passwords().hash(GOOD)
    assert kept.startswith("$argon2id$")
    assert not PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY).check_needs_rehash(kept)
    assert Passwords().is_out_of_date(Passwords(CHEAPEST).hash(GOOD))


UNFIT = {
    "too short": ("x" * (SHORTEST - 1), "12 to 256"),
    "too long": ("x" * (LONGEST + 1), "12 to 256"),
    "empty": ("", "12 to 256"),
    "known": ("Qwertyuiop123", "known breaches"),
    "the product": ("tokenserver2026", "this product"),
    "the address": ("ada@example.com", "e-mail address"),
}


@pytest.mark.parametrize(("password", "hint"), UNFIT.values(), ids=UNFIT.keys())
def test_an_unfit_one_is_refused_at_its_field_without_being_echoed(passwords, password, hint):
    with pytest.raises(InvalidInput) as refused:
        passwords.refuse_unfit(password, EMAIL)
    (fault,) = refused.value.faults
    assert fault.pointer == "/password"
    assert hint in fault.hint
    assert not password or password not in fault.hint


@pytest.mark.parametrize("password", [GOOD, "一二三四五六七八九十百千", "x1" * 128, "            z"])
def test_length_is_all_that_is_asked(passwords, password):
    passwords.refuse_unfit(password, EMAIL)


def test_no_more_than_two_are_hashed_at_once_and_who_waits_too_long_is_told(monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 0.05)
    passwords = Passwords(CHEAPEST)
    inside, leave = threading.Semaphore(0), threading.Event()

    def hash_for_long(*_):
        inside.release()
        leave.wait(30)
        return "hash"

    monkeypatch.setattr(PasswordHasher, "hash", hash_for_long)
    threads = [threading.Thread(target=passwords.hash, args=(GOOD,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert inside.acquire(timeout=30)
    assert inside.acquire(timeout=30)
    with pytest.raises(Unavailable):
        passwords.hash(GOOD)
    leave.set()
    for thread in threads:
        thread.join()
    assert passwords.hash(GOOD) == "hash"

"""Are passwords of known breaches recognized, and good ones not taken for them?"""

from __future__ import annotations

import hashlib
import secrets

import pytest

from app.services.known_passwords import KEPT, PATH, is_about, is_known

DIGEST = "da5750a58fd12ba4186059149c1000d565aa4c9cdea24e0913177b1fe9009789"


def test_the_list_is_the_one_that_was_looked_at():
    assert hashlib.sha256(PATH.read_bytes()).hexdigest() == DIGEST


def test_the_list_is_sorted_small_and_under_its_licence():
    packed = PATH.read_bytes()
    entries = [packed[start : start + KEPT] for start in range(0, len(packed), KEPT)]
    assert entries == sorted(set(entries))
    assert len(entries) == 43_940
    assert len(packed) < 256 * 1024
    assert "Daniel Miessler" in PATH.with_suffix(".LICENSE").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "password", ["123456789012", "qwertyuiop123", "passwordpassword", "PasswordPassword", "1q2w3e4r5t6y"]
)
def test_what_is_tried_first_is_known_in_whatever_case(password):
    assert is_known(password)


@pytest.mark.parametrize("password", ["ten green bottles on a wall", "", "\udcff" * 12, "двенадцать стульев"])
def test_what_was_never_seen_is_not_known(password):
    assert not is_known(password)


def test_random_passwords_are_not_taken_for_known_ones():
    assert not any(is_known(secrets.token_urlsafe(12)) for _ in range(10_000))


CASES = {
    "the product": ("TokenServer-2026!", True),
    "the product twice": ("tokenserver tokenserver", True),
    "the address": ("Ada.Lovelace@example.com", True),
    "the name in the address, with digits": ("ada.lovelace1815", True),
    "a name among other words": ("ada lovelace was here first", False),
    "digits alone are of nobody": ("918273645546", False),
    "nothing is of nobody": ("", False),
}


@pytest.mark.parametrize(("password", "about"), CASES.values(), ids=CASES.keys())
def test_a_name_and_nothing_else_is_no_password(password, about):
    assert is_about(password, "ada.lovelace@example.com") is about

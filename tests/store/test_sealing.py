"""Does a sealed value open for its key and purpose only, and are the embedded keys made once and kept shut?"""

from __future__ import annotations

import base64
import os
import stat
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.settings import InvalidSettings, load
from app.store.sealing import CannotUnseal, Sealer, key_encryption_key, pepper_key
from tests.support.credentials import QUICK

KEK = bytes(range(32))
SEALER = Sealer(KEK)
SEALED = SEALER.seal(b"a private key", "signing-key:1")
READERS = {"pepper": pepper_key, "kek": key_encryption_key}


@QUICK
@given(st.binary(max_size=5000), st.text(max_size=50).filter(lambda text: text.isprintable()))
def test_what_was_sealed_opens_again(clear, purpose):
    assert SEALER.unseal(SEALER.seal(clear, purpose), purpose) == clear


def test_the_same_value_is_never_sealed_the_same_way_twice():
    assert len({SEALER.seal(b"a private key", "p") for _ in range(100)}) == 100


def test_nothing_of_the_value_is_to_be_seen():
    assert b"private" not in SEALED


@pytest.mark.parametrize("kek", [bytes(32), KEK[:-1] + b"\0", KEK[::-1]])
def test_another_key_does_not_open_it(kek):
    with pytest.raises(CannotUnseal):
        Sealer(kek).unseal(SEALED, "signing-key:1")


def test_a_value_that_was_moved_to_another_row_does_not_open():
    with pytest.raises(CannotUnseal):
        SEALER.unseal(SEALED, "signing-key:2")


def test_no_bit_of_it_can_be_changed():
    for place in range(len(SEALED)):
        altered = bytearray(SEALED)
        altered[place] ^= 1
        with pytest.raises(CannotUnseal):
            SEALER.unseal(bytes(altered), "signing-key:1")


@QUICK
@given(st.binary(max_size=200))
def test_bytes_that_were_never_sealed_are_refused(junk):
    with pytest.raises(CannotUnseal):
        SEALER.unseal(junk, "signing-key:1")


@pytest.mark.parametrize("length", [0, 1, 40, 41, 53, len(SEALED) - 1])
def test_a_value_that_was_cut_off_is_refused(length):
    with pytest.raises(CannotUnseal):
        SEALER.unseal(SEALED[:length], "signing-key:1")


# --- the files of the embedded default ---


def settings_at(home):
    return load({}, dotenv=None, home=home)


def read(name, home):
    return READERS[name](settings_at(home))


@pytest.mark.parametrize("name", READERS)
def test_a_key_is_made_at_first_start_and_stays(tmp_path, name):
    home = tmp_path / "new" / "home"
    made = read(name, home)
    assert len(made) == 32
    assert read(name, home) == made
    assert stat.S_IMODE((home / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert [path.name for path in home.iterdir()] == [name]


def test_pepper_and_kek_are_two_keys(tmp_path):
    assert read("pepper", tmp_path) != read("kek", tmp_path)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_it_is_shut_whatever_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        home = tmp_path / "home"
        home.mkdir(mode=0o700)
        home.chmod(0o700)
        read("kek", home)
    finally:
        os.umask(before)
    assert stat.S_IMODE((home / "kek").stat().st_mode) & 0o077 == 0


def read_both(home, rounds):
    return [(read("pepper", home / str(number)), read("kek", home / str(number))) for number in range(rounds)]


@pytest.mark.slow
def test_processes_that_start_together_make_one_key(tmp_path):
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as processes:
        first, *others = processes.map(read_both, [tmp_path] * 3, [20] * 3)
    assert all(other == first for other in others)
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"kek", "pepper"}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o620, 0o601])
def test_a_key_that_others_can_read_or_write_is_refused(tmp_path, mode):
    read("kek", tmp_path)
    (tmp_path / "kek").chmod(mode)
    with pytest.raises(InvalidSettings, match="chmod 600"):
        read("kek", tmp_path)


DAMAGED = {
    "an empty file": b"",
    "half a key": base64.b64encode(bytes(16)),
    "not base64": b"?" * 50,
    "broken padding": base64.b64encode(bytes(32))[:-2],
    "not ASCII": "ключ".encode() * 9,
    "not text": bytes(range(128, 255)),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_key_is_refused_by_name_and_never_replaced(tmp_path, content):
    """A new one in its place would make every secret or sealed key worthless."""
    (tmp_path / "kek").write_bytes(content)
    (tmp_path / "kek").chmod(0o600)
    with pytest.raises(InvalidSettings, match="kek"):
        read("kek", tmp_path)
    assert (tmp_path / "kek").read_bytes() == content


def test_a_key_in_the_settings_makes_no_file(tmp_path):
    given = load({}, dotenv=None, home=tmp_path, kek=KEK, pepper=KEK)
    assert key_encryption_key(given) == pepper_key(given) == KEK
    assert list(tmp_path.iterdir()) == []

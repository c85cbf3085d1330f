"""What a secret looks like, what is remembered of it, and that it never shows itself."""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
import logging
import pickle
import re
import traceback
import zlib
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.support import vectors
from tests.support.credentials import CLIENT_ID, QUICK
from tests.support.tokens import VECTORS
from tokenserver.domain.secret import (
    ALPHABET,
    Pepper,
    Secret,
    digest,
    hint,
    is_secret_of,
    looks_like_client_id,
    looks_like_secret,
    new_client_id,
    new_secret,
    random_text,
)

PEPPER = Pepper.of(bytes(range(32)))
OTHER_PEPPER = Pepper.of(bytes(range(1, 33)))

RECORDED = json.loads((VECTORS / "secrets.json").read_text())


def test_the_vectors_can_be_made_again_and_nothing_changes() -> None:
    assert vectors.secrets() == RECORDED


@pytest.mark.parametrize("vector", RECORDED["well_formed"], ids=lambda vector: vector["name"])
def test_well_formed_secrets_of_all_releases_are_recognised(vector: dict[str, str]) -> None:
    assert looks_like_secret(vector["secret"])
    assert hint(Secret(vector["secret"])) == vector["hint"]


@pytest.mark.parametrize("vector", RECORDED["malformed"], ids=lambda vector: vector["name"])
def test_malformed_secrets_are_refused_before_any_look_up(vector: dict[str, str]) -> None:
    assert not looks_like_secret(vector["secret"])


@pytest.mark.parametrize("vector", RECORDED["digests"], ids=lambda vector: vector["name"])
def test_digests_of_all_releases_still_prove_their_secrets(vector: dict[str, str]) -> None:
    key = bytes.fromhex(vector["pepper_hex"])
    message = f"{vector['client_id']}\0{vector['secret']}".encode("utf-8", "surrogatepass")
    assert hmac.new(key, message, hashlib.sha256).hexdigest() == vector["digest_hex"]
    pepper = Pepper.of(key)
    assert pepper.id == vector["pepper_id"]
    computed = digest(vector["client_id"], vector["secret"], pepper)
    assert is_secret_of(bytes.fromhex(vector["digest_hex"]), computed)


def test_a_new_secret_has_the_documented_form_and_is_never_the_same() -> None:
    made = [new_secret().reveal() for _ in range(100)]
    assert all(re.fullmatch(r"tss_[0-9A-Za-z]{46}", text) for text in made)
    assert all(map(looks_like_secret, made))
    assert len(set(made)) == 100


def test_a_new_client_id_has_the_documented_form_and_is_never_the_same() -> None:
    made = [new_client_id() for _ in range(100)]
    assert all(re.fullmatch(r"tsc_[0-9A-Za-z]{22}", text) for text in made)
    assert all(map(looks_like_client_id, made))
    assert len(set(made)) == 100


CLIENT_IDS = {
    "the form": (CLIENT_ID, True),
    "a character too few": (CLIENT_ID[:-1], False),
    "a character too many": (CLIENT_ID + "0", False),
    "a secret's prefix": ("tss_" + CLIENT_ID[4:], False),
    "a line break at the end": (CLIENT_ID + "\n", False),
    "a hyphen": (CLIENT_ID[:-1] + "-", False),
    "nothing": ("", False),
}


@pytest.mark.parametrize(("text", "good"), CLIENT_IDS.values(), ids=CLIENT_IDS.keys())
def test_a_client_id_is_recognised_by_its_form(text: str, good: bool) -> None:
    assert looks_like_client_id(text) is good


def with_checksum(body: str) -> str:
    """By the documentation: six base62 digits of the CRC-32 of everything before them."""
    number, digits = zlib.crc32(body.encode()), []
    while number:
        number, digit = divmod(number, 62)
        digits.append(ALPHABET[digit])
    return body + "".join(reversed(digits)).rjust(6, "0")


SECRETS = st.text(ALPHABET, min_size=40, max_size=40).map(lambda text: with_checksum("tss_" + text))


@QUICK
@given(SECRETS)
def test_the_checksum_is_as_documented(secret: str) -> None:
    assert looks_like_secret(secret)


@QUICK
@given(SECRETS, st.integers(0, 49), st.characters(codec="utf-8"))
def test_the_checksum_finds_any_character_that_was_mistyped(secret: str, place: int, typed: str) -> None:
    assume(typed != secret[place])
    assert not looks_like_secret(secret[:place] + typed + secret[place + 1 :])


@QUICK
@given(SECRETS, st.integers(0, 48))
def test_the_checksum_finds_any_two_neighbours_that_were_exchanged(secret: str, place: int) -> None:
    one, other = secret[place], secret[place + 1]
    assume(one != other)
    assert not looks_like_secret(secret[:place] + other + one + secret[place + 2 :])


@QUICK
@given(st.text())
def test_any_text_is_a_secret_or_not(text: str) -> None:
    assert looks_like_secret(text) in {True, False}


@QUICK
@given(SECRETS)
def test_a_hint_shows_the_prefix_and_four_characters(secret: str) -> None:
    assert hint(Secret(secret)) == "tss_…" + secret[-4:]


SHOWN: dict[str, Callable[[Secret], object]] = {
    "repr": repr,
    "str": str,
    "format": format,
    "an f-string": lambda secret: f"{secret} {secret!r} {secret!s}",
    "the percent sign": lambda secret: "%s %r" % (secret, secret),  # noqa: UP031  that is the case
    "a list of it": lambda secret: repr([secret]),
    "its attributes": lambda secret: repr([name for name in dir(secret) if not name.startswith("_")]),
    "its class in a dataclass-like mapping": lambda secret: repr({"secret": secret}),
}


@pytest.mark.parametrize("show", SHOWN.values(), ids=SHOWN.keys())
def test_a_secret_is_shown_only_to_who_asks_by_name(show: Callable[[Secret], object]) -> None:
    secret = new_secret()
    assert secret.reveal()[4:] not in str(show(secret))


IMPOSSIBLE: dict[str, Callable[[Secret], object]] = {
    "pickled": pickle.dumps,
    "copied": copy.copy,
    "copied with all it is in": lambda secret: copy.deepcopy([secret]),
    "written as JSON": json.dumps,
    "taken apart": vars,
    "padded by a format": lambda secret: f"{secret:>60}",
    "given other attributes": lambda secret: setattr(secret, "shown", secret.reveal()),
    "joined to text": lambda secret: "secret: " + secret,  # type: ignore[operator]
    "encoded": bytes,  # type: ignore[dict-item]
}


@pytest.mark.parametrize("use", IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_a_secret_cannot_be(use: Callable[[Secret], object]) -> None:
    secret = new_secret()
    with pytest.raises((TypeError, AttributeError)) as refusal:
        use(secret)
    assert secret.reveal()[4:] not in str(refusal.value)


def test_a_secret_does_not_come_out_in_logs_and_tracebacks(caplog: pytest.LogCaptureFixture) -> None:
    secret = new_secret()
    log = logging.getLogger("tests.secret")
    with caplog.at_level(logging.DEBUG):
        log.debug("%s %r %s", secret, secret, {"secret": secret}, extra={"secret": secret})
        try:
            raise ValueError(secret)
        except ValueError as fault:
            log.exception("refused")
            told = traceback.TracebackException.from_exception(fault, capture_locals=True)
            text = "".join(told.format())
    assert secret.reveal()[4:] not in caplog.text
    assert secret.reveal()[4:] not in text


DIFFERENT = {
    "the last of many bytes, beyond what bcrypt reads": ("a" * 100 + "b", "a" * 100 + "c"),
    "what follows a NUL": ("before\0after", "before\0other"),
    "a NUL at the end": ("secret", "secret\0"),
    "case": ("Secret", "secret"),
    "a space at the end": ("secret", "secret "),
    "a line break at the end": ("secret", "secret\n"),
    "the way an accent is written": ("caf\u00e9", "cafe\u0301"),
    "letters that look alike": ("secret", "s\u0435cret"),
    "letters that fold together": ("\ufb01", "fi"),
    "half a surrogate pair and what stands for it": ("\ud800", "\ufffd"),
    "nothing and a NUL": ("", "\0"),
}


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_every_byte_of_a_secret_counts(one: str, other: str) -> None:
    assert not is_secret_of(digest(CLIENT_ID, one, PEPPER), digest(CLIENT_ID, other, PEPPER))


@QUICK
@given(st.text(), st.text())
def test_two_secrets_have_one_digest_only_if_they_are_one(one: str, other: str) -> None:
    same = is_secret_of(digest(CLIENT_ID, one, PEPPER), digest(CLIENT_ID, other, PEPPER))
    assert same is (one == other)


def test_a_digest_is_bound_to_its_client_and_its_pepper() -> None:
    secret = new_secret().reveal()
    mine = digest(CLIENT_ID, secret, PEPPER)
    assert len(mine) == 32
    assert is_secret_of(mine, digest(CLIENT_ID, secret, PEPPER))
    assert not is_secret_of(mine, digest(new_client_id(), secret, PEPPER))
    assert not is_secret_of(mine, digest(CLIENT_ID, secret, OTHER_PEPPER))


def test_a_pepper_is_known_by_an_id_that_tells_nothing_of_it() -> None:
    assert PEPPER.id == Pepper.of(bytes(range(32))).id
    assert PEPPER.id != OTHER_PEPPER.id
    assert re.fullmatch(r"[0-9a-f]{16}", PEPPER.id)
    assert PEPPER.id not in {PEPPER.key.hex()[:16], hashlib.sha256(PEPPER.key).hexdigest()[:16]}


def test_a_pepper_does_not_show_itself() -> None:
    assert repr(PEPPER) == f"Pepper(id='{PEPPER.id}')"
    assert str(PEPPER) == repr(PEPPER)


@pytest.mark.parametrize(("length", "good"), [(0, False), (31, False), (32, True), (64, True)])
def test_a_pepper_has_at_least_32_bytes(length: int, good: bool) -> None:
    if good:
        assert Pepper.of(b"p" * length).key == b"p" * length
        return
    with pytest.raises(ValueError, match="at least 32 bytes"):
        Pepper.of(b"p" * length)


def test_every_character_of_a_random_text_is_as_likely_as_another() -> None:
    """Where bytes were taken as they come, the first eight characters would come a quarter more often."""
    counted = Counter(random_text(62_000))
    assert set(counted) == set(ALPHABET)
    assert all(800 < count < 1200 for count in counted.values())
    first = sum(counted[character] for character in ALPHABET[:8]) / 8
    assert 0.95 < first / 1000 < 1.05
    assert [len(random_text(length)) for length in (0, 1, 22, 40)] == [0, 1, 22, 40]

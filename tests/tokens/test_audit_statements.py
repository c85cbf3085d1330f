"""Checkpoints and stubs as signed statements: round trips, and each member that may be wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.credentials import NOW, QUICK
from tests.support.tokens import ISSUER, key_of, private_keys, signed, without
from tokenserver.domain.audit import GENESIS, Head
from tokenserver.domain.generation import LARGEST
from tokenserver.errors import InvalidToken
from tokenserver.tokens.audit_statements import (
    AUDIT_CHECKPOINT,
    AUDIT_STUB,
    LONGEST_AUDIT_STATEMENT,
    MOST_HEADS,
    Checkpoint,
    Stub,
    read_checkpoint,
    read_stub,
)
from tokenserver.tokens.jws import Signer, UnknownKey

SIGNER = Signer(private_keys()["ES256"], AUDIT_CHECKPOINT)
HEAD = Head("changes", 7, "a" * 64)
CHECKPOINT = Checkpoint(ISSUER, NOW, 2, "b" * 64, (HEAD, Head("issued-1", 1, GENESIS)))
STUB = Stub(ISSUER, NOW, HEAD)

NUMBERS = st.integers(1, LARGEST)
HASHES = st.text("0123456789abcdef", min_size=64, max_size=64)
HEADS = st.builds(Head, st.text("abcXYZ019-", min_size=1, max_size=20), NUMBERS, HASHES)


@given(st.builds(Checkpoint, st.just(ISSUER), NUMBERS, NUMBERS, HASHES, st.lists(HEADS, max_size=5).map(tuple)))
@QUICK
def test_a_checkpoint_reads_back_as_what_was_signed(checkpoint):
    assert read_checkpoint(SIGNER.sign(checkpoint.payload()), key_of) == checkpoint


def test_a_stub_reads_back_as_what_was_signed():
    text = Signer(private_keys()["ES256"], AUDIT_STUB).sign(STUB.payload())
    assert read_stub(text, key_of) == STUB
    assert read_stub(text, None) == STUB


def test_without_keys_it_is_read_and_nothing_is_proven():
    forged = SIGNER.sign(CHECKPOINT.payload())[:-10] + "AAAAAAAAAA"
    assert read_checkpoint(forged, None) == CHECKPOINT
    with pytest.raises(InvalidToken):
        read_checkpoint(forged, key_of)
    with pytest.raises(UnknownKey):
        read_checkpoint(SIGNER.sign(CHECKPOINT.payload()), lambda _: None)


def test_the_largest_checkpoint_is_not_too_long():
    heads = tuple(Head(f"issued-{number:016x}", LARGEST, "f" * 64) for number in range(MOST_HEADS))
    text = SIGNER.sign(Checkpoint(ISSUER, NOW, LARGEST, "b" * 64, heads).payload())
    assert len(text) <= LONGEST_AUDIT_STATEMENT
    assert len(read_checkpoint(text, key_of).heads) == MOST_HEADS


WRONG = {
    "no issuer": without("iss", CHECKPOINT.payload()),
    "no time": without("iat", CHECKPOINT.payload()),
    "no number": without("number", CHECKPOINT.payload()),
    "the number 0": {**CHECKPOINT.payload(), "number": 0},
    "a number that is true": {**CHECKPOINT.payload(), "number": True},
    "a number beyond all bounds": {**CHECKPOINT.payload(), "number": LARGEST + 1},
    "no link": without("prev", CHECKPOINT.payload()),
    "a link that is no hash": {**CHECKPOINT.payload(), "prev": "b" * 63},
    "no heads": without("heads", CHECKPOINT.payload()),
    "heads that are no list": {**CHECKPOINT.payload(), "heads": {"changes": 7}},
    "a head that lacks its hash": {**CHECKPOINT.payload(), "heads": [["changes", 7]]},
    "a head without a name": {**CHECKPOINT.payload(), "heads": [[7, 7, "a" * 64]]},
    "a head whose number is text": {**CHECKPOINT.payload(), "heads": [["changes", "7", "a" * 64]]},
    "a head with a short hash": {**CHECKPOINT.payload(), "heads": [["changes", 7, "a"]]},
    "a list": [],
}


@pytest.mark.parametrize("payload", WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("keys", [key_of, None], ids=["with keys", "without keys"])
def test_a_checkpoint_that_lacks_or_mistypes_a_member_is_refused(payload, keys):
    with pytest.raises(InvalidToken):
        read_checkpoint(signed(payload, typ=AUDIT_CHECKPOINT), keys)


@pytest.mark.parametrize("keys", [key_of, None], ids=["with keys", "without keys"])
def test_nothing_else_that_we_sign_passes_for_one(keys):
    for typ in ("at+jwt", "generations+jwt", AUDIT_STUB):
        with pytest.raises(InvalidToken):
            read_checkpoint(signed(CHECKPOINT.payload(), typ=typ), keys)
    with pytest.raises(InvalidToken):
        read_stub(signed(STUB.payload(), typ=AUDIT_CHECKPOINT), keys)


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c", "." * 10, "é.é.é", "a" * (LONGEST_AUDIT_STATEMENT + 1)])
def test_what_is_no_statement_at_all_is_refused(text):
    for keys in (key_of, None):
        with pytest.raises(InvalidToken):
            read_checkpoint(text, keys)

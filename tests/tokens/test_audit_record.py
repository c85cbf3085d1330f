"""A whole record, with its stubs and checkpoints: whatever is done to it, the first bad line is named."""

from __future__ import annotations

import json

import pytest

from tests.support.credentials import NOW
from tests.support.tokens import ISSUER, key_of, private_keys
from tokenserver.domain.audit import GENESIS, Entry, Event, Head, chained
from tokenserver.tokens.audit_record import Record
from tokenserver.tokens.audit_statements import (
    AUDIT_CHECKPOINT,
    AUDIT_STUB,
    CHECKPOINTS,
    Checkpoint,
    Stub,
    hash_of,
)
from tokenserver.tokens.jws import Signer
from tokenserver.tokens.keys import new_signing_key

KEY = private_keys()["ES256"]
STRANGERS = new_signing_key("ES256")


def line(name, head):
    return chained(Entry(Event.CREDENTIAL_CREATED, NOW, "shell", detail={"name": name}), head)


def lines(names, head=None):
    """Exported lines of the names, and the head they lead to."""
    head, found = head or Head("changes"), []
    for name in names:
        one = line(name, head)
        head = one.head
        found.append(one.exported())
    return found, head


def checkpoint(number, prev, *heads, key=KEY):
    return Signer(key, AUDIT_CHECKPOINT).sign(Checkpoint(ISSUER, NOW, number, prev, heads).payload())


def stub(head, key=KEY):
    return json.dumps({"stub": Signer(key, AUDIT_STUB).sign(Stub(ISSUER, NOW, head).payload())}, separators=(",", ":"))


def said(text):
    return json.dumps({"checkpoint": text}, separators=(",", ":"))


FIRST, AT_B = lines("ab")
OTHERS, AT_Y = lines("xy", Head("issued-1"))
ONE = checkpoint(1, GENESIS, AT_B, AT_Y)
SECOND, AT_D = lines("cd", AT_B)
TWO = checkpoint(2, hash_of(ONE), AT_D)
THIRD, AT_E = lines("e", AT_D)
RECORD = [*FIRST, *OTHERS, said(ONE), *SECOND, said(TWO), *THIRD]
"""Places: 1, 2 a, b; 3, 4 x, y; 5 the first checkpoint; 6, 7 c, d; 8 the second; 9 e."""


def flaw(record, **more):
    return Record(key_of, **more).verify(record)


def test_a_whole_record_is_good_with_keys_and_without():
    assert flaw(RECORD) is None
    assert Record().verify(RECORD) is None
    record = Record(key_of)
    assert record.verify([text + "\n" for text in RECORD], [AT_E, AT_Y]) is None
    assert (record.lines, record.checkpoints, record.stubs) == (7, 2, 0)


REWRITTEN, AT_REWRITTEN = lines("aB")
TAMPERINGS = {
    "a line is edited": ([*RECORD[:1], RECORD[1].replace('"b"', '"x"'), *RECORD[2:]], 2),
    "a line is removed": ([*RECORD[:1], *RECORD[2:]], 4),
    "a line before a checkpoint is cut off": ([*RECORD[:6], *RECORD[7:]], 7),
    "a line is inserted": ([*RECORD[:2], lines("z", AT_B)[0][0], *RECORD[2:]], 6),
    "two lines change places": ([RECORD[1], RECORD[0], *RECORD[2:]], 1),
    "a chain is left out": ([*RECORD[:2], *RECORD[4:]], 3),
    "lines and every hash after them are rewritten": ([*REWRITTEN, *RECORD[2:]], 5),
    "a checkpoint is removed": ([*RECORD[:4], *RECORD[5:]], 7),
    "checkpoints change places": ([*RECORD[:4], RECORD[7], *RECORD[5:7], RECORD[4], RECORD[8]], 5),
    "a checkpoint is doubled": ([*RECORD[:5], *RECORD[4:]], 6),
    "a checkpoint is edited": ([*RECORD[:4], RECORD[4].replace('"}', 'A"}'), *RECORD[5:]], 5),
    "a checkpoint is replaced by a stranger's": (
        [*RECORD[:4], said(checkpoint(1, GENESIS, AT_B, AT_Y, key=STRANGERS)), *RECORD[5:]],
        5,
    ),
    "a checkpoint of another history": (
        [*RECORD[:7], said(checkpoint(2, GENESIS, AT_D)), RECORD[8]],
        8,
    ),
    "lines are rewritten, and a stranger signs them": (
        [*REWRITTEN, *OTHERS, said(checkpoint(1, GENESIS, AT_REWRITTEN, AT_Y, key=STRANGERS))],
        5,
    ),
    "a stub comes behind its lines": ([*RECORD[:2], stub(AT_B), *RECORD[2:]], 3),
    "something that is no line": ([*RECORD[:8], '{"checkpoint":7}', RECORD[8]], 9),
    "a checkpoint without a signature": ([*RECORD[:4], '{"checkpoint":"e30.e30."}', *RECORD[5:]], 5),
}


@pytest.mark.parametrize(("record", "place"), TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_whatever_is_done_to_a_record_its_first_bad_line_is_named(record, place):
    found = flaw(record)
    assert found is not None
    assert found.place == place


def test_without_the_keys_a_rewritten_record_passes_which_is_why_they_are_asked_for():
    forged = [*REWRITTEN, said(checkpoint(1, GENESIS, AT_REWRITTEN, key=STRANGERS))]
    assert Record().verify(forged) is None
    assert flaw(forged) is not None


def test_a_checkpoint_that_was_put_aside_finds_a_record_that_was_cut_before_it():
    cut = RECORD[:7]
    assert flaw(cut) is None
    assert flaw(cut, kept=[TWO]) is not None
    assert flaw(RECORD, kept=[ONE, TWO]) is None
    again = [*REWRITTEN, *OTHERS, said(checkpoint(1, GENESIS, AT_REWRITTEN, AT_Y))]
    assert flaw(again) is None, "whoever holds the signing key can rewrite everything"
    assert flaw(again, kept=[ONE]) is not None, "but for what was put aside"


def test_a_record_whose_beginning_was_pruned_goes_on_from_its_stubs():
    pruned = [stub(AT_B), stub(Head(CHECKPOINTS, 1, hash_of(ONE))), *OTHERS, *SECOND, said(TWO), *THIRD]
    assert flaw(pruned) is None
    assert flaw(pruned, kept=[ONE, TWO]) is None, "one that was pruned need not be there"
    assert flaw(pruned[1:]) is not None
    assert flaw([pruned[0], *pruned[2:]]) is not None
    assert flaw([stub(AT_B, STRANGERS), *pruned[1:]]) is not None
    assert flaw([*pruned[:4], *pruned[5:]]) is not None


def test_lines_that_are_partly_pruned_keep_their_older_checkpoints():
    assert flaw([stub(Head("changes", 1, json.loads(FIRST[0])["hash"])), FIRST[1], *RECORD[2:]]) is None
    assert flaw([stub(AT_D), *OTHERS, said(ONE), said(TWO), *THIRD]) is None


def test_chains_must_end_at_their_heads_and_none_may_be_without():
    assert Record(key_of).verify(RECORD, [AT_D, AT_Y]) is not None
    assert Record(key_of).verify(RECORD, [AT_E]) is not None
    assert Record(key_of).verify(RECORD, [AT_E, AT_Y, Head("issued-2", 3, GENESIS)]) is not None

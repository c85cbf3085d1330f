"""Does each line follow the one before, in the transaction of what it records, and does nobody see half of it?"""

from __future__ import annotations

import json
from typing import ClassVar

import pytest
from sqlalchemy import text

from app.store.audit_log import CHANGES
from tests.support.workshop import NOW, at_once, failed
from tokenserver.domain.audit import GENESIS, Entry, Event, Head
from tokenserver.tokens.audit_record import verify


def entry(name="", **more):
    return Entry(Event.ROLE_CREATED, NOW, "shell", credential=name, **more)


def append(store, *entries):
    with store.writing() as tx:
        for one in entries:
            tx.audit.append(one)


def lines(store):
    with store.reading() as tx:
        return [stored.line for stored in tx.audit_record.items(lambda _: ())]


def flaw(store):
    with store.reading() as tx:
        return verify(tx.audit_record.items(lambda _: ()), tx.audit_record.heads())


@pytest.fixture
def store(store):
    """Without what preparing has written."""
    with store.writing() as tx:
        tx.session.execute(text("DELETE FROM audit_event"))
        tx.session.execute(text(f"UPDATE audit_chain SET seq = 0, hash = '{GENESIS}'"))
    return store


class AuditLogConformance:
    backend: str

    def test_lines_form_a_chain_whose_head_is_the_last(self, store):
        append(store, entry("a"), entry("b"))
        append(store, entry("c"))
        written = lines(store)
        assert [line.head.seq for line in written] == [1, 2, 3]
        assert [json.loads(line.text)["credential"] for line in written] == ["a", "b", "c"]
        with store.reading() as tx:
            assert tx.audit_record.heads() == [written[-1].head]
        assert flaw(store) is None

    def test_a_line_of_a_change_that_was_rolled_back_was_never_written(self, store):
        append(store, entry("a"))
        with pytest.raises(KeyError), store.writing() as tx:
            tx.audit.append(entry("lost"))
            raise KeyError
        append(store, entry("b"))
        assert [json.loads(line.text)["credential"] for line in lines(store)] == ["a", "b"]
        assert flaw(store) is None

    def test_the_chain_never_forks_however_many_write_at_once(self, workshop, store):
        other = workshop.beside().services.store

        def writer(store, name):
            def run():
                for number in range(10):
                    append(store, entry(f"{name}{number}"))

            return run

        assert (
            failed(at_once(*(writer(s, n) for s, n in ((store, "a"), (store, "b"), (other, "c"), (other, "d"))))) == []
        )
        assert [line.head.seq for line in lines(store)] == list(range(1, 41))
        assert flaw(store) is None

    def test_verifying_beside_a_busy_server_never_cries_wolf(self, workshop, store):
        """Lines and heads are of one moment, or every line written between reading them would look like a forgery."""
        other, flaws = workshop.beside().services.store, []

        def writer():
            for number in range(60):
                append(other, entry(f"{number}"))

        def verifier():
            while len(lines(store)) < 60:
                flaws.append(flaw(store))

        assert failed(at_once(writer, verifier)) == []
        assert set(flaws) <= {None}

    DEEDS: ClassVar = {
        "a line is edited": "UPDATE audit_event SET line = replace(line, '\"b\"', '\"x\"') WHERE seq = 2",
        "a line is removed": "DELETE FROM audit_event WHERE seq = 2",
        "the last line is removed": "DELETE FROM audit_event WHERE seq = 3",
        "every line is removed": "DELETE FROM audit_event",
        "a hash is replaced": f"UPDATE audit_event SET hash = '{GENESIS}' WHERE seq = 2",
        "two lines change places": "UPDATE audit_event SET seq = 5 - seq WHERE seq IN (2, 3)",
        "a head is moved back to hide a line": "UPDATE audit_chain SET seq = 2",
        "a line is told to be of another organization": "UPDATE audit_event SET organization_id = 'x' WHERE seq = 2",
        "a line is told to be of another time": "UPDATE audit_event SET at = at - 60 WHERE seq = 2",
        "a chain is inserted, without a head": "INSERT INTO audit_event SELECT 'issued-x', seq, organization_id, at,"
        " replace(line, '\"changes\"', '\"issued-x\"'), hash FROM audit_event",
        "the head of the chain is removed": "DELETE FROM audit_chain",
    }

    @pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS.keys())
    def test_whoever_edits_the_rows_is_found_out(self, store, deed):
        append(store, entry("a"), entry("b"), entry("c"))
        if "5 - seq" in deed:  # the primary key forbids doing it in one step
            deed = deed.replace("5 - seq", "seq + 10") + "; UPDATE audit_event SET seq = 15 - seq WHERE seq > 10"
        with store.writing() as tx:
            for statement in deed.split("; "):
                tx.session.execute(text(statement))
        assert flaw(store) is not None

    def test_a_name_cannot_break_out_of_its_line(self, store):
        """CR, LF, ANSI, U+2028, a quotation mark, half a surrogate pair: a line stays one line of ASCII."""
        append(store, entry('a\r\n{"seq":2}\x1b[2J\u2028\u202e"\ud800', detail={"\n": ["\x00", "é"]}))
        (line,) = lines(store)
        exported = line.exported()
        assert exported.isascii()
        assert exported.isprintable()
        assert verify([exported]) is None

    def test_a_chain_that_has_not_begun_has_no_head(self, store):
        with store.reading() as tx:
            assert tx.audit_record.heads() == []
        append(store, entry())
        with store.reading() as tx:
            assert [head.chain for head in tx.audit_record.heads()] == [CHANGES]
            assert isinstance(tx.audit_record.heads()[0], Head)


class TestSQLite(AuditLogConformance):
    backend = "sqlite"


@pytest.mark.postgres
class TestPostgres(AuditLogConformance):
    backend = "postgres"

"""Is the record whole, in its order, and can its beginning be given up without hiding anything?"""

from __future__ import annotations

import pytest
from sqlalchemy import text

from app.store.audit_record import KeptCheckpoint
from tests.support.tokens import ISSUER
from tests.support.workshop import NOW
from tokenserver.domain.audit import Entry, Event, Head
from tokenserver.tokens.audit_record import Record, Statement, Stored
from tokenserver.tokens.audit_statements import AUDIT_CHECKPOINT, Checkpoint, read_checkpoint
from tokenserver.tokens.jws import Signer
from tokenserver.tokens.keys import new_signing_key

SIGNER = Signer(new_signing_key("ES256"), AUDIT_CHECKPOINT)


def append(store, count, at=NOW):
    with store.writing() as tx:
        tx.audit.append(*(Entry(Event.ROLE_CREATED, at + number, "shell") for number in range(count)))


def heads_of(statement):
    return read_checkpoint(statement, None).heads


def items(store):
    with store.reading() as tx:
        return list(tx.audit_record.items(heads_of))


def changes_head(store):
    with store.reading() as tx:
        return next(head for head in tx.audit_record.heads() if head.chain == "changes")


def mark(store, number, prev="0" * 64):
    """A checkpoint of all that has moved."""
    with store.writing() as tx:
        heads = tx.audit_record.moved(100)
        text_ = SIGNER.sign(Checkpoint(ISSUER, int(NOW), number, prev, tuple(heads)).payload())
        tx.audit_record.add_checkpoint(KeptCheckpoint(number, int(NOW), text_), heads)
    return heads


class AuditRecordConformance:
    backend: str

    def test_each_checkpoint_stands_behind_what_it_covers(self, store):
        append(store, 3)
        mark(store, 1)
        append(store, 2)
        mark(store, 2)
        append(store, 1)
        found = items(store)
        places = [number for number, item in enumerate(found) if isinstance(item, Statement)]
        last = len(found) - 1
        assert places == [last - 4, last - 1]
        lines = [item.line.head.seq for item in found if isinstance(item, Stored) and item.line.head.chain == "changes"]
        assert lines == list(range(1, len(lines) + 1))
        with store.reading() as tx:
            assert [kept.number for kept in tx.audit_record.checkpoints()] == [1, 2]
            last_one = tx.audit_record.last_checkpoint()
        assert last_one is not None
        assert last_one.number == 2

    def test_only_what_moved_since_the_last_checkpoint_is_told_again(self, workshop, store):
        workshop.catalogue()
        workshop.issue(workshop.credential())
        assert [head.chain.partition("-")[0] for head in mark(store, 1)] == ["changes", "issued"]
        with store.reading() as tx:
            assert tx.audit_record.moved(100) == []
        append(store, 1)
        assert mark(store, 2) == [changes_head(store)]

    def test_more_checkpoints_than_are_read_at_once_are_all_read(self, store):
        for number in range(1, 46):
            append(store, 1)
            mark(store, number)
        assert len([item for item in items(store) if isinstance(item, Statement)]) == 45

    def test_the_beginning_of_a_chain_is_what_is_older_and_no_more_than_is_asked_for(self, store):
        begins = changes_head(store).seq
        append(store, 5, NOW + 1000)
        with store.reading() as tx:
            beginning = tx.audit_record.beginning
            assert beginning("changes", int(NOW) - 1, 100) is None
            assert beginning("changes", int(NOW) + 1003, 100).seq == begins + 3
            assert beginning("changes", int(NOW) + 1003, 2).seq == 2
            assert beginning("issued-x", int(NOW) + 1003, 100) is None

    def test_what_was_pruned_is_gone_and_the_stub_stands_for_it(self, store):
        append(store, 5)
        with store.writing() as tx:
            head = tx.audit_record.beginning("changes", int(NOW) + 100, 4)
            tx.audit_record.drop_lines(head)
            tx.audit_record.set_stub(head, "first")
            tx.audit_record.set_stub(head, "second")
        with store.reading() as tx:
            assert tx.audit_record.stubs() == ["second"]
            assert tx.audit_record.stubbed("changes") == 4
            assert tx.audit_record.stubbed("issued-x") == 0
            assert [chain for chain, _ in tx.audit_record.chains_after("", 10)] == ["changes"]
            assert tx.audit_record.chains_after("changes", 10) == []
        first = items(store)[1]
        assert isinstance(first, Stored)
        assert first.line.head.seq == 5

    def test_a_chain_of_which_nothing_is_left_is_passed_over(self, store):
        with store.writing() as tx:
            head = tx.audit_record.beginning("changes", int(NOW) + 100, 1000)
            tx.audit_record.drop_lines(head)
            tx.audit_record.set_stub(head, "x")
        with store.reading() as tx:
            assert tx.audit_record.chains_after("", 10) == []

    def test_a_line_that_was_put_back_before_a_stub_is_in_the_record_to_be_found_out(self, store):
        with store.writing() as tx:
            tx.audit_record.set_stub(Head("changes", 2, "0" * 64), "x")
        assert [item.line.head.seq for item in items(store) if isinstance(item, Stored)][:2] == [1, 2]

    def test_the_record_of_a_chain_whose_lines_have_no_head_is_read_as_well(self, store):
        with store.writing() as tx:
            tx.session.execute(text("DELETE FROM audit_chain"))
        assert [item for item in items(store) if isinstance(item, Stored)]
        with store.reading() as tx:
            found = Record().verify(tx.audit_record.items(heads_of), tx.audit_record.heads())
        assert found is not None
        assert "no head" in found.reason


class TestSQLite(AuditRecordConformance):
    backend = "sqlite"


@pytest.mark.postgres
class TestPostgres(AuditRecordConformance):
    backend = "postgres"

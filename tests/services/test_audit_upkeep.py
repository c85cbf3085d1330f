"""Are checkpoints made when due, is what is old enough pruned and nothing else, and is the log whole at any time?"""

from __future__ import annotations

import json

import pytest

from app.services import audit_upkeep
from app.services.audit_upkeep import AuditUpkeep
from tests.support.workshop import at_once, failed
from tokenserver.clock import DAY, HOUR
from tokenserver.tokens.audit_record import Record
from tokenserver.tokens.audit_statements import read_checkpoint

both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


def rename(workshop, made, name):
    client_id = made.view.credential.client_id
    workshop.services.credentials.update(workshop.caller, client_id, None, lambda c: c.renamed(name, ""))


def checkpoints(workshop):
    return [read_checkpoint(text, None) for text in workshop.services.audit_trail.checkpoints()]


def upkeep(workshop, days):
    """With a retention."""
    settings = workshop.settings.model_copy(update={"audit_retention_days": days})
    own = workshop.services
    return AuditUpkeep(own.store, own.keys, settings, workshop.clock)


def is_whole(workshop):
    """In the database, and as an export with its key set."""
    own = workshop.services
    keys = own.keys.ring().believed
    return own.audit_trail.verify() is None and Record(keys.get).verify(list(own.audit_trail.export())) is None


# --- checkpoints ---


@both
def test_a_checkpoint_names_the_head_of_every_chain_and_is_signed(workshop):
    workshop.issue(workshop.credential())
    text = workshop.services.audit_upkeep.checkpoint()
    told = read_checkpoint(text, workshop.services.keys.ring().believed.get)
    with workshop.services.store.reading() as tx:
        assert list(told.heads) == tx.audit_record.heads()
    assert {head.chain.partition("-")[0] for head in told.heads} == {"changes", "issued"}
    assert is_whole(workshop)


def test_where_nothing_moved_the_last_checkpoint_is_the_present_one(workshop):
    upkeep = workshop.services.audit_upkeep
    assert upkeep.checkpoint() == upkeep.checkpoint()
    assert len(checkpoints(workshop)) == 1


def test_the_first_is_due_at_once_and_the_next_after_the_interval_when_something_moved(workshop):
    upkeep, clock = workshop.services.audit_upkeep, workshop.clock
    upkeep.checkpoint_if_due(clock())
    made = workshop.credential()
    clock.advance(HOUR - 1)
    upkeep.checkpoint_if_due(clock())
    assert len(checkpoints(workshop)) == 1
    clock.advance(1)
    upkeep.checkpoint_if_due(clock())
    assert len(checkpoints(workshop)) == 2
    clock.advance(HOUR)
    upkeep.checkpoint_if_due(clock())
    assert len(checkpoints(workshop)) == 2, "nothing moved"
    rename(workshop, made, "other")
    upkeep.checkpoint_if_due(clock())
    assert [told.number for told in checkpoints(workshop)] == [1, 2, 3]
    assert is_whole(workshop)


def test_a_clock_that_was_set_back_does_not_keep_checkpoints_away(workshop):
    upkeep = workshop.services.audit_upkeep
    upkeep.checkpoint_if_due(workshop.clock() + 30 * DAY)
    workshop.credential()
    upkeep.checkpoint_if_due(workshop.clock())
    assert len(checkpoints(workshop)) == 2


def test_more_heads_than_one_checkpoint_holds_are_told_by_several(workshop, monkeypatch):
    monkeypatch.setattr(audit_upkeep, "MOST_HEADS", 2)
    made = workshop.credential()
    others = [workshop.beside() for _ in range(4)]
    for other in others:
        other.issue(made)
        other.close()
    workshop.services.audit_upkeep.checkpoint_if_due(workshop.clock())
    told = checkpoints(workshop)
    assert [len(one.heads) for one in told] == [2, 2, 1]
    assert is_whole(workshop)


@both
def test_checkpoints_that_are_made_at_once_follow_each_other_and_tokens_go_on(workshop):
    made, other = workshop.credential(), workshop.beside()

    def issuing():
        for _ in range(40):
            workshop.issue(made)

    def marking(upkeep):
        def run():
            for _ in range(10):
                upkeep.checkpoint()

        return run

    tasks = (issuing, marking(workshop.services.audit_upkeep), marking(other.services.audit_upkeep))
    assert failed(at_once(*tasks)) == []
    numbers = [told.number for told in checkpoints(workshop)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert is_whole(workshop)
    other.close()


def test_a_checkpoint_outlives_the_keys_that_signed_it(workshop):
    own = workshop.services
    own.audit_upkeep.checkpoint()
    old = own.keys.ring().access.key.kid
    own.keys.revoke(workshop.caller, old)
    own.audit_upkeep.checkpoint()
    assert own.audit_trail.verify() is None
    assert Record(own.keys.ring().believed.get).verify(list(own.audit_trail.export())) is not None


TAMPERINGS = {
    "the last lines are cut off, and the head with them": (
        "DELETE FROM audit_event WHERE chain = 'changes' AND seq = {last}",
        """UPDATE audit_chain SET seq = {last} - 1, hash = (
            SELECT hash FROM audit_event WHERE chain = 'changes' AND seq = {last} - 1
        ) WHERE chain = 'changes'""",
    ),
    "a checkpoint is removed": ("DELETE FROM audit_checkpoint WHERE number = 1",),
    "a checkpoint is edited": ("UPDATE audit_checkpoint SET statement = 'e30' || statement WHERE number = 1",),
    "checkpoints are swapped": (
        "UPDATE audit_checkpoint SET number = 3 - number + 10",
        "UPDATE audit_checkpoint SET number = number - 10",
    ),
    "a stub is made up": ("INSERT INTO audit_stub VALUES ('changes', 2, '{hash}', 'a.b.c')",),
    "a whole chain is removed, and its head": (
        "DELETE FROM audit_event WHERE chain LIKE 'issued%'",
        "DELETE FROM audit_chain WHERE chain LIKE 'issued%'",
    ),
}


@both
@pytest.mark.parametrize("deeds", TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_what_hides_from_the_heads_is_found_by_the_checkpoints(workshop, deeds):
    made = workshop.credential()
    workshop.issue(made)
    workshop.services.audit_upkeep.checkpoint()
    rename(workshop, made, "other")
    workshop.services.audit_upkeep.checkpoint()
    assert is_whole(workshop)
    with workshop.services.store.writing() as tx:
        last = next(head for head in tx.audit_record.heads() if head.chain == "changes")
        for deed in deeds:
            tx.session.connection().exec_driver_sql(deed.format(last=last.seq, hash=last.hash).replace("%", "%%"))
    assert workshop.services.audit_trail.verify() is not None
    keys = workshop.services.keys.ring().believed
    assert Record(keys.get).verify(list(workshop.services.audit_trail.export())) is not None


def test_a_checkpoint_that_was_put_aside_must_be_in_the_log(workshop):
    kept = workshop.services.audit_upkeep.checkpoint()
    assert workshop.services.audit_trail.verify([kept]) is None
    with workshop.services.store.writing() as tx:
        tx.session.connection().exec_driver_sql("DELETE FROM audit_checkpoint")
    assert workshop.services.audit_trail.verify() is None, "the database alone cannot know"
    assert workshop.services.audit_trail.verify([kept]) is not None


# --- retention ---


def test_without_a_retention_nothing_is_ever_pruned(workshop):
    workshop.credential()
    assert workshop.services.audit_upkeep.prune(workshop.clock() + 100_000 * DAY) is False
    assert len(workshop.audit_lines("credential:created")) == 1


@both
def test_what_is_older_goes_and_what_is_younger_stays_and_the_log_is_whole(workshop):
    old = workshop.credential()
    for _ in range(3):
        workshop.issue(old)
    workshop.services.audit_upkeep.checkpoint()
    workshop.clock.advance(30 * DAY)
    rename(workshop, old, "younger")
    workshop.issue(old)
    workshop.services.audit_upkeep.checkpoint()
    kept = list(workshop.services.audit_trail.checkpoints())[-1]

    upkeep(workshop, 30).prune(workshop.clock())
    assert len(workshop.audit_lines("token:issued")) == 4, "to the second"
    upkeep(workshop, 29).prune(workshop.clock())

    records = [json.loads(text) for text in workshop.services.audit_trail.export()]
    events = [record["event"] for record in records if "event" in record]
    assert sorted(events) == ["audit:pruned"] * 2 + ["audit:pruned", "credential:updated", "token:issued"]
    assert len([record for record in records if "stub" in record]) == 3, "two chains, and the checkpoints"
    assert len(checkpoints(workshop)) == 1
    assert is_whole(workshop)
    assert workshop.services.audit_trail.verify([kept]) is None
    rename(workshop, old, "youngest")
    workshop.issue(old)
    workshop.services.audit_upkeep.checkpoint()
    assert is_whole(workshop)


def test_pruning_is_told_in_the_log_with_what_went(workshop):
    workshop.credential()
    before = len(workshop.audit_lines())
    workshop.clock.advance(3 * DAY)
    upkeep(workshop, 1).prune(workshop.clock())
    (line,) = workshop.audit_lines("audit:pruned")
    assert line["actor"] == "clock"
    assert line["detail"] == {"chain": "changes", "from": 1, "to": before}


def test_much_is_pruned_piece_by_piece_and_the_log_is_whole_between_any_two(workshop, monkeypatch):
    monkeypatch.setattr(audit_upkeep, "LINES_AT_ONCE", 3)
    monkeypatch.setattr(audit_upkeep, "TRANSACTIONS_AT_ONCE", 2)
    monkeypatch.setattr(audit_upkeep, "CHAINS_AT_ONCE", 1)
    made = workshop.credential()
    others = [workshop.beside() for _ in range(3)]
    for other in others:
        for _ in range(5):
            other.issue(made)
        other.close()
    workshop.clock.advance(3 * DAY)
    pruning, calls = upkeep(workshop, 1), 1
    while pruning.prune(workshop.clock()):
        calls += 1
        assert is_whole(workshop)
        assert calls < 100
    assert calls > 5
    assert {line["event"] for line in workshop.audit_lines()} == {"audit:pruned"}
    assert is_whole(workshop)


def test_a_line_that_is_younger_than_the_one_behind_it_keeps_it(workshop):
    """Clocks of nodes differ: what was pruned is the beginning of a chain, without a hole."""
    workshop.clock.advance(10 * DAY)
    made = workshop.credential()
    workshop.clock.advance(-9 * DAY)
    rename(workshop, made, "by a clock that was set back")
    workshop.clock.advance(5 * DAY)
    upkeep(workshop, 2).prune(workshop.clock())
    assert [line["event"] for line in workshop.audit_lines("credential:")] == [
        "credential:created",
        "credential:updated",
    ]
    assert is_whole(workshop)


def test_pruning_beside_a_busy_server_loses_nothing_that_is_young(workshop):
    made = workshop.credential()
    for _ in range(50):
        workshop.issue(made)
    workshop.clock.advance(3 * DAY)
    other = workshop.beside()

    def busy():
        for _ in range(40):
            other.issue(made)

    def pruning():
        while upkeep(workshop, 1).prune(workshop.clock()):
            pass

    assert failed(at_once(busy, pruning)) == []
    assert len(workshop.audit_lines("token:issued")) == 40
    assert is_whole(workshop)
    other.close()


DEEDS = {
    "a stub is removed": "DELETE FROM audit_stub WHERE chain = 'changes'",
    "a stub is moved on to hide a line": "UPDATE audit_stub SET statement = (SELECT statement FROM audit_checkpoint)",
    "the first line that was left is removed": "DELETE FROM audit_event WHERE chain = 'changes' AND seq ="
    " (SELECT min(seq) FROM audit_event WHERE chain = 'changes')",
}


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS.keys())
def test_a_pruned_log_that_was_edited_is_found_out(workshop, deed):
    made = workshop.credential()
    workshop.clock.advance(3 * DAY)
    rename(workshop, made, "younger")
    upkeep(workshop, 1).prune(workshop.clock())
    workshop.services.audit_upkeep.checkpoint()
    assert is_whole(workshop)
    with workshop.services.store.writing() as tx:
        tx.session.connection().exec_driver_sql(deed)
    assert workshop.services.audit_trail.verify() is not None

"""Is the log verified in the background, does it find what was done to it, and does it accuse nobody wrongly?"""

from __future__ import annotations

import pytest

from app.services import audit_verification
from tests.services.test_audit_upkeep import TAMPERINGS, upkeep
from tokenserver.clock import DAY, HOUR

both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(audit_verification, "AT_ONCE", 3)


def verified(workshop):
    verification = workshop.services.audit_verification
    before = verification.verdict()
    for _ in range(200):
        verification.piece(workshop.clock())
        if verification.verdict() != before:
            break
    return verification.verdict()


def lines_of(workshop):
    with workshop.services.store.reading() as tx:
        return sum(head.seq for head in tx.audit_record.heads())


@both
def test_a_whole_log_is_called_whole_with_the_number_of_its_lines(workshop):
    made = workshop.credential()
    for _ in range(10):
        workshop.issue(made)
    workshop.services.audit_upkeep.checkpoint()
    workshop.issue(made)
    verdict = verified(workshop)
    assert (verdict.flaw, verdict.lines, verdict.checkpoints) == (None, lines_of(workshop), 1)


@pytest.mark.parametrize(("short", "period"), [(1000, HOUR), (1, DAY)])
def test_it_is_done_once_an_hour_and_where_the_log_is_long_once_a_day(workshop, monkeypatch, short, period):
    monkeypatch.setattr(audit_verification, "SHORT", short)
    first = verified(workshop)
    workshop.credential()
    workshop.clock.advance(period - 1)
    workshop.services.audit_verification.piece(workshop.clock())
    assert workshop.services.audit_verification.verdict() == first
    workshop.clock.advance(1)
    assert verified(workshop).lines == first.lines + 1


@both
@pytest.mark.parametrize("deeds", TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_what_was_done_to_the_log_is_found(workshop, deeds):
    made = workshop.credential()
    workshop.issue(made)
    workshop.services.audit_upkeep.checkpoint()
    workshop.credential()
    workshop.services.audit_upkeep.checkpoint()
    with workshop.services.store.writing() as tx:
        last = next(head for head in tx.audit_record.heads() if head.chain == "changes")
        for deed in deeds:
            tx.session.connection().exec_driver_sql(deed.format(last=last.seq, hash=last.hash).replace("%", "%%"))
    assert verified(workshop).flaw is not None


def test_lines_that_are_written_meanwhile_make_no_flaw(workshop):
    made, verification = workshop.credential(), workshop.services.audit_verification
    for _ in range(8):
        workshop.issue(made)
    while verification.verdict() is None:
        verification.piece(workshop.clock())
        workshop.issue(made)
        workshop.services.audit_upkeep.checkpoint()
    assert verification.verdict().flaw is None


def test_pruning_meanwhile_makes_no_flaw_and_it_begins_again(workshop):
    made, verification = workshop.credential(), workshop.services.audit_verification
    for _ in range(8):
        workshop.issue(made)
    workshop.services.audit_upkeep.checkpoint()
    workshop.clock.advance(3 * DAY)
    verification.piece(workshop.clock())
    upkeep(workshop, 1).prune(workshop.clock())
    assert verified(workshop).flaw is None


def test_a_failure_in_the_midst_of_it_makes_no_flaw(workshop, monkeypatch):
    verification, store = workshop.services.audit_verification, workshop.services.store
    for _ in range(4):
        workshop.credential()
    verification.piece(workshop.clock())
    with monkeypatch.context() as broken:
        broken.setattr(type(store), "reading", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            verification.piece(workshop.clock())
    assert verified(workshop).flaw is None

"""Is a change done once under its key, together with the note that it was, whatever comes between?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.services.idempotency import Attempt, InProgress, KeyReused
from app.store.database import StoreUnavailable
from tests.support.workshop import at_once, failed, succeeded
from tokenserver.clock import DAY
from tokenserver.errors import Conflict

both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


def attempt(number=1, request="r"):
    return Attempt("k", request, f"attempt {number}")


def as_attempt(workshop, number=1, request="r"):
    return replace(workshop.caller, attempt=attempt(number, request))


def disable(workshop, caller, made):
    return workshop.services.credentials.disable(caller, made.view.credential.client_id)


def kept(workshop, request="r"):
    return workshop.services.idempotency.kept(workshop.caller, attempt(0, request))


@both
def test_a_change_and_its_note_are_there_together(workshop):
    made = workshop.credential()
    assert kept(workshop) is None
    disable(workshop, as_attempt(workshop), made)
    with pytest.raises(InProgress):
        kept(workshop)
    workshop.services.idempotency.keep(workshop.caller, attempt(), 200, [("ETag", '"2"')], "{}")
    assert kept(workshop).status == 200


@both
def test_a_change_that_is_refused_leaves_no_note(workshop):
    made = workshop.credential()
    workshop.services.credentials.revoke(workshop.caller, made.view.credential.client_id, "over")
    with pytest.raises(Conflict):
        disable(workshop, as_attempt(workshop), made)
    assert kept(workshop) is None


def test_a_change_that_cannot_be_written_leaves_no_note(workshop, monkeypatch):
    made = workshop.credential()

    def fails(*_):
        raise StoreUnavailable(detail="the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr("app.store.audit_log.AuditLog.append", fails)
        with pytest.raises(StoreUnavailable):
            disable(workshop, as_attempt(workshop), made)
    assert kept(workshop) is None
    disable(workshop, as_attempt(workshop), made)


@both
def test_of_many_at_once_one_changes_something(workshop):
    made = workshop.credential()
    client_id = made.view.credential.client_id
    outcomes = at_once(
        *[lambda n=n: workshop.services.credentials.regenerate(as_attempt(workshop, n), client_id) for n in range(4)]
    )
    assert len(succeeded(outcomes)) == 1
    assert [type(fault) for fault in failed(outcomes)] == [InProgress] * 3
    assert len(workshop.audit_lines("secret:regenerated")) == 1


def test_the_same_key_with_another_request_is_refused(workshop):
    disable(workshop, as_attempt(workshop), workshop.credential())
    with pytest.raises(KeyReused):
        kept(workshop, "another")


def test_an_answer_that_cannot_be_kept_is_given_all_the_same(workshop, monkeypatch):
    disable(workshop, as_attempt(workshop), workshop.credential())

    def fails():
        raise StoreUnavailable(detail="away")

    with monkeypatch.context() as away:
        away.setattr(workshop.services.store, "writing", fails)
        workshop.services.idempotency.keep(workshop.caller, attempt(), 200, [], "{}")
    with pytest.raises(InProgress):
        kept(workshop)


def test_pruning_is_bounded_and_tells_how_many(workshop):
    disable(workshop, as_attempt(workshop), workshop.credential())
    service = workshop.services.idempotency
    assert service.prune(workshop.clock()) == 0
    assert service.prune(workshop.clock() + DAY + 1) == 1
    assert kept(workshop) is None

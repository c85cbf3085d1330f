"""Is the upkeep done by itself: checkpoints signed, and answers to repeated requests forgotten?"""

from __future__ import annotations

import pytest

from app.jobs.upkeep import AT_ONCE, upkeep
from app.store.models import IdempotencyRow
from tests.support.workshop import a_prepared_workshop
from tokenserver.clock import DAY


@pytest.fixture
def workshop(tmp_path):
    with a_prepared_workshop("sqlite", tmp_path, stocked=True) as workshop:
        yield workshop


def jobs_of(workshop):
    services = workshop.services
    return {
        job.name: job
        for job in upkeep(services.audit_upkeep, services.audit_verification, services.idempotency, services.sessions)
    }


def test_a_checkpoint_is_signed_when_it_is_due_and_something_happened(workshop):
    jobs = jobs_of(workshop)
    assert not jobs["audit-checkpoints"].run(workshop.clock())
    first = len(list(workshop.services.audit_trail.checkpoints()))
    workshop.clock.advance(DAY)
    workshop.credential()
    assert not jobs["audit-checkpoints"].run(workshop.clock())
    assert len(list(workshop.services.audit_trail.checkpoints())) == first + 1


def test_what_is_forgotten_is_forgotten_in_pieces(workshop):
    forget = jobs_of(workshop)["idempotency-pruning"]
    with workshop.services.store.writing() as tx:
        for number in range(AT_ONCE + 1):
            tx.session.add(
                IdempotencyRow(
                    organization_id=workshop.caller.organization_id,
                    caller="shell",
                    key=f"key {number}",
                    request="",
                    claim="",
                    created_at=int(workshop.clock()),
                    headers="[]",
                )
            )
    assert not forget.run(workshop.clock())
    assert forget.run(workshop.clock() + 2 * DAY)
    assert not forget.run(workshop.clock() + 2 * DAY)

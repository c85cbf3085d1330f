"""How does a change of many credentials look from outside? Its body to a task, and outcomes to a body."""

from __future__ import annotations

from app.api import outputs
from app.api.operation import Answer, Call
from app.inputs.bodies import BulkChange
from app.services.bulk import Bulk, Outcome, Task
from tokenserver.clock import rfc3339
from tokenserver.domain.selection import Selection

PATH = "/v1/bulk/credentials"


class BulkOperations:
    def __init__(self, bulk: Bulk) -> None:
        self._bulk = bulk

    def change_many(self, call: Call) -> Answer:
        asked: BulkChange = call.body
        named = "client_ids" in asked.given()
        task = Task(
            action=asked.action,
            client_ids=tuple(asked.client_ids) if named else None,
            selection=Selection() if named else asked.filter.value(),
            reason=asked.reason,
            grace_seconds=asked.grace_seconds,
            dry_run=asked.dry_run,
        )
        outcomes = self._bulk.apply(call.caller, task)
        shown = [_outcome_shown(outcome) for outcome in outcomes]
        count = sum(outcome.changes for outcome in outcomes)
        return Answer(outputs.BulkDone(action=task.action, dry_run=task.dry_run, count=count, credentials=shown))


def _outcome_shown(outcome: Outcome) -> outputs.BulkOutcome:
    made = outcome.made
    ends = None if made is None or made.retiring is None else made.retiring.expires_at
    return outputs.BulkOutcome(
        client_id=outcome.client_id,
        changes=outcome.changes,
        refusal=outcome.refusal,
        client_secret=None if made is None else made.secret.reveal(),
        grace_expires_at=rfc3339(ends),
    )

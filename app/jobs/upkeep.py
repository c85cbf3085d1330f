"""What else does the clock do that nobody waits for? The audit log is kept and verified; what is over is forgotten."""

from __future__ import annotations

from collections.abc import Sequence

from app.jobs.job import Job
from app.services.audit_upkeep import AuditUpkeep
from app.services.audit_verification import AuditVerification
from app.services.idempotency import Idempotency
from app.services.sessions import Sessions
from tokenserver.clock import HOUR, MINUTE

AT_ONCE = 500


def upkeep(
    audit: AuditUpkeep, verification: AuditVerification, idempotency: Idempotency, sessions: Sessions
) -> Sequence[Job]:
    def forget_answers(now: float) -> bool:
        return idempotency.prune(now, AT_ONCE) == AT_ONCE

    return (
        Job("audit-checkpoints", MINUTE, audit.checkpoint_if_due),
        Job("audit-pruning", HOUR, audit.prune),
        Job("audit-verification", 1, verification.piece),
        Job("idempotency-pruning", HOUR, forget_answers),
        Job("session-pruning", HOUR, sessions.prune),
    )

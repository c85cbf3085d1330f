"""Which tables are there? Rows as the database sees them; `rows.py` turns them into domain values and back.

Moments are whole seconds since the epoch in integer columns: no database's idea of time zones is involved. Every row
of a tenant carries `organization_id`, and every query in this package is scoped by it. There is no table of tokens.
"""

from app.store.models.audit import (
    AuditChainRow,
    AuditCheckpointHeadRow,
    AuditCheckpointRow,
    AuditEventRow,
    AuditStubRow,
)
from app.store.models.catalogue import ApiRow, ApiScopeRow, RoleRow
from app.store.models.credentials import (
    CredentialRow,
    CredentialSecretRow,
    ExpiryNoticeRow,
    LastUseRow,
    NetworkListRow,
    RotationRow,
)
from app.store.models.installation import (
    CounterRow,
    GenerationEventRow,
    IdempotencyRow,
    InstallationRow,
    LeaseRow,
    SigningKeyRow,
)
from app.store.models.sign_in import (
    FailureRow,
    IdentityRow,
    InvitationRow,
    PasskeyRow,
    RecoveryCodeRow,
    SessionRow,
    SignInRow,
    SpentRow,
)
from app.store.models.table import Base
from app.store.models.tenants import MembershipRow, OperatorRow, OrganizationRow, ProjectRow
from app.store.models.usage import ActivityPlaceRow, ActivityRow, UsageInstanceRow, UsageRow
from app.store.models.webhooks import AttemptRow, DeliveryRow, OutboxRow, WebhookRow

__all__ = [
    "ActivityPlaceRow",
    "ActivityRow",
    "ApiRow",
    "ApiScopeRow",
    "AttemptRow",
    "AuditChainRow",
    "AuditCheckpointHeadRow",
    "AuditCheckpointRow",
    "AuditEventRow",
    "AuditStubRow",
    "Base",
    "CounterRow",
    "CredentialRow",
    "CredentialSecretRow",
    "DeliveryRow",
    "ExpiryNoticeRow",
    "FailureRow",
    "GenerationEventRow",
    "IdempotencyRow",
    "IdentityRow",
    "InstallationRow",
    "InvitationRow",
    "LastUseRow",
    "LeaseRow",
    "MembershipRow",
    "NetworkListRow",
    "OperatorRow",
    "OrganizationRow",
    "OutboxRow",
    "PasskeyRow",
    "ProjectRow",
    "RecoveryCodeRow",
    "RoleRow",
    "RotationRow",
    "SessionRow",
    "SignInRow",
    "SigningKeyRow",
    "SpentRow",
    "UsageInstanceRow",
    "UsageRow",
    "WebhookRow",
]

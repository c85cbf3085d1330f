"""Which operations does the admin API have? The one table: its routes and its description are both made from it.

One file of rows for each subject, in the order of the description.
"""

from __future__ import annotations

from app.api.apis import ApiOperations
from app.api.audit_events import AuditEventOperations
from app.api.bulk import BulkOperations
from app.api.credentials import CredentialOperations
from app.api.operation import Operation
from app.api.operators import OperatorOperations
from app.api.organizations import OrganizationOperations
from app.api.previews import PreviewOperations
from app.api.roles import RoleOperations
from app.api.table import (
    apis,
    audit_events,
    bulk,
    credentials,
    operators,
    organizations,
    roles,
    tokens,
    usage,
    webhooks,
)
from app.api.tokens import TokenOperations
from app.api.usage import UsageOperations
from app.api.webhooks import WebhookOperations


def operations(
    *,
    of_credentials: CredentialOperations,
    of_many: BulkOperations,
    of_apis: ApiOperations,
    of_roles: RoleOperations,
    of_organizations: OrganizationOperations,
    of_operators: OperatorOperations,
    of_audit_events: AuditEventOperations,
    of_webhooks: WebhookOperations,
    of_usage: UsageOperations,
    of_previews: PreviewOperations,
    of_tokens: TokenOperations,
) -> tuple[Operation, ...]:
    return (
        *credentials.rows(of_credentials),
        *bulk.rows(of_many),
        *apis.rows(of_apis),
        *roles.rows(of_roles),
        *organizations.rows(of_organizations),
        *operators.rows(of_operators),
        *audit_events.rows(of_audit_events),
        *webhooks.rows(of_webhooks),
        *usage.rows(of_usage, of_previews),
        *tokens.rows(of_tokens),
    )

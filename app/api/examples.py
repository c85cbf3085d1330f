"""What do requests and answers look like? The examples of the description; tests read each of them through its model.

The secrets have the form of a secret and a wrong checksum, so that no scanner takes them for one.
"""

from __future__ import annotations

from typing import Any

Example = dict[str, Any]

_CLIENT_ID = "tsc_4fVQ0nL2mXcB7aRkT9yWsE"
_SECRET = "tss_ThisIsAnExampleAndNoSecretItsChecksumIsWrong00"
_OLD, _NEW = "sec_8Kq2WmZr5TyB0xLd", "sec_J4nXv7PcUe1RgAh6"

_LIVE_SECRET: Example = {
    "id": _OLD,
    "hint": "tss_…ng00",
    "state": "current",
    "created_at": "2026-11-21T09:30:00Z",
    "expires_at": None,
    "last_used_at": "2026-11-21T10:00:00Z",
    "last_used_from": "192.0.2.17",
}

CREDENTIAL: Example = {
    "client_id": _CLIENT_ID,
    "name": "nightly export",
    "description": "Copies the reports to the archive.",
    "status": "active",
    "generation": 1,
    "floor": 1,
    "roles": ["cloud_admin"],
    "grants": [{"audience": "https://api.example.com", "access": "custom", "scopes": ["reports:read"]}],
    "allowed_ips": ["192.0.2.1-192.0.3.254", "2001:db8::/32"],
    "token_lifetime": 900,
    "expires_at": "2027-11-21T00:00:00Z",
    "project": None,
    "environment": None,
    "owner": None,
    "secrets": [_LIVE_SECRET],
    "rotation": None,
    "rotation_schedule": {
        "interval_days": 90,
        "grace_seconds": 1209600,
        "on_unclaimed": "extend",
        "next_at": "2027-02-19T06:12:41Z",
    },
    "created_at": "2026-11-21T09:30:00Z",
    "created_by": "credential:tsc_0aZ3kP8sVxN1qLrWmYbT5c",
    "disabled_at": None,
    "revoked_at": None,
    "revoked_reason": None,
    "last_used_at": "2026-11-21T10:00:00Z",
    "last_used_from": "192.0.2.17",
    "version": 1,
}

CREDENTIAL_CREATION: Example = {
    "name": "nightly export",
    "description": "Copies the reports to the archive.",
    "roles": ["cloud_admin"],
    "grants": [{"audience": "https://api.example.com", "access": "custom", "scopes": ["reports:read"]}],
    "allowed_ips": "192.0.2.1 - 192.0.3.254, 2001:db8::/32",
    "token_lifetime": 900,
    "expires_at": "2027-11-21T00:00:00Z",
    "rotation_schedule": {"interval_days": 90, "grace_seconds": 1209600, "on_unclaimed": "extend"},
}

_UNUSED: Example = {"last_used_at": None, "last_used_from": None}

CREATED: Example = {**CREDENTIAL, **_UNUSED, "secrets": [{**_LIVE_SECRET, **_UNUSED}], "client_secret": _SECRET}

CREDENTIALS: Example = {"items": [CREDENTIAL], "next": "MTc5NTI1MzQwMC50c2NfNGZWUTBuTDJtWGNCN2FSa1Q5eVdzRQ"}

CREDENTIAL_CHANGE: Example = {"allowed_ips": ["192.0.2.0/24"], "token_lifetime": 600}

_TOLD: Example = {
    "feed_seq": 1042,
    "proofs": ["https://auth.example.com/v1/apis/api_2Fq7XnB4vKcT8sLm/instances?seq=1042"],
}
_UNTOLD: Example = {"feed_seq": None, "proofs": []}

NARROWED: Example = {
    **CREDENTIAL,
    **_TOLD,
    "allowed_ips": ["192.0.2.0/24"],
    "token_lifetime": 600,
    "generation": 2,
    "floor": 2,
    "version": 2,
}

_NEW_SECRET: Example = {**_LIVE_SECRET, **_UNUSED, "id": _NEW, "created_at": "2026-11-22T09:30:00Z"}

REGENERATED: Example = {
    "client_id": _CLIENT_ID,
    "client_secret": _SECRET,
    "generation": 2,
    **_TOLD,
    "credential": {
        **CREDENTIAL,
        "generation": 2,
        "floor": 2,
        "secrets": [_NEW_SECRET, {**_LIVE_SECRET, "state": "ended"}],
        "version": 2,
    },
}

ROTATION: Example = {"grace_seconds": 86400}

_GRACE_ENDS = "2026-11-23T09:30:00Z"

ROTATED: Example = {
    "client_id": _CLIENT_ID,
    "client_secret": _SECRET,
    "old_secret_id": _OLD,
    "new_secret_id": _NEW,
    "grace_expires_at": _GRACE_ENDS,
    **_TOLD,
    "credential": {
        **CREDENTIAL,
        "generation": 2,
        "secrets": [_NEW_SECRET, {**_LIVE_SECRET, "state": "retiring", "expires_at": _GRACE_ENDS}],
        "rotation": {"grace_expires_at": _GRACE_ENDS, "old_secret_id": _OLD, "new_secret_id": _NEW},
        "version": 2,
    },
}

FINISHED: Example = {**REGENERATED["credential"], **_TOLD, "version": 3}

CANCELLED: Example = {
    **CREDENTIAL,
    **_TOLD,
    "generation": 3,
    "floor": 3,
    "secrets": [{**_NEW_SECRET, "state": "ended"}, _LIVE_SECRET],
    "version": 3,
}

DISABLED: Example = {
    **CREDENTIAL,
    **_TOLD,
    "status": "disabled",
    "generation": 2,
    "floor": 2,
    "disabled_at": "2026-11-22T09:30:00Z",
    "version": 2,
}

ENABLED: Example = {**DISABLED, **_UNTOLD, "status": "active", "disabled_at": None, "version": 3}

REVOCATION: Example = {"reason": "The archive has moved."}

REVOKED: Example = {
    **CREDENTIAL,
    **_TOLD,
    "status": "revoked",
    "rotation_schedule": None,
    "generation": 2,
    "floor": 2,
    "secrets": [{**_LIVE_SECRET, "state": "ended"}],
    "revoked_at": "2026-11-22T09:30:00Z",
    "revoked_reason": "The archive has moved.",
    "version": 2,
}

API_CREATION: Example = {
    "audience": "https://api.example.com",
    "name": "Example",
    "scopes": [
        {"name": "reports:read", "access": "read"},
        {"name": "keys:write", "access": "write", "sensitive": True},
    ],
}

API: Example = {
    "id": "api_2Fq7XnB4vKcT8sLm",
    "audience": "https://api.example.com",
    "name": "Example",
    "scopes": [
        {"name": "reports:read", "access": "read", "sensitive": False, "description": ""},
        {"name": "keys:write", "access": "write", "sensitive": True, "description": ""},
    ],
    "shared": False,
    "own": True,
    "created_at": "2026-11-21T09:00:00Z",
    "version": 1,
}

APIS: Example = {"items": [API], "next": None}

API_CHANGE: Example = {"name": "Example API"}

API_CHANGED: Example = {**API, "name": "Example API", "version": 2}

API_PREVIEW: Example = {
    "scopes": [{"name": "reports:read", "access": "read"}, {"name": "people:read", "access": "read"}]
}

PREVIEW: Example = {
    "count": 1,
    "credentials": [
        {
            "client_id": _CLIENT_ID,
            "name": "nightly export",
            "organization": "org_7Hn3XcQ9sVbT1mKe",
            "gains": ["people:read"],
            "loses": [],
        }
    ],
}

BULK_CHANGE: Example = {"action": "disable", "filter": {"project": "billing"}, "dry_run": True}

BULK_DONE: Example = {
    "action": "disable",
    "dry_run": True,
    "count": 1,
    "credentials": [
        {
            "client_id": _CLIENT_ID,
            "changes": True,
            "refusal": None,
            "client_secret": None,
            "grace_expires_at": None,
        }
    ],
}

ROLE_CREATION: Example = {"name": "cloud_admin", "description": "Manages the cloud account.", "audience": None}

ROLE: Example = {
    "id": "role_9Zc5RkW1yHt3NbVx",
    "name": "cloud_admin",
    "description": "Manages the cloud account.",
    "audience": None,
    "shared": False,
    "own": True,
    "created_at": "2026-11-21T09:00:00Z",
    "version": 1,
}

ROLES: Example = {"items": [ROLE], "next": None}

ROLE_CHANGE: Example = {"description": "Manages every cloud account."}

ROLE_CHANGED: Example = {**ROLE, "description": "Manages every cloud account.", "version": 2}

ORGANIZATION_CREATION: Example = {"name": "Example GmbH", "credential_quota": 200, "longest_expiry_days": 365}

ORGANIZATION: Example = {
    "id": "org_7Hn3XcQ9sVbT1mKe",
    "name": "Example GmbH",
    "suspended_at": None,
    "generation": 1,
    "credential_quota": 200,
    "longest_expiry_days": 365,
    "names_are_fixed": False,
    "created_at": "2026-11-21T09:00:00Z",
    "version": 1,
}

ORGANIZATIONS: Example = {"items": [ORGANIZATION], "next": None}

ORGANIZATION_CHANGE: Example = {"names_are_fixed": True}

ORGANIZATION_CHANGED: Example = {**ORGANIZATION, "names_are_fixed": True, "version": 2}

SUSPENDED: Example = {**ORGANIZATION, "suspended_at": "2026-11-22T08:00:00Z", "generation": 2, "version": 2}

RESUMED: Example = {**ORGANIZATION, "generation": 2, "version": 3}

EVERYTHING_ENDED: Example = {**ORGANIZATION, "generation": 2, "version": 2}

PROJECT_CREATION: Example = {"name": "billing", "description": "Invoices and payments."}

PROJECT: Example = {
    "id": "prj_5Wq8LzR2yKt6NdVx",
    "name": "billing",
    "description": "Invoices and payments.",
    "created_at": "2026-11-21T09:00:00Z",
    "version": 1,
}

PROJECTS: Example = {"items": [PROJECT], "next": None}

PROJECT_CHANGE: Example = {"description": "Invoices, payments and dunning."}

PROJECT_CHANGED: Example = {**PROJECT, "description": "Invoices, payments and dunning.", "version": 2}

OPERATOR_CREATION: Example = {"email": "ada@example.com", "name": "Ada", "role": "member", "roles": ["cloud_admin"]}

OPERATOR: Example = {
    "id": "op_3Gv7MxT1zPb9KcYn",
    "email": "ada@example.com",
    "name": "Ada",
    "platform_admin": False,
    "role": "member",
    "roles": ["cloud_admin"],
    "grants": None,
    "permissions": ["personal:read", "personal:write"],
    "created_at": "2026-11-21T09:00:00Z",
    "version": 1,
}

OPERATORS: Example = {"items": [OPERATOR], "next": None}

OPERATOR_CHANGE: Example = {"role": "auditor"}

OPERATOR_CHANGED: Example = {
    **OPERATOR,
    "role": "auditor",
    "permissions": [
        "apis:read",
        "audit:read",
        "credentials:read",
        "operators:read",
        "organization:read",
        "personal:read",
        "projects:read",
        "roles:read",
        "webhooks:read",
    ],
    "version": 2,
}

PROBLEM: Example = {
    "type": "urn:tokenserver:problem:invalid_input",
    "title": "One or more fields are not valid.",
    "status": 422,
    "code": "invalid_input",
    "request_id": "6fT0b1sVqXc9Lk2W",
    "errors": [{"pointer": "/token_lifetime", "detail": "Must be at least 60."}],
}

_LINE_HASH = "9c1b4f0e7a2d8365c4e1f09b7a6d5c3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c"

AUDIT_EVENTS: Example = {
    "items": [
        {
            "at": "2026-11-21T10:15:00.125Z",
            "action": "credential:disabled",
            "outcome": "success",
            "actor": "credential:tsc_0aZ3kP8sVxN1qLrWmYbT5c",
            "credential": _CLIENT_ID,
            "address": "192.0.2.17",
            "request_id": "qX3v0Zt8Lk2mB1Rw",
            "detail": {"changed": {"status": ["active", "disabled"], "floor": [1, 2]}, "feed_seq": 12},
            "chain": "changes",
            "seq": 48,
            "hash": _LINE_HASH,
        }
    ],
    "next": "MTc5NTI1NjEwMC5jaGFuZ2VzXzQ4",
}

AUDIT_LINES: Example = {
    "application/x-ndjson": '{"chain":"changes","seq":48,"at":"2026-11-21T10:15:00.125Z","event":"api:created"}\n',
    "text/csv": '"at","action","outcome"\r\n"2026-11-21T10:15:00.125Z","api:created","success"\r\n',
}
"""Of a line, the first members only."""

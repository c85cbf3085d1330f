"""What do requests and answers about webhooks look like? As in `examples`; the secrets are too short to be any."""

from __future__ import annotations

from app.api.examples import Example

_SECRET = "whsec_QW5FeGFtcGxlQW5kTm9TZWNyZXQ"

WEBHOOK_CREATION: Example = {
    "url": "https://hooks.example.com/tokenserver",
    "events": ["credential.*", "secret.rotated"],
    "description": "Tells the platform team.",
}

WEBHOOK: Example = {
    "id": "wh_5Yk0QmTz8RbN2vXc",
    **WEBHOOK_CREATION,
    "enabled": True,
    "disabled_at": None,
    "disabled_reason": None,
    "failing_since": None,
    "last_success_at": "2026-11-21T10:00:00Z",
    "old_secret_until": None,
    "created_at": "2026-11-21T09:30:00Z",
    "created_by": "credential:tsc_0aZ3kP8sVxN1qLrWmYbT5c",
    "version": 1,
}

CREATED_WEBHOOK: Example = {**WEBHOOK, "last_success_at": None, "secret": _SECRET}

WEBHOOKS: Example = {"items": [WEBHOOK], "next": None}

WEBHOOK_CHANGE: Example = {"events": ["*"], "enabled": True}

WEBHOOK_CHANGED: Example = {**WEBHOOK, "events": ["*"], "version": 2}

_ROTATED_UNTIL = "2026-11-22T11:00:00Z"

ROTATED_WEBHOOK_SECRET: Example = {
    "id": WEBHOOK["id"],
    "secret": _SECRET,
    "old_secret_until": _ROTATED_UNTIL,
    "webhook": {**WEBHOOK, "old_secret_until": _ROTATED_UNTIL, "version": 2},
}

_REFUSED: Example = {
    "number": 1,
    "at": "2026-11-21T10:00:00Z",
    "duration_ms": 84,
    "status": 503,
    "error": "It was answered with a status that does not mean success.",
}

DELIVERY: Example = {
    "id": "dlv_J4nXv7PcUe1RgAh6",
    "event_id": "evt_3f9c1d20a7b84e5566d0c1aa",
    "type": "credential.disabled",
    "state": "pending",
    "created_at": "2026-11-21T10:00:00Z",
    "next_attempt_at": "2026-11-21T10:00:06Z",
    "attempt_count": 1,
    "attempts": [_REFUSED],
}

DELIVERIES: Example = {"items": [DELIVERY], "next": None}

REDELIVERED: Example = {**DELIVERY, "next_attempt_at": "2026-11-21T10:05:00Z"}

TESTED: Example = {
    **DELIVERY,
    "type": "webhook.test",
    "next_attempt_at": "2026-11-21T10:00:00Z",
    "attempt_count": 0,
    "attempts": [],
}

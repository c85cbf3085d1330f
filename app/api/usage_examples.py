"""What do reports and the answers about them look like? Examples of the description."""

from __future__ import annotations

from app.api.examples import Example

_CLIENT_ID = "tsc_4fVQ0nL2mXcB7aRkT9yWsE"
_AUDIENCE = "https://api.example.com"

REPORT: Example = {
    "instance": "api-1",
    "process": "k3VQ0nL2mXcB7aRk",
    "batch": 17,
    "audience": _AUDIENCE,
    "interval_ms": 5000,
    "applied": [{"seq": 1041, "ago_ms": 61000}, {"seq": 1042, "ago_ms": 240}],
    "uses": [
        {
            "client_id": _CLIENT_ID,
            "route": "GET /reports/{id}",
            "status": 200,
            "address": "192.0.2.17",
            "needs": {"roles": [], "scopes": ["reports:read"]},
            "generation": 3,
            "count": 12,
            "first_ago_ms": 4800,
            "last_ago_ms": 310,
        },
        {
            "client_id": None,
            "route": "GET /reports/{id}",
            "status": 401,
            "address": None,
            "count": 3,
            "first_ago_ms": 200,
            "last_ago_ms": 90,
        },
    ],
    "untold": 0,
}

TAKEN: Example = {"counted": 15, "ignored": 0, "repeated": False}

USAGE: Example = {
    "client_id": _CLIENT_ID,
    "since": "2026-08-23T10:00:00Z",
    "count": 12,
    "first_used_at": "2026-11-21T09:59:55Z",
    "last_used_at": "2026-11-21T10:00:00Z",
    "apis": [
        {
            "audience": _AUDIENCE,
            "count": 12,
            "first_used_at": "2026-11-21T09:59:55Z",
            "last_used_at": "2026-11-21T10:00:00Z",
            "last_used_from": "192.0.2.17",
        }
    ],
    "routes": [
        {
            "audience": _AUDIENCE,
            "route": "GET /reports/{id}",
            "count": 12,
            "last_used_at": "2026-11-21T10:00:00Z",
        }
    ],
    "statuses": [{"status": 200, "count": 12}],
    "addresses": [
        {
            "address": "192.0.2.17",
            "count": 12,
            "first_used_at": "2026-11-21T09:59:55Z",
            "last_used_at": "2026-11-21T10:00:00Z",
        }
    ],
    "unused_apis": ["https://billing.example.com"],
    "unused_scopes": [{"audience": _AUDIENCE, "scopes": ["reports:write"]}],
    "unused_roles": ["auditor"],
}

INSTANCES: Example = {
    "seq": 1042,
    "changed_at": "2026-11-21T10:00:00.125Z",
    "total": 1,
    "applied": 1,
    "silent": 0,
    "summary": "1 of 1 has applied change 1042, 0.8 s after it.",
    "instances": [
        {
            "instance": "api-1",
            "process": "k3VQ0nL2mXcB7aRk",
            "applied": True,
            "applied_at": "2026-11-21T10:00:00.925Z",
            "seconds_after": 0.8,
            "silent": False,
            "feed_seq": 1042,
            "reported_at": "2026-11-21T10:00:01.165Z",
            "age": 1.2,
            "untold": 0,
        }
    ],
}

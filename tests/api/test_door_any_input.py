"""Any input to any operation: never a failure of ours, and never an echo (T13)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.api import usage_bodies
from app.inputs import bodies as inputs
from app.inputs.webhooks import WebhookCreation
from tests.support.contract import REPORTS

ROOT = Path(__file__).parents[2]
LONG_ENOUGH = 6
SOME = settings(
    max_examples=20,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

MODELS = (
    inputs.CredentialCreation,
    inputs.GrantInput,
    inputs.ScopeInput,
    inputs.Rotation,
    inputs.Revocation,
    inputs.OrganizationCreation,
    inputs.OperatorCreation,
    inputs.BulkChange,
    inputs.BulkFilter,
    usage_bodies.UsageReport,
    usage_bodies.UseInput,
    usage_bodies.AppliedInput,
    WebhookCreation,
)
MEMBERS = sorted({name for model in MODELS for name in model.model_fields} | {"audience"})
SENSIBLE = [
    REPORTS,
    "reports:read",
    "cloud_admin",
    "custom",
    "all_read",
    "read",
    "192.0.2.0/24",
    "2099-01-01T00:00:00Z",
    "https://hooks.example.com/x",
    "credential.*",
]
ODD = [
    "\0",
    "\ud800",
    "\u2028",
    "\u202e",
    "\x1b[0m",
    "%s%n",
    "../../etc/passwd",
    "' OR 1=1 --",
    "\U0001f680",
    "tss_" + "a" * 46,
]

TEXTS = st.text(st.characters(), max_size=40) | st.sampled_from(SENSIBLE) | st.sampled_from(ODD)
LEAVES = st.none() | st.booleans() | st.integers() | st.sampled_from([0, 1, 60, 2**63, 10**400]) | st.floats() | TEXTS
NAMES = st.sampled_from(MEMBERS) | TEXTS
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=6)

OPERATIONS = [
    ("POST", "/v1/credentials"),
    ("PATCH", "/v1/credentials/{client_id}"),
    ("POST", "/v1/credentials/{client_id}/regenerate"),
    ("POST", "/v1/credentials/{client_id}/rotate"),
    ("POST", "/v1/credentials/{client_id}/rotation/cancel"),
    ("POST", "/v1/credentials/{client_id}/rotation/finish"),
    ("POST", "/v1/credentials/{client_id}/disable"),
    ("POST", "/v1/credentials/{client_id}/enable"),
    ("POST", "/v1/credentials/{client_id}/revoke"),
    ("POST", "/v1/apis"),
    ("PATCH", "/v1/apis/{api_id}"),
    ("POST", "/v1/roles"),
    ("PATCH", "/v1/roles/{role_id}"),
    ("POST", "/v1/bulk/credentials"),
    ("POST", "/v1/apis/{api_id}/preview"),
    ("POST", "/v1/organizations"),
    ("PATCH", "/v1/organizations/{organization_id}"),
    ("POST", "/v1/organizations/{organization_id}/suspend"),
    ("POST", "/v1/organizations/{organization_id}/resume"),
    ("POST", "/v1/organizations/{organization_id}/end-everything"),
    ("POST", "/v1/projects"),
    ("PATCH", "/v1/projects/{project_id}"),
    ("POST", "/v1/operators"),
    ("PATCH", "/v1/operators/{operator_id}"),
    ("POST", "/v1/usage-reports"),
    ("POST", "/v1/credentials/{client_id}/preview"),
    ("POST", "/v1/tokens/inspect"),
    ("POST", "/v1/webhooks"),
    ("PATCH", "/v1/webhooks/{webhook_id}"),
    ("POST", "/v1/webhooks/{webhook_id}/rotate-secret"),
    ("POST", "/v1/webhooks/{webhook_id}/test"),
    ("POST", "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver"),
]


def test_every_operation_with_a_body_is_here(contract):
    taking = {
        (method.upper(), path)
        for path, item in contract.document["paths"].items()
        for method, operation in item.items()
        if "requestBody" in operation
    }
    assert set(OPERATIONS) == taking


@pytest.fixture(scope="module")
def fill(refusing):
    """Paths of things that exist. What a test changes here, no test minds."""
    webhook = refusing.ok("POST", "/v1/webhooks", {"url": "https://hooks.example.com", "events": ["role.*"]})
    subjects = {
        "client_id": refusing.credential()["client_id"],
        "api_id": refusing.only_api()["id"],
        "role_id": refusing.ok("GET", "/v1/roles")["items"][0]["id"],
        "organization_id": refusing.ok("POST", "/v1/organizations", {"name": "Another"})["id"],
        "project_id": refusing.ok("POST", "/v1/projects", {"name": "a_project"})["id"],
        "operator_id": refusing.ok("POST", "/v1/operators", {"email": "x@example.com", "role": "member"})["id"],
        "webhook_id": webhook["id"],
        "delivery_id": refusing.ok("POST", f"/v1/webhooks/{webhook['id']}/test")["id"],
    }
    return lambda path: path.format(**subjects)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@given(value=OBJECTS | VALUES, ascii_only=st.booleans())
@SOME
def test_any_json_is_taken_or_refused_in_our_words(refusing, fill, method, path, value, ascii_only):
    text = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    answer = refusing.call(method, fill(path), data=text, content_type="application/json", if_match="*")
    assert answer.status_code < 500
    if answer.status_code >= 400:
        assert not echoes(answer, texts_in(value))
        assert '"Is not valid."' not in answer.text, "it says what would be"


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@given(body=st.binary(max_size=100), kind=st.sampled_from(["application/json", "text/plain", ""]))
@SOME
def test_any_bytes_are_taken_or_refused_in_our_words(refusing, fill, method, path, body, kind):
    answer = refusing.call(method, fill(path), data=body, content_type=kind, if_match="*")
    assert answer.status_code < 500


@given(
    method=st.sampled_from(["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS", "TRACE", "BREW"]),
    before=st.sampled_from(["/v1/credentials/", "/v1/apis/", "/v1/roles/", "/v1/", "/", "/oauth/", "/.well-known/"]),
    place=st.text(st.characters(codec="utf-8"), min_size=1, max_size=30),
    query=st.dictionaries(
        st.sampled_from(["limit", "cursor", "cascade", "status", "q", "sort", "unused_since", "x"]),
        st.text(max_size=20),
        max_size=3,
    ),
)
@settings(SOME, max_examples=150)
def test_any_path_and_query_are_answered_in_our_words(refusing, method, before, place, query):
    path = before + quote(place, safe="/")
    pairs = {name: value.encode("utf-8", "surrogatepass") for name, value in query.items()}
    answer = refusing.server.call(method, path, query_string=pairs, if_match="*")
    assert answer.status_code in {400, 401, 404, 405}
    assert "html" not in answer.headers["Content-Type"]
    assert not echoes(answer, [place, *query.values()])


HEADER = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=40)


@given(
    names=st.lists(st.sampled_from(["If-Match", "Content-Type", "Content-Encoding", "Host", "Accept", "Cookie"])),
    value=HEADER,
)
@settings(SOME, max_examples=100)
def test_any_header_is_taken_or_refused_in_our_words(refusing, fill, names, value):
    headers = dict.fromkeys(names, value)
    for method, path, body in (("PATCH", "/v1/roles/{role_id}", b"{}"), ("GET", "/v1/credentials", b"")):
        answer = refusing.call(method, fill(path), data=body, headers=headers)
        assert answer.status_code < 500
        assert not echoes(answer, [value])


@given(value=HEADER)
@settings(SOME, max_examples=100)
def test_any_authorization_is_refused_in_our_words(refusing, value):
    for scheme in ("", "Bearer "):
        answer = refusing.call("GET", "/v1/roles", token=None, headers={"Authorization": scheme + value})
        assert answer.status_code == 401
        assert not echoes(answer, [value])


def texts_in(value: object) -> list[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [*value, *(text for inner in value.values() for text in texts_in(inner))]
    if isinstance(value, list):
        return [text for inner in value for text in texts_in(inner)]
    return []


def echoes(answer: Any, sent: list[str]) -> list[str]:
    """What was sent and came back. Our own words do not count: hypothesis reads our sources for ideas."""
    said = [*texts_in(answer.get_json(silent=True)), *answer.headers.values()]
    heard = [text for text in sent if len(text) >= LONG_ENOUGH and any(text in one for one in said)]
    return [text for text in heard if text not in our_words()]


@cache
def our_words() -> str:
    ours = [path for name in ("app", "tokenserver") for path in (ROOT / name).rglob("*.py")]
    return "".join(path.read_text(encoding="utf-8") for path in ours)

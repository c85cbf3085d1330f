"""Does every operation that writes leave exactly its audit lines, in the transaction of the change? Each of the table.

An operation that is new in the table fails here until it is said what it leaves behind.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from app.api.operation import Operation
from tests.api.test_openapi import door_of
from tests.support.contract import REPORTS, Api
from tokenserver.domain.audit import Event

Ids = dict[str, str]


def a_credential(api: Api) -> Ids:
    return {"client_id": api.credential(roles=["auditor"])["client_id"]}


def in_rotation(api: Api) -> Ids:
    ids = a_credential(api)
    api.ok("POST", f"/v1/credentials/{ids['client_id']}/rotate", {"grace_seconds": 600})
    return ids


def disabled(api: Api) -> Ids:
    ids = a_credential(api)
    api.ok("POST", f"/v1/credentials/{ids['client_id']}/disable")
    return ids


def an_api(api: Api) -> Ids:
    return {"api_id": api.only_api()["id"]}


def a_role(api: Api) -> Ids:
    return {"role_id": next(r["id"] for r in api.ok("GET", "/v1/roles")["items"] if r["name"] == "cloud_admin")}


def a_held_role(api: Api) -> Ids:
    a_credential(api)
    return {"role_id": next(r["id"] for r in api.ok("GET", "/v1/roles")["items"] if r["name"] == "auditor")}


def an_organization(api: Api) -> Ids:
    return {"organization_id": api.ok("POST", "/v1/organizations", {"name": "Other"})["id"]}


def a_suspended_one(api: Api) -> Ids:
    ids = an_organization(api)
    api.ok("POST", f"/v1/organizations/{ids['organization_id']}/suspend")
    return ids


def a_project(api: Api) -> Ids:
    return {"project_id": api.ok("POST", "/v1/projects", {"name": "apollo"})["id"]}


def an_operator(api: Api) -> Ids:
    return {"operator_id": api.ok("POST", "/v1/operators", {"email": "o@example.com", "role": "member"})["id"]}


def a_webhook(api: Api) -> Ids:
    body = {"url": "https://hooks.example.com/x", "events": ["role.*"]}
    return {"webhook_id": api.ok("POST", "/v1/webhooks", body)["id"]}


def a_delivery(api: Api) -> Ids:
    ids = a_webhook(api)
    return {**ids, "delivery_id": api.ok("POST", f"/v1/webhooks/{ids['webhook_id']}/test")["id"]}


def nothing(_: Api) -> Ids:
    return {}


@dataclass(frozen=True)
class Deed:
    """What is there before, what is sent, and the events that are in the log afterwards and were not before."""

    before: Callable[[Api], Ids]
    leaves: tuple[Event, ...]
    body: dict[str, Any] | Callable[[Ids], dict[str, Any]] | None = None
    query: str = ""
    detail: tuple[str, ...] = ("changed",)
    elsewhere: bool = False
    """Whether its lines are another organization's."""


DEEDS = {
    "reportUsage": [
        # What resource servers tell every few seconds changes nothing that anybody is judged by.
        Deed(
            nothing,
            (),
            {"instance": "x", "process": "0" * 16, "batch": 1, "audience": REPORTS, "interval_ms": 5000},
        )
    ],
    "inspectToken": [Deed(nothing, (), {"token": "a.b.c"})],
    "previewCredentialChange": [Deed(a_credential, (), {"roles": []})],
    "createCredential": [Deed(nothing, (Event.CREDENTIAL_CREATED,), {"name": "x"})],
    "changeCredential": [Deed(a_credential, (Event.CREDENTIAL_UPDATED,), {"name": "other"})],
    "deleteCredential": [Deed(a_credential, (Event.CREDENTIAL_DELETED,))],
    "regenerateSecret": [Deed(a_credential, (Event.SECRET_REGENERATED,))],
    "rotateSecret": [Deed(a_credential, (Event.SECRET_ROTATED,))],
    "finishRotation": [Deed(in_rotation, (Event.ROTATION_FINISHED,))],
    "cancelRotation": [Deed(in_rotation, (Event.ROTATION_CANCELLED,))],
    "disableCredential": [Deed(a_credential, (Event.CREDENTIAL_DISABLED,))],
    "enableCredential": [Deed(disabled, (Event.CREDENTIAL_ENABLED,))],
    "revokeCredential": [Deed(a_credential, (Event.CREDENTIAL_REVOKED,), {"reason": "left"})],
    "changeManyCredentials": [
        Deed(
            a_credential,
            (Event.CREDENTIAL_REVOKED,),
            lambda ids: {"action": "revoke", "client_ids": [ids["client_id"]]},
        ),
        Deed(a_credential, (), lambda ids: {"action": "revoke", "client_ids": [ids["client_id"]], "dry_run": True}),
    ],
    "previewApiChange": [Deed(an_api, (), {"scopes": []})],
    "createOrganization": [
        Deed(nothing, (Event.API_CREATED, Event.ORGANIZATION_CREATED), {"name": "Other"}, detail=(), elsewhere=True)
    ],
    "changeOrganization": [
        Deed(an_organization, (Event.ORGANIZATION_UPDATED,), {"name": "Else"}, elsewhere=True),
    ],
    "suspendOrganization": [Deed(an_organization, (Event.ORGANIZATION_SUSPENDED,), elsewhere=True)],
    "resumeOrganization": [Deed(a_suspended_one, (Event.ORGANIZATION_RESUMED,), elsewhere=True)],
    "endEverything": [Deed(an_organization, (Event.ORGANIZATION_TOKENS_ENDED,), elsewhere=True)],
    "createProject": [Deed(nothing, (Event.PROJECT_CREATED,), {"name": "apollo"}, detail=())],
    "changeProject": [Deed(a_project, (Event.PROJECT_UPDATED,), {"description": "other"})],
    "deleteProject": [Deed(a_project, (Event.PROJECT_DELETED,), detail=())],
    "addOperator": [
        Deed(nothing, (Event.OPERATOR_ADDED,), {"email": "o@example.com", "role": "member"}, detail=()),
    ],
    "changeOperator": [Deed(an_operator, (Event.OPERATOR_UPDATED,), {"role": "auditor"})],
    "removeOperator": [Deed(an_operator, (Event.OPERATOR_REMOVED,), detail=())],
    "createWebhook": [
        Deed(nothing, (Event.WEBHOOK_CREATED,), {"url": "https://h.example.com/", "events": ["role.*"]}, detail=())
    ],
    "changeWebhook": [Deed(a_webhook, (Event.WEBHOOK_UPDATED,), {"description": "other"})],
    "deleteWebhook": [Deed(a_webhook, (Event.WEBHOOK_DELETED,), detail=())],
    "rotateWebhookSecret": [Deed(a_webhook, (Event.WEBHOOK_SECRET_ROTATED,), detail=())],
    "testWebhook": [Deed(a_webhook, ())],
    "redeliver": [Deed(a_delivery, ())],
    "createApi": [Deed(nothing, (Event.API_CREATED,), {"audience": "https://new.example.com", "name": "n"}, detail=())],
    "changeApi": [Deed(an_api, (Event.API_UPDATED,), {"name": "other"}, detail=())],
    "deleteApi": [Deed(an_api, (Event.API_DELETED,), detail=())],
    "createRole": [Deed(nothing, (Event.ROLE_CREATED,), {"name": "new"}, detail=())],
    "changeRole": [Deed(a_role, (Event.ROLE_UPDATED,), {"description": "other"}, detail=())],
    "deleteRole": [
        Deed(a_role, (Event.ROLE_DELETED,), detail=()),
        Deed(a_held_role, (Event.CREDENTIAL_UPDATED, Event.ROLE_DELETED), query="?cascade=true", detail=()),
    ],
}


def writing(api: Api) -> list[Operation]:
    return [operation for operation in door_of(api.server).table if operation.method != "GET"]


def lines(api: Api) -> list[dict[str, Any]]:
    return [json.loads(line) for line in api.server.services.audit_trail.export()]


def do(api: Api, name: str, deed: Deed, **more: Any) -> list[dict[str, Any]]:
    """The lines that it left; what it answered is in the last of them by its request ID."""
    (operation,) = [one for one in writing(api) if one.name == name]
    ids = deed.before(api)
    path, body = operation.path.format(**ids) + deed.query, deed.body(ids) if callable(deed.body) else deed.body
    api.server.admin_token  # noqa: B018  to be issued before
    before = {line["hash"] for line in lines(api)}
    answer = api.call(operation.method, path, ... if body is None else body, if_match="*", **more)
    assert answer.status_code < 300, answer.text
    left = [line for line in lines(api) if line["hash"] not in before]
    assert {line["request_id"] for line in left} <= {answer.headers["X-Request-Id"]}
    return left


def test_every_operation_that_writes_is_here(stocked):
    assert {operation.name for operation in writing(stocked)} == set(DEEDS), "say what the new one leaves in the log"


CASES = [(name, deed) for name, deeds in DEEDS.items() for deed in deeds]


@pytest.mark.parametrize(
    ("name", "deed"),
    CASES,
    ids=[f"{name}{deed.query}{'' if deed.leaves else ' leaves nothing'}" for name, deed in CASES],
)
def test_an_operation_leaves_exactly_its_lines(stocked, name, deed):
    left = do(stocked, name, deed)
    assert sorted(line["event"] for line in left) == sorted(event.value for event in deed.leaves)
    for line in left:
        assert line["actor"] == f"credential:{stocked.server.installed.client_id}"
        assert (line["organization"] != stocked.server.installed.organization_id) is deed.elsewhere
        assert line["address"] == "127.0.0.1"
        assert line["outcome"] == "success"
        assert set(deed.detail) <= set(line["detail"])
        assert "tss_" not in json.dumps(line).replace("tss_\\u2026", "")


@pytest.mark.parametrize("name", sorted(DEEDS))
def test_an_operation_that_is_refused_changes_nothing_and_says_only_that_it_was_refused(stocked, name):
    """By somebody who may only read the log: the refusal has its line, the change has none."""
    deed = DEEDS[name][0]
    (operation,) = [one for one in writing(stocked) if one.name == name]
    ids = deed.before(stocked)
    path, body = operation.path.format(**ids) + deed.query, deed.body(ids) if callable(deed.body) else deed.body
    reader = stocked.limited_token("audit:read")
    before = len(lines(stocked))
    stocked.problem(403, operation.method, path, body or {}, token=reader, if_match="*")
    assert [line["event"] for line in lines(stocked)[before:] if line["chain"] == "changes"] in (
        ["admin:refused"],
        [],
    )
    assert {line["event"] for line in lines(stocked)} >= {"admin:refused"}


def test_reading_leaves_no_line(stocked):
    made = (a_credential, an_api, a_role, an_organization, a_project, an_operator, a_webhook)
    ids = {name: found for make in made for name, found in make(stocked).items()}
    before = len(lines(stocked))
    for operation in door_of(stocked.server).table:
        if operation.method == "GET":
            path = operation.path.format(**ids)
            assert stocked.server.call("GET", path).status_code == 200, operation.name
    assert len(lines(stocked)) == before


def test_a_change_whose_line_cannot_be_written_does_not_happen(stocked):
    ids = a_credential(stocked)
    with stocked.server.services.store.writing() as tx:
        tx.session.connection().exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON audit_event BEGIN SELECT raise(ABORT, 'disk full'); END"
        )
    answer = stocked.call("POST", f"/v1/credentials/{ids['client_id']}/disable")
    assert answer.status_code >= 500
    with stocked.server.services.store.writing() as tx:
        tx.session.connection().exec_driver_sql("DROP TRIGGER full")
    assert stocked.read(ids["client_id"])["status"] == "active"

"""Who is let in to the admin API, and what strangers and neighbours see of it."""

from __future__ import annotations

import json
from functools import partial

import pytest

from app.services.audit import Caller
from app.services.catalogue import ApiDraft, RoleDraft
from app.services.terms import Draft
from app.services.webhooks import WebhookDraft
from tests.support.contract import REPORTS
from tests.support.server import ALL_SCOPES, serving
from tokenserver.domain.generation import Generation
from tokenserver.domain.operators import Membership, OperatorRole
from tokenserver.domain.organizations import Organization
from tokenserver.domain.restrictions import Restrictions
from tokenserver.errors import InsufficientScope

BODIES = {
    "reportUsage": {"instance": "x", "process": "0" * 16, "batch": 1, "audience": REPORTS, "interval_ms": 5000},
    "createCredential": {"name": "x"},
    "changeCredential": {"name": "x"},
    "rotateSecret": {"grace_seconds": 5},
    "revokeCredential": {"reason": "x"},
    "createApi": {"audience": "https://x.example.com", "name": "x"},
    "changeApi": {"name": "x"},
    "createRole": {"name": "x"},
    "changeRole": {"description": "x"},
    "changeManyCredentials": {"action": "disable", "client_ids": ["x"], "dry_run": True},
    "previewApiChange": {"name": "x"},
    "createOrganization": {"name": "x"},
    "changeOrganization": {"name": "x"},
    "createProject": {"name": "x"},
    "changeProject": {"description": "x"},
    "addOperator": {"email": "x@example.com", "role": "member"},
    "changeOperator": {"name": "x"},
    "createWebhook": {"url": "https://hooks.example.com", "events": ["*"]},
    "changeWebhook": {"description": "x"},
}
NOBODYS = {
    "client_id": "tsc_" + "0" * 22,
    "api_id": "api_" + "0" * 16,
    "role_id": "role_" + "0" * 16,
    "organization_id": "org_" + "0" * 16,
    "project_id": "prj_" + "0" * 16,
    "operator_id": "op_" + "0" * 16,
    "webhook_id": "wh_" + "0" * 16,
    "delivery_id": "dlv_" + "0" * 16,
}
PLATFORM = {"organizations:read", "organizations:write"}


@pytest.fixture
def operations(contract):
    """Method, path, name and scopes of every operation, as the description has them."""
    return [
        (method.upper(), path, operation["operationId"], operation["security"][0]["oauth2"])
        for path, item in contract.document["paths"].items()
        for method, operation in item.items()
    ]


def filled(path, **ids):
    return path.format(**{**NOBODYS, **ids})


# --- who is asking --------------------------------------------------------------------------------------------------


def test_every_operation_asks_for_a_token(refusing, operations):
    for method, path, name, _ in operations:
        answer = refusing.call(method, filled(path), BODIES.get(name, ...), token=None)
        assert answer.status_code == 401
        assert answer.json["code"] == "unauthorized"
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="tokenserver"'


NO_TOKENS = {
    "another scheme": "Basic {token}",
    "no scheme": "{token}",
    "a scheme without a token": "Bearer",
    "a scheme and a space": "Bearer ",
    "two tokens": "Bearer {token} {token}",
    "two headers as one list": "Bearer {token}, Bearer {token}",
    "a parameter": 'Bearer {token}, realm="x"',
    "a quoted token": 'Bearer "{token}"',
    "a tab between": "Bearer\t{token}",
    "padding inside": "Bearer a=b",
    "another alphabet": "Bearer tökén",
    "a line break": "Bearer {token}\x0b",
}


@pytest.mark.parametrize("header", NO_TOKENS.values(), ids=NO_TOKENS.keys())
def test_what_is_no_bearer_token_counts_as_none(refusing, header):
    headers = {"Authorization": header.format(token=refusing.server.admin_token)}
    answer = refusing.call("GET", "/v1/credentials", token=None, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="tokenserver"'


def test_the_scheme_is_read_in_any_case(refusing):
    for scheme in ("bearer", "BEARER", "Bearer "):
        headers = {"Authorization": f"{scheme} {refusing.server.admin_token}"}
        assert refusing.call("GET", "/v1/credentials", token=None, headers=headers).status_code == 200


def test_a_token_anywhere_else_is_no_token(refusing):
    token = refusing.server.admin_token
    for path, more in {
        f"/v1/credentials?access_token={token}": {},
        "/v1/credentials": {"headers": {"Cookie": f"access_token={token}"}},
        "/v1/roles": {"headers": {"X-Authorization": f"Bearer {token}"}},
    }.items():
        assert refusing.call("GET", path, token=None, **more).status_code == 401
    form = {"data": {"access_token": token}, "content_type": "application/x-www-form-urlencoded"}
    assert refusing.call("POST", "/v1/roles", token=None, **form).status_code == 401


FORGED = {
    "garbage": lambda token: "garbage",
    "an edited payload": lambda token: token.replace(".eyJ", ".eyK", 1),
    "no signature": lambda token: token.rsplit(".", 1)[0] + ".",
    "a secret": lambda token: "tss_" + "0" * 46,
    "a token that is too long": lambda token: token + "a" * 9000,
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
def test_a_token_that_is_not_ours_is_invalid(refusing, forge):
    answer = refusing.call("GET", "/v1/credentials", token=forge(refusing.server.admin_token))
    assert (answer.status_code, answer.json["code"]) == (401, "invalid_token")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="tokenserver", error="invalid_token"'


def test_a_token_for_another_audience_is_invalid(stocked):
    made = stocked.credential(grants=[{"audience": "https://reports.example.com", "access": "all_read"}])
    token = stocked.server.token(made["client_id"], made["client_secret"])
    assert stocked.problem(401, "GET", "/v1/credentials", token=token)["code"] == "invalid_token"


def test_an_expired_token_is_invalid(api):
    token = api.server.admin_token
    api.server.clock.advance(901)
    assert api.problem(401, "GET", "/v1/credentials", token=token)["code"] == "invalid_token"


@pytest.mark.parametrize("action", ["/regenerate", "/disable", "/revoke", ""])
def test_an_ended_token_is_refused_at_the_next_request(api, action):
    grants = [{"audience": "urn:tokenserver:admin", "scopes": ["credentials:read"]}]
    made = api.credential(grants=grants)
    token = api.server.token(made["client_id"], made["client_secret"])
    assert api.call("GET", "/v1/credentials", token=token).status_code == 200
    api.ok("POST" if action else "DELETE", f"/v1/credentials/{made['client_id']}{action}")
    assert api.problem(401, "GET", "/v1/credentials", token=token)["code"] == "invalid_token"


def test_every_operation_asks_for_its_own_scope_and_no_other(api, operations):
    for needed in ALL_SCOPES - {"audit:read"}:
        token = api.limited_token(needed)
        for method, path, name, scopes in operations:
            answer = api.call(method, filled(path), BODIES.get(name, ...), token=token, if_match="*")
            lacks = answer.status_code == 403 and answer.json["title"] == InsufficientScope.public
            assert lacks == (scopes != [needed]), f"{name} with {needed}"
            if lacks:
                assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_a_token_may_be_used_only_from_the_addresses_of_its_credential(api):
    grants = [{"audience": "urn:tokenserver:admin", "scopes": ["credentials:read"]}]
    made = api.credential(grants=grants, allowed_ips="127.0.0.1")
    ask = partial(api.call, "GET", "/v1/credentials", token=api.server.token(made["client_id"], made["client_secret"]))
    assert ask().status_code == 200
    answer = ask(environ_overrides={"REMOTE_ADDR": "192.0.2.1"})
    assert (answer.status_code, answer.json["code"]) == (403, "address_not_allowed")
    assert (
        ask(environ_overrides={"REMOTE_ADDR": "192.0.2.1"}, headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 403
    )


def test_behind_a_trusted_proxy_the_address_is_the_clients(installed, tmp_path):
    with serving(installed, tmp_path, trusted_proxies="192.0.2.1") as server:
        role = server.call(
            "POST",
            "/v1/roles",
            {"name": "r"},
            headers={"X-Forwarded-For": "10.9.9.9, 203.0.113.5"},
            environ_overrides={"REMOTE_ADDR": "192.0.2.1"},
        )
        assert role.status_code == 201
        with server.services.store.reading() as tx:
            lines = tx.session.connection().exec_driver_sql("SELECT line FROM audit_event").scalars().all()
        line = next(line for line in lines if "role:created" in line)
        assert '"address":"203.0.113.5"' in line
        assert role.headers["X-Request-Id"] in line


def test_a_stranger_learns_nothing_before_the_token(refusing, operations):
    wrong = {"data": b"{", "content_type": "text/plain", "headers": {"If-Match": "x"}}
    for method, path, _, _ in operations:
        for subject in ("x", "%00", "%FF" * 3, "tsc_" + "0" * 22):
            where = filled(path, **dict.fromkeys(NOBODYS, subject)) + "?limit=x&surprise=1"
            assert refusing.call(method, where, token=None, **wrong).status_code == 401


# --- nobody raises their own rights ---------------------------------------------------------------------------------


def admin_grant(*scopes):
    return [{"audience": "urn:tokenserver:admin", "access": "custom", "scopes": list(scopes)}]


def test_nobody_makes_a_credential_with_admin_scopes_that_they_do_not_hold(api):
    token = api.limited_token("credentials:write")
    make = partial(api.call, "POST", "/v1/credentials", token=token)
    assert make({"name": "same", "grants": admin_grant("credentials:write")}).status_code == 201
    for grants in (
        admin_grant("credentials:write", "apis:write"),
        [{"audience": "urn:tokenserver:admin", "access": "all_read"}],
        [{"audience": "urn:tokenserver:admin", "access": "all_read_write"}],
    ):
        answer = make({"name": "more", "grants": grants})
        assert (answer.status_code, answer.json["code"]) == (403, "insufficient_scope")


def test_nobody_grants_admin_scopes_that_they_do_not_hold(api):
    made = api.credential()
    token = api.limited_token("credentials:write")
    path = f"/v1/credentials/{made['client_id']}"
    body = {"grants": admin_grant("roles:write")}
    assert api.call("PATCH", path, body, token=token, if_match="*").status_code == 403
    assert api.read(made["client_id"])["grants"] == []


@pytest.mark.parametrize(
    "action", ["/regenerate", "/rotate", "/rotation/finish", "/rotation/cancel", "/enable", "/disable", "/revoke", ""]
)
def test_nobody_takes_over_a_credential_that_holds_more(api, action):
    token = api.limited_token("credentials:write")
    path = f"/v1/credentials/{api.server.installed.client_id}{action}"
    answer = api.call("POST" if action else "DELETE", path, token=token)
    assert (answer.status_code, answer.json["code"]) == (403, "insufficient_scope")
    assert "client_secret" not in answer.text


# --- neighbours (W05) -----------------------------------------------------------------------------------------------


NEIGHBOUR = "org_N0e1i2g3h4b5o6u7"


@pytest.fixture
def neighbour(api):
    """Another organization with a credential, an API and a role: their IDs."""
    services = api.server.services
    with services.store.writing() as tx:
        tx.organizations.add(Organization(NEIGHBOUR, "Neighbour", Generation(), created_at=int(api.server.clock())))
    caller = Caller("shell", NEIGHBOUR, ALL_SCOPES)
    made = services.credentials.create(caller, Draft("theirs", "", Restrictions()))
    theirs = services.catalogue.create_api(caller, ApiDraft("https://theirs.example.com", "Theirs", ()))
    role = services.catalogue.create_role(caller, RoleDraft("theirs", "", None))
    project = services.organizations.create_project(caller, "theirs", "")
    member, _ = services.operators.add(
        caller, "theirs@example.com", "", Membership("", OperatorRole.MEMBER), platform_admin=False
    )
    webhook = services.webhooks.create(caller, WebhookDraft("https://theirs.example.com", "", ("*",))).webhook
    return {
        "client_id": made.view.credential.client_id,
        "api_id": theirs.id,
        "role_id": role.id,
        "organization_id": NEIGHBOUR,
        "project_id": project.id,
        "operator_id": member.id,
        "webhook_id": webhook.id,
        "delivery_id": services.webhooks.test(caller, webhook.id).delivery.id,
    }


@pytest.fixture
def stranger(api):
    """The token of one who may do everything, in one organization."""
    return api.limited_token(*sorted(ALL_SCOPES - PLATFORM))


def test_what_belongs_to_another_organization_is_not_there(api, operations, neighbour, stranger):
    for method, path, name, scopes in operations:
        if "{" in path and not set(scopes) & PLATFORM:
            asked = {"token": stranger, "if_match": "*"}
            found = api.call(method, filled(path, **neighbour), BODIES.get(name, ...), **asked)
            absent = api.call(method, filled(path), BODIES.get(name, ...), **asked)
            assert found.status_code == 404
            assert {**found.json, "request_id": ""} == {**absent.json, "request_id": ""}


def test_nobody_but_a_platform_admin_acts_in_another_organization(api, operations, neighbour, stranger):
    for method, path, name, scopes in operations:
        if not set(scopes) & PLATFORM:
            for elsewhere in (NEIGHBOUR, NOBODYS["organization_id"], "org_", "x", "../x"):
                headers = {"Tokenserver-Organization": elsewhere}
                where = filled(path, **neighbour)
                answer = api.call(method, where, BODIES.get(name, ...), token=stranger, headers=headers, if_match="*")
                assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_a_platform_admin_acts_in_another_organization(api, neighbour):
    headers = {"Tokenserver-Organization": NEIGHBOUR}
    read = api.call("GET", f"/v1/credentials/{neighbour['client_id']}", headers=headers)
    assert read.json["name"] == "theirs"
    made = api.call("POST", "/v1/credentials", {"name": "ours in theirs"}, headers=headers)
    assert made.status_code == 201
    assert api.call("GET", f"/v1/credentials/{made.json['client_id']}").status_code == 404
    lines = map(json.loads, api.server.services.audit_trail.export())
    line = next(line for line in lines if line["credential"] == made.json["client_id"])
    assert (line["organization"], line["actor"]) == (NEIGHBOUR, f"credential:{api.server.installed.client_id}")


def test_lists_hold_nothing_of_another_organization(api, neighbour, stranger):
    for path in ("credentials", "apis", "roles", "organizations", "projects", "operators", "webhooks"):
        text = api.call("GET", f"/v1/{path}", token=stranger).text
        assert not [found for found in neighbour.values() if found in text]


def test_roles_and_apis_of_another_organization_cannot_be_used(api, neighbour):
    grants = [{"audience": "https://theirs.example.com"}]
    body = {"name": "x", "roles": ["theirs"], "grants": grants}
    assert api.pointers("POST", "/v1/credentials", body) == ["/roles", "/grants/0/audience"]
    assert api.pointers("POST", "/v1/roles", {"name": "r", "audience": "https://theirs.example.com"}) == ["/audience"]


def test_names_are_taken_within_an_organization_only(api, neighbour):
    api.ok("POST", "/v1/roles", {"name": "theirs"})
    api.ok("POST", "/v1/apis", {"audience": "https://theirs.example.com", "name": "Ours"})


# --- what is asked --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "subject", ["x", "tsc_short", "%00", "tsc_%00" + "0" * 21, "%ED%A0%80", "%FF", "tsc_" + "é" * 22]
)
def test_an_id_that_cannot_be_is_not_there(refusing, operations, subject):
    for method, path, name, _ in operations:
        if "{" in path:
            where = filled(path, **dict.fromkeys(NOBODYS, subject))
            assert refusing.call(method, where, BODIES.get(name, ...), if_match="*").status_code == 404


def test_a_parameter_that_does_nothing_is_refused(refusing, operations):
    for method, path, name, _ in operations:
        for query in ("?surprise=1", "?limit=1&limit=1", "?limit=5&cascade=true", "?cascade=yes", "?%00=1"):
            answer = refusing.call(method, filled(path) + query, BODIES.get(name, ...), if_match="*")
            assert answer.status_code == 400
            assert "surprise" not in answer.text


def test_actions_take_an_empty_body_or_an_empty_object(api):
    made = api.credential()
    path = f"/v1/credentials/{made['client_id']}/disable"
    assert api.call("POST", path).status_code == 200
    assert api.call("POST", path, {}).status_code == 200
    assert api.call("POST", path, data=b"", content_type="text/plain").status_code == 200
    assert api.pointers("POST", path, {"reason": "x"}) == [""]


def test_a_broken_database_is_unavailable_and_says_when_to_come_back(api):
    token = api.server.admin_token
    with api.server.services.store.writing() as tx:
        tx.session.connection().exec_driver_sql("ALTER TABLE credential RENAME TO gone")
    for method, body in (("GET", ...), ("POST", {"name": "x"})):
        answer = api.call(method, "/v1/credentials", body, token=token)
        assert (answer.status_code, answer.json["code"]) == (503, "temporarily_unavailable")
        assert int(answer.headers["Retry-After"]) > 0


def test_an_unexpected_failure_tells_nothing(api, monkeypatch, caplog):
    def fail(*_: object) -> None:
        raise RuntimeError("the words of the failure")

    monkeypatch.setattr("app.services.credentials.Credentials.list", fail)
    answer = api.call("GET", "/v1/credentials")
    assert (answer.status_code, answer.json["code"]) == (500, "server_error")
    assert "words" not in answer.text
    assert [record.request_id for record in caplog.records] == [answer.headers["X-Request-Id"]]

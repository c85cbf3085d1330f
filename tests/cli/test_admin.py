"""Is the token fetched once, kept in memory, renewed when it has ended, and each refusal one exit code?"""

from __future__ import annotations

import base64

import pytest

STATUSES = {
    400: 2, 401: 3, 403: 3, 404: 4, 405: 4, 408: 6, 409: 5, 412: 5, 413: 2, 415: 2, 422: 2, 428: 5, 429: 6, 500: 6,
    502: 6, 503: 6,
}  # fmt: skip


@pytest.mark.parametrize(("status", "code"), STATUSES.items())
def test_each_status_has_its_exit_code(at_the_stub, stub, status, code):
    stub.answer("GET", "/v1/roles", {"title": "No.", "code": "x", "request_id": "req1"}, status)
    told = at_the_stub.refused(code, "role", "list")
    assert told.startswith("No.\n")
    assert "req1" in told


def test_a_refusal_that_is_no_document_is_told_by_its_status(at_the_stub, stub):
    stub.answer("GET", "/v1/roles", b"<html>Bad Gateway", 502)
    assert "502" in at_the_stub.refused(6, "role", "list")


def test_how_long_to_wait_is_told(at_the_stub, stub):
    stub.answer("GET", "/v1/roles", {"title": "Later."}, 503, Retry_After="7")
    assert "Try again after 7 seconds." in at_the_stub.refused(6, "role", "list")


def test_the_token_is_fetched_once_for_the_admin_api_and_written_nowhere(at_the_stub, stub):
    stub.answer("GET", "/v1/roles", {"items": [{"id": "role_1", "name": "x"}], "next": None})
    stub.answer("GET", "/v1/roles/role_1", {"id": "role_1"})
    at_the_stub.ok("role", "show", "x")
    assert [path for _, path, _, _ in stub.asked].count("/oauth/token") == 1
    _, _, headers, body = stub.asked[0]
    assert b"resource=urn%3Atokenserver%3Aadmin" in body
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"tsc_x:tss_hidden"
    assert all(headers["Authorization"] == "Bearer a.b.c" for _, p, headers, _ in stub.asked if p != "/oauth/token")
    assert list(at_the_stub.home.iterdir()) == []


def test_a_token_that_has_ended_is_renewed_once(at_the_stub, stub):
    stub.answer("GET", "/v1/roles", {"title": "The access token is not valid.", "code": "invalid_token"}, 401)
    assert "not valid" in at_the_stub.refused(3, "role", "list")
    assert [path for _, path, _, _ in stub.asked].count("/oauth/token") == 2


def test_a_credential_that_may_not_manage_is_told_so(terminal, world):
    made = world.credential()
    terminal.environment.update(
        TOKENSERVER_CLIENT_ID=made["client_id"], TOKENSERVER_CLIENT_SECRET=made["client_secret"]
    )
    assert "urn:tokenserver:admin" in terminal.refused(2, "role", "list")
    terminal.environment["TOKENSERVER_CLIENT_SECRET"] = "tss_wrong"
    told = terminal.refused(3, "role", "list")
    assert "was it regenerated?" in told
    assert "tss_wrong" not in told


def test_a_credential_that_may_only_read_is_told_what_it_lacks(terminal):
    scope = "urn:tokenserver:admin=roles:read"
    made = terminal.json("credential", "create", "--name", "reads roles", "--grant", scope)
    terminal.environment.update(
        TOKENSERVER_CLIENT_ID=made["client_id"], TOKENSERVER_CLIENT_SECRET=made["client_secret"]
    )
    assert terminal.json("role", "list")["items"]
    assert "lacks a scope" in terminal.refused(3, "role", "create", "--name", "x")


def test_where_the_server_gives_its_reason_nothing_is_guessed(terminal, world):
    made = terminal.json("operator", "create", "--email", "told@example.com", "--role", "member", "--may-hold-no-roles")
    own = ("credential", "create", "--name", "told", "--owner", made["id"])
    told = terminal.refused(3, *own, "--role", "reader")
    assert "that its owner does not hold" in told
    assert "urn:tokenserver:admin" not in told
    gone = world.credential()
    world.manage("POST", f"/v1/credentials/{gone['client_id']}/revoke", {"reason": ""})
    terminal.environment.update(
        TOKENSERVER_CLIENT_ID=gone["client_id"], TOKENSERVER_CLIENT_SECRET=gone["client_secret"]
    )
    told = terminal.refused(3, "role", "list")
    assert "has been revoked" in told
    assert "regenerated" not in told


def test_a_platform_admin_works_in_the_organization_that_is_named(at_the_stub, stub):
    stub.answer("GET", "/v1/roles", {"items": [{"id": "role_1", "name": "x"}], "next": None})
    stub.answer("GET", "/v1/roles/role_1", {"id": "role_1", "name": "x"})
    stub.answer("DELETE", "/v1/roles/role_1", b"", 204)
    stub.answer("GET", "/v1/audit-events/export", b"{}\n")
    at_the_stub.ok("--organization", "org_1", "role", "delete", "x", "--yes")
    at_the_stub.ok("audit", "export", "--organization", "org_1")
    asked = [(path, headers.get("Tokenserver-Organization")) for _, path, headers, _ in stub.asked]
    assert {named for path, named in asked if path.startswith("/v1/")} == {"org_1"}
    assert {named for path, named in asked if path.startswith("/oauth/")} == {None}
    at_the_stub.ok("role", "list")
    assert "Tokenserver-Organization" not in stub.asked[-1][2]


def test_an_organization_is_no_second_header(at_the_stub, stub):
    assert "--organization" in at_the_stub.refused(2, "role", "list", "--organization", "org_1\r\nX-Other: 1")
    assert stub.asked == []

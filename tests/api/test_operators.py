"""Operators: what each role may do, that nobody grants more than they hold, and what happens to what they leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.contract import REPORTS
from tests.support.names import a_name
from tokenserver.domain.operators import ADMIN_SCOPES, PERMISSIONS, OperatorRole

ADMIN = "urn:tokenserver:admin"
READ_REPORTS = {"audience": REPORTS, "access": "custom", "scopes": ["reports:read"]}


def email():
    return a_name("op").replace(" ", ".") + "@example.com"


class Person:
    """An operator with a personal credential that holds all that their role allows, and asks with its tokens."""

    def __init__(self, api, role, **asked):
        self.api = api
        self.shown = api.ok("POST", "/v1/operators", {"email": email(), "role": role, **asked})
        self.id = self.shown["id"]
        grants = [{"audience": ADMIN, "scopes": self.shown["permissions"]}]
        self.made = api.ok("POST", "/v1/credentials", {"name": a_name(role), "owner": self.id, "grants": grants})

    @property
    def path(self):
        return f"/v1/operators/{self.id}"

    @property
    def token(self):
        return self.api.server.token(self.made["client_id"], self.made["client_secret"])

    def personal(self, **asked):
        return self.api.ok("POST", "/v1/credentials", {"name": a_name("my own"), **asked}, token=self.token)

    def call(self, method, path, body=..., **more):
        return self.api.call(method, path, body, token=self.token, **more)


@pytest.mark.parametrize("role", ["owner", "admin", "auditor", "member"])
def test_an_operator_may_ask_for_the_permissions_of_the_role_and_no_more(api, role):
    person = Person(api, role)
    held = PERMISSIONS[OperatorRole(role)]
    assert set(person.shown["permissions"]) == held
    for scope in ADMIN_SCOPES:
        grants = [{"audience": ADMIN, "scopes": [scope.name]}]
        body = {"name": a_name("x"), "owner": person.id, "grants": grants}
        assert api.call("POST", "/v1/credentials", body).status_code == (201 if scope.name in held else 403)


def test_a_member_sees_and_manages_their_own_credentials_only(stocked):
    person, other = Person(stocked, "member"), Person(stocked, "member")
    organizations = stocked.credential()
    mine = person.personal(grants=[READ_REPORTS])
    assert mine["owner"] == person.id
    assert mine["created_by"] == f"operator:{person.id}"
    listed = person.call("GET", "/v1/credentials").json["items"]
    assert {item["client_id"] for item in listed} == {person.made["client_id"], mine["client_id"]}
    for theirs in (organizations, other.made):
        for method, action in (("GET", ""), ("DELETE", ""), ("POST", "/regenerate"), ("POST", "/disable")):
            assert person.call(method, f"/v1/credentials/{theirs['client_id']}{action}").status_code == 404
    assert person.call("POST", f"/v1/credentials/{mine['client_id']}/regenerate").status_code == 200
    assert person.call("DELETE", f"/v1/credentials/{mine['client_id']}").status_code == 204
    for path in ("/v1/operators", "/v1/apis", "/v1/roles", "/v1/projects", "/v1/organizations"):
        assert person.call("GET", path).status_code == 403


def test_an_auditor_reads_everything_and_changes_nothing(stocked):
    person = Person(stocked, "auditor")
    made = stocked.credential()
    for path in ("credentials", "operators", "apis", "roles", "projects", "organizations"):
        assert person.call("GET", f"/v1/{path}").status_code == 200
    assert person.call("GET", f"/v1/credentials/{made['client_id']}").status_code == 200
    for method, path, body in (
        ("POST", "/v1/credentials", {"name": "x"}),
        ("POST", f"/v1/credentials/{made['client_id']}/disable", ...),
        ("DELETE", person.path, ...),
        ("POST", "/v1/roles", {"name": "x"}),
    ):
        assert person.call(method, path, body).status_code == 403


def test_a_personal_credential_of_another_operator_cannot_be_made_by_a_member(api):
    person, owner = Person(api, "member"), Person(api, "owner")
    made = person.personal(owner=owner.id)
    assert made["owner"] == person.id


def test_nobody_makes_an_operator_more_than_they_are(api):
    admin, owner = Person(api, "admin"), Person(api, "owner")
    for role, status in (("owner", 403), ("admin", 201), ("auditor", 201), ("member", 201)):
        assert admin.call("POST", "/v1/operators", {"email": email(), "role": role}).status_code == status
    assert admin.call("PATCH", admin.path, {"role": "owner"}, if_match="*").status_code == 403
    assert admin.call("PATCH", owner.path, {"role": "member"}, if_match="*").status_code == 403
    assert admin.call("DELETE", owner.path).status_code == 403
    assert owner.call("PATCH", owner.path, {"platform_admin": True}, if_match="*").status_code == 403
    assert owner.call("PATCH", admin.path, {"role": "owner"}, if_match="*").status_code == 200


def test_nobody_hands_on_roles_and_scopes_that_they_do_not_hold(stocked):
    bound = {"roles": ["auditor"], "grants": [READ_REPORTS]}
    person = Person(stocked, "admin", **bound)
    write = {"audience": REPORTS, "scopes": ["reports:write"]}
    for body, status in (
        ({"roles": ["auditor"], "grants": [READ_REPORTS]}, 201),
        ({"roles": ["cloud_admin"]}, 403),
        ({"grants": [write]}, 403),
        ({"grants": [{"audience": REPORTS, "access": "all_read_write"}]}, 403),
    ):
        assert person.call("POST", "/v1/credentials", {"name": a_name("x"), **body}).status_code == status
        asked = {"email": email(), "role": "member", "roles": [], "grants": [], **body}
        assert person.call("POST", "/v1/operators", asked).status_code == status
    assert person.call("POST", "/v1/operators", {"email": email(), "role": "member"}).status_code == 403
    assert person.call("PATCH", person.path, {"roles": None, "grants": None}, if_match="*").status_code == 403


def test_the_tokens_of_a_personal_credential_carry_what_is_left_to_its_owner(stocked, claims_of):
    person = Person(stocked, "member", roles=["auditor", "cloud_admin"], grants=[READ_REPORTS])
    mine = person.personal(roles=["auditor", "cloud_admin"], grants=[READ_REPORTS])
    old = stocked.server.token(mine["client_id"], mine["client_secret"])
    assert claims_of(old)["roles"] == ["auditor", "cloud_admin"]
    generation = stocked.read(mine["client_id"])["generation"]
    stocked.ok("PATCH", person.path, {"roles": ["auditor"]}, if_match="*")
    assert stocked.read(mine["client_id"])["generation"] == generation + 1
    claims = claims_of(stocked.server.token(mine["client_id"], mine["client_secret"]))
    assert (claims["roles"], claims["scope"], claims["gen"]) == (["auditor"], "reports:read", generation + 1)
    stocked.ok("PATCH", person.path, {"grants": []}, if_match="*")
    refused = stocked.server.ask_for_token(mine["client_id"], mine["client_secret"])
    assert (refused.status_code, refused.json["error"]) == (400, "invalid_target")
    stocked.ok("PATCH", person.path, {"grants": None, "roles": None}, if_match="*")
    claims = claims_of(stocked.server.token(mine["client_id"], mine["client_secret"]))
    assert claims["roles"] == ["auditor", "cloud_admin"]


def test_an_operator_who_is_given_more_is_not_disturbed(stocked):
    person = Person(stocked, "member", roles=["auditor"], grants=[READ_REPORTS])
    token = person.token
    stocked.ok("PATCH", person.path, {"role": "admin", "roles": None, "grants": None}, if_match="*")
    assert stocked.ok("GET", "/v1/credentials", token=token)


def test_an_operator_who_becomes_less_can_do_less_at_once(stocked):
    person = Person(stocked, "admin")
    token = person.token
    assert stocked.ok("GET", "/v1/roles", token=token)
    stocked.ok("PATCH", person.path, {"role": "member"}, if_match="*")
    assert stocked.problem(401, "GET", "/v1/roles", token=token)
    assert person.call("GET", "/v1/roles").status_code == 403
    assert person.call("GET", "/v1/credentials").status_code == 200


def test_with_an_operator_who_leaves_go_personal_credentials_and_no_others(stocked):
    person = Person(stocked, "admin")
    organizations = person.call("POST", "/v1/credentials", {"name": a_name("lasting"), "grants": [READ_REPORTS]}).json
    token = person.token
    stocked.ok("DELETE", person.path)
    gone = stocked.read(person.made["client_id"])
    assert (gone["status"], gone["revoked_reason"]) == (
        "revoked",
        "The operator whose personal credential it was has left.",
    )
    assert stocked.problem(401, "GET", "/v1/credentials", token=token)
    assert stocked.server.ask_for_token(person.made["client_id"], person.made["client_secret"]).status_code == 401
    assert organizations["owner"] is None
    assert stocked.server.token(organizations["client_id"], organizations["client_secret"])
    assert stocked.problem(404, "GET", person.path)


def test_there_is_always_an_owner(api):
    (first,) = (item for item in api.ok("GET", "/v1/operators")["items"] if item["role"] == "owner")
    path = f"/v1/operators/{first['id']}"
    assert api.problem(409, "DELETE", path)["code"] == "last_owner"
    assert api.problem(409, "PATCH", path, {"role": "admin"}, if_match="*")["code"] == "last_owner"
    api.ok("POST", "/v1/operators", {"email": email(), "role": "owner"})
    assert api.ok("PATCH", path, {"role": "admin"}, if_match="*")["role"] == "admin"


def test_a_person_is_a_member_of_several_organizations_and_of_each_once(api):
    address = email()
    here = api.ok("POST", "/v1/operators", {"email": address.upper(), "name": "Ada", "role": "member"})
    assert here["email"] == address
    assert api.problem(409, "POST", "/v1/operators", {"email": address, "role": "admin"})["code"] == "is_member"
    other = api.ok("POST", "/v1/organizations", {"name": "Another"})
    headers = {"Tokenserver-Organization": other["id"]}
    there = api.ok("POST", "/v1/operators", {"email": address, "role": "auditor"}, headers=headers)
    assert (there["id"], there["role"], there["name"]) == (here["id"], "auditor", ""), "they have not been there yet"
    api.ok("DELETE", f"/v1/operators/{here['id']}")
    assert api.ok("GET", f"/v1/operators/{here['id']}", headers=headers)["role"] == "auditor"


@pytest.mark.parametrize(
    "address", ["", "x", "@x", "x@", "x y@example.com", "é@example.com", "a@b@c", "x@" + "y" * 300]
)
def test_what_is_no_address_is_refused(refusing, address):
    assert refusing.pointers("POST", "/v1/operators", {"email": address, "role": "member"}) == ["/email"]


def test_bounds_name_what_is_there(refusing):
    body = {"email": "x@example.com", "role": "member", "roles": ["nothing"], "grants": [{"audience": "urn:nothing"}]}
    assert refusing.pointers("POST", "/v1/operators", body) == ["/roles", "/grants/0/audience"]
    assert refusing.pointers("POST", "/v1/operators", {"email": "x@example.com", "role": "king"}) == ["/role"]
    assert refusing.pointers("POST", "/v1/credentials", {"name": "x", "owner": "op_" + "0" * 16}) == ["/owner"]


@pytest.mark.parametrize("members", [{"email": "x@example.com", "role": "member"}, {}], ids=["added", "changed"])
def test_a_member_that_is_not_known_within_a_grant_is_a_fault_of_that_grant(api, members):
    body = {**members, "grants": [{"audience": "urn:x", "scopes": [], "unknown": 1}]}
    (owner,) = api.ok("GET", "/v1/operators")["items"]
    how = ("POST", "/v1/operators") if members else ("PATCH", f"/v1/operators/{owner['id']}")
    (fault,) = api.problem(422, *how, body, if_match=None if members else "*")["errors"]
    assert fault == {
        "pointer": "/grants/0",
        "detail": "Has a member that is not known. Known are: audience, access, scopes.",
    }


# --- the page -------------------------------------------------------------------------------------------------------

PAGE = Path(__file__).parents[2] / "docs" / "permissions.md"


def printed(document):
    """The two tables of docs/permissions.md."""
    lines = ["| Permission | " + " | ".join(role.value for role in OperatorRole) + " |", "| --- |" + " :-: |" * 5]
    for scope in ADMIN_SCOPES:
        marks = ("yes" if scope.name in PERMISSIONS[role] else "" for role in OperatorRole)
        lines.append(f"| `{scope.name}` | " + " | ".join(marks) + " |")
    lines += ["", "| Operation | Needs |", "| --- | --- |"]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            needs = " or ".join(f"`{scope}`" for way in operation["security"] for scope in way["oauth2"])
            lines.append(f"| {operation['summary']} (`{method.upper()} {path}`) | {needs} |")
    return "\n".join(lines)


def test_the_page_of_permissions_is_what_the_code_says(contract):
    told = PAGE.read_text(encoding="utf-8").partition("<!-- printed -->\n")[2].partition("\n<!-- /printed -->")[0]
    assert told == printed(contract.document), f"it should be:\n{printed(contract.document)}"

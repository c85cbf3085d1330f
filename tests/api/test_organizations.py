"""Tenants: organizations, what they allow, and projects."""

from __future__ import annotations

import pytest

from tests.support.contract import REPORTS
from tests.support.names import a_name

ADMIN = "urn:tokenserver:admin"


@pytest.fixture
def org(api):
    """Our own organization, as it is shown."""
    return api.ok("GET", "/v1/organizations")["items"][0]


def path_of(organization, action=""):
    return f"/v1/organizations/{organization['id']}{action}"


def another(api, **asked):
    """Another organization with an administrator of its own, who holds all but what is the platform's."""
    made = api.ok("POST", "/v1/organizations", {"name": "Another", **asked})
    headers = {"Tokenserver-Organization": made["id"]}
    grants = [{"audience": ADMIN, "access": "all_read_write"}]
    admin = api.ok("POST", "/v1/credentials", {"name": "admin", "grants": grants}, headers=headers)
    return made, admin


def test_an_organization_is_made_with_an_administrator_of_its_own_who_sees_no_other(api, org):
    made, admin = another(api)
    token = api.server.token(admin["client_id"], admin["client_secret"])
    assert api.ok("GET", "/v1/organizations", token=token)["items"] == [api.ok("GET", path_of(made))]
    assert api.problem(404, "GET", path_of(org), token=token)
    assert [item["name"] for item in api.ok("GET", "/v1/credentials", token=token)["items"]] == ["admin"]
    assert [item["audience"] for item in api.ok("GET", "/v1/apis", token=token)["items"]] == [ADMIN]
    assert {made["id"], org["id"]} <= {item["id"] for item in api.ok("GET", "/v1/organizations")["items"]}


def test_whoever_administers_an_organization_cannot_take_over_the_platform(api):
    _, admin = another(api)
    token = api.server.token(admin["client_id"], admin["client_secret"])
    for scope in ("organizations:write", "organizations:read", "signing-keys:write"):
        grants = [{"audience": ADMIN, "scopes": [scope]}]
        refused = api.problem(403, "POST", "/v1/credentials", {"name": a_name("x"), "grants": grants}, token=token)
        assert refused["code"] == "insufficient_scope"
    assert api.problem(403, "POST", "/v1/organizations", {"name": "x"}, token=token)
    body = {"email": "x@example.com", "role": "owner", "platform_admin": True}
    assert api.problem(403, "POST", "/v1/operators", body, token=token)["code"] == "insufficient_scope"


def test_suspending_ends_every_token_and_resuming_brings_none_back(api):
    made, admin = another(api)
    token = api.server.token(admin["client_id"], admin["client_secret"])
    suspended = api.ok("POST", path_of(made, "/suspend"))
    assert (suspended["suspended_at"], suspended["generation"]) == ("2027-01-15T08:00:00Z", 2)
    assert api.problem(401, "GET", "/v1/credentials", token=token)
    refused = api.server.ask_for_token(admin["client_id"], admin["client_secret"])
    assert (refused.status_code, "suspended" in refused.json["error_description"]) == (401, True)
    assert api.ok("POST", path_of(made, "/suspend")) == suspended
    resumed = api.ok("POST", path_of(made, "/resume"))
    assert (resumed["suspended_at"], resumed["generation"]) == (None, 2)
    assert api.problem(401, "GET", "/v1/credentials", token=token)
    assert api.ok("GET", "/v1/credentials", token=api.server.token(admin["client_id"], admin["client_secret"]))


def test_ending_everything_ends_the_callers_own_token_too_and_no_secret(api, org):
    token = api.server.admin_token
    made = api.credential()
    theirs = another(api)[1]
    other = api.server.token(theirs["client_id"], theirs["client_secret"])
    assert api.ok("POST", path_of(org, "/end-everything"), token=token)["generation"] == org["generation"] + 1
    assert api.problem(401, "GET", "/v1/credentials", token=token)
    assert api.ok("GET", "/v1/credentials", token=other)
    assert api.server.ask_for_token(made["client_id"], made["client_secret"]).json["error"] == "invalid_target"
    fresh = api.server.token(api.server.installed.client_id, api.server.installed.secret)
    assert api.ok("GET", "/v1/credentials", token=fresh)


def test_a_quota_is_set_by_the_platform_and_counts_what_has_not_ended(api):
    made, admin = another(api, credential_quota=2)
    ask = {"token": api.server.token(admin["client_id"], admin["client_secret"])}
    second = api.ok("POST", "/v1/credentials", {"name": "second"}, **ask)
    refused = api.problem(409, "POST", "/v1/credentials", {"name": "third"}, **ask)
    assert (refused["code"], "(2)" in refused["title"]) == ("quota_reached", True)
    api.ok("POST", f"/v1/credentials/{second['client_id']}/revoke", **ask)
    ends = {"name": "third", "expires_at": "2027-01-15T08:00:05Z"}
    assert api.ok("POST", "/v1/credentials", ends, **ask)
    api.server.clock.advance(6)
    assert api.ok("POST", "/v1/credentials", {"name": "fourth"}, **ask)
    refused = api.problem(403, "PATCH", path_of(made), {"credential_quota": 5}, if_match="*", **ask)
    assert "platform" in refused["title"]
    assert api.ok("PATCH", path_of(made), {"credential_quota": None}, if_match="*")["credential_quota"] is None
    assert api.ok("POST", "/v1/credentials", {"name": "fifth"}, **ask)


def test_an_expiry_cap_holds_for_what_is_made_and_changed_and_brings_the_default_forward(api, org):
    api.ok("PATCH", path_of(org), {"longest_expiry_days": 90}, if_match="*")
    assert api.credential()["expires_at"] == "2027-04-15T08:00:00Z"
    for late in ("2027-04-15T08:00:01Z", None):
        assert api.pointers("POST", "/v1/credentials", {"name": "x", "expires_at": late}) == ["/expires_at"]
    made = api.credential(expires_at="2027-02-01T00:00:00Z")
    path = f"/v1/credentials/{made['client_id']}"
    assert api.pointers("PATCH", path, {"expires_at": None}, if_match="*") == ["/expires_at"]
    assert api.change(made["client_id"], token_lifetime=600)
    api.ok("PATCH", path_of(org), {"longest_expiry_days": None}, if_match="*")
    assert api.change(made["client_id"], expires_at=None)["expires_at"] is None


def test_where_names_are_fixed_a_credential_keeps_its_own(api, org):
    made = api.credential(name="first")
    api.ok("PATCH", path_of(org), {"names_are_fixed": True}, if_match="*")
    path = f"/v1/credentials/{made['client_id']}"
    assert api.problem(409, "PATCH", path, {"name": "First"}, if_match="*")["code"] == "names_are_fixed"
    assert api.ok("PATCH", path, {"name": "first", "description": "new"}, if_match="*")["description"] == "new"


def test_a_change_of_an_organization_needs_the_version_it_is_meant_for(api, org):
    assert api.problem(428, "PATCH", path_of(org), {"name": "x"})
    assert api.problem(412, "PATCH", path_of(org), {"name": "x"}, if_match='"99"')
    assert api.problem(412, "POST", path_of(org, "/end-everything"), if_match='"99"')
    changed = api.ok("PATCH", path_of(org), {"name": "Renamed"}, if_match=f'"{org["version"]}"')
    assert (changed["name"], changed["version"]) == ("Renamed", org["version"] + 1)
    assert api.ok("PATCH", path_of(org), {}, if_match="*") == changed


# --- audiences ---


def test_nobody_mints_tokens_for_the_api_of_another_organization(stocked):
    """Resource servers know tokens by their audience, so that an audience belongs to whoever had it first."""
    _, admin = another(stocked)
    ask = {"token": stocked.server.token(admin["client_id"], admin["client_secret"])}
    theirs = {"audience": REPORTS, "name": "Mine now", "scopes": [{"name": "reports:write", "access": "write"}]}
    assert stocked.problem(409, "POST", "/v1/apis", theirs, **ask)["code"] == "of_another_organization"
    body = {"name": "x", "grants": [{"audience": REPORTS}]}
    assert stocked.pointers("POST", "/v1/credentials", body, **ask) == ["/grants/0/audience"]


def test_a_platform_admin_gives_an_api_to_another_organization_and_says_its_scopes(stocked):
    other, admin = another(stocked)
    ask = {"token": stocked.server.token(admin["client_id"], admin["client_secret"])}
    given = {"audience": REPORTS, "name": "Reports", "scopes": [{"name": "reports:read", "access": "read"}]}
    headers = {"Tokenserver-Organization": other["id"]}
    path = f"/v1/apis/{stocked.ok('POST', '/v1/apis', given, headers=headers)['id']}"
    more = {"scopes": [*given["scopes"], {"name": "reports:write", "access": "write"}]}
    refused = stocked.problem(409, "PATCH", path, more, if_match="*", **ask)
    assert refused["code"] == "of_another_organization"
    assert stocked.ok("PATCH", path, {"name": "Our reports"}, if_match="*", **ask)["name"] == "Our reports"
    made = stocked.ok("POST", "/v1/credentials", {"name": "x", "grants": [{"audience": REPORTS}]}, **ask)
    assert stocked.server.token(made["client_id"], made["client_secret"])
    own = stocked.only_api()
    assert stocked.ok("PATCH", f"/v1/apis/{own['id']}", more, if_match="*")["scopes"][1]["name"] == "reports:write"


# --- projects -------------------------------------------------------------------------------------------------------


def test_a_project_and_an_environment_are_carried_in_tokens(stocked):
    stocked.ok("POST", "/v1/projects", {"name": "billing"})
    made = stocked.credential(project="billing", environment="production", grants=[{"audience": REPORTS}])
    assert (made["project"], made["environment"]) == ("billing", "production")
    listed = stocked.ok("GET", "/v1/credentials?project=billing&environment=production")["items"]
    assert [item["client_id"] for item in listed] == [made["client_id"]]
    assert stocked.ok("GET", "/v1/credentials?project=other")["items"] == []


def test_moving_a_credential_ends_its_tokens_and_giving_it_its_first_project_does_not(api):
    for name in ("one", "two"):
        api.ok("POST", "/v1/projects", {"name": name})
    made = api.credential()
    assert api.change(made["client_id"], project="one", environment="test")["generation"] == 1
    assert api.change(made["client_id"], project="two")["generation"] == 2
    assert api.change(made["client_id"], environment=None)["generation"] == 3


def test_a_project_that_is_not_there_cannot_be_given(api):
    assert api.pointers("POST", "/v1/credentials", {"name": "x", "project": "nowhere"}) == ["/project"]
    made = api.credential()
    path = f"/v1/credentials/{made['client_id']}"
    assert api.pointers("PATCH", path, {"project": "nowhere"}, if_match="*") == ["/project"]


def test_a_project_is_deleted_when_nothing_is_in_it(api):
    project = api.ok("POST", "/v1/projects", {"name": "billing"})
    assert api.problem(409, "POST", "/v1/projects", {"name": "billing"})
    path = f"/v1/projects/{project['id']}"
    assert api.ok("PATCH", path, {"description": "Invoices"}, if_match="*")["version"] == 2
    assert api.problem(412, "PATCH", path, {"description": "x"}, if_match='"1"')
    made = api.credential(project="billing")
    refused = api.problem(409, "DELETE", path)
    assert (refused["code"], refused["client_ids"]) == ("project_in_use", [made["client_id"]])
    api.ok("DELETE", f"/v1/credentials/{made['client_id']}")
    api.ok("DELETE", path)
    assert api.problem(404, "GET", path)


@pytest.mark.parametrize("name", ["", "with space", "é", "x" * 101, "-x", "a\nb", "a\0b"])
def test_names_of_projects_and_environments_are_plain(refusing, name):
    assert refusing.pointers("POST", "/v1/projects", {"name": name}) == ["/name"]
    assert refusing.pointers("POST", "/v1/credentials", {"name": "x", "environment": name}) == ["/environment"]

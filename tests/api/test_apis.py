"""APIs and their scopes over the admin API."""

from __future__ import annotations

import pytest

from tests.support.contract import REPORTS

FILES = {"audience": "https://files.example.com", "name": "Files"}


def path_of(made):
    return f"/v1/apis/{made['id']}"


def test_an_api_is_made_with_its_scopes_in_order(api):
    scopes = [{"name": "files:write", "access": "write", "sensitive": True}, {"name": "files:read", "access": "read"}]
    answer = api.call("POST", "/v1/apis", {**FILES, "scopes": scopes})
    made = answer.json
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"https://auth.example.com{path_of(made)}"
    assert answer.headers["ETag"] == '"1"'
    assert made["scopes"] == [
        {"name": "files:write", "access": "write", "sensitive": True, "description": ""},
        {"name": "files:read", "access": "read", "sensitive": False, "description": ""},
    ]
    assert api.ok("GET", path_of(made)) == made


def test_a_second_api_with_the_same_audience_is_refused(api):
    api.ok("POST", "/v1/apis", FILES)
    assert api.problem(409, "POST", "/v1/apis", {**FILES, "name": "Again"})["code"] == "already_exists"


FAULTY = {
    "no audience": ({"audience": ...}, "/audience"),
    "an audience that is no address": ({"audience": "files"}, "/audience"),
    "an audience with a fragment": ({"audience": "https://files.example.com/#x"}, "/audience"),
    "an audience with a line break": ({"audience": "https://files.example.com/\n"}, "/audience"),
    "a blank name": ({"name": " "}, "/name"),
    "a scope without a kind": ({"scopes": [{"name": "files:read"}]}, "/scopes/0/access"),
    "a scope of another kind": ({"scopes": [{"name": "files:read", "access": "admin"}]}, "/scopes/0/access"),
    "a scope with a space": ({"scopes": [{"name": "files read", "access": "read"}]}, "/scopes/0/name"),
    "a scope with a quotation mark": ({"scopes": [{"name": 'files"', "access": "read"}]}, "/scopes/0/name"),
    "a scope listed twice": (
        {"scopes": [{"name": "a", "access": "read"}, {"name": "a", "access": "write"}]},
        "/scopes",
    ),
    "a scope that is sensitive by a number": (
        {"scopes": [{"name": "a", "access": "read", "sensitive": 1}]},
        "/scopes/0/sensitive",
    ),
    "too many scopes": ({"scopes": [{"name": "a", "access": "read"}] * 501}, "/scopes"),
}


@pytest.mark.parametrize(("members", "pointer"), FAULTY.values(), ids=FAULTY.keys())
def test_a_faulty_field_is_refused_by_its_pointer(refusing, members, pointer):
    asked = {name: value for name, value in {**FILES, **members}.items() if value is not ...}
    assert refusing.pointers("POST", "/v1/apis", asked) == [pointer]


def test_a_change_takes_only_the_members_that_are_present(stocked):
    before = stocked.only_api()
    after = stocked.ok("PATCH", path_of(before), {"name": "Renamed"}, if_match='"1"')
    assert after == {**before, "name": "Renamed", "version": 2}


def test_the_audience_never_changes(stocked):
    found = stocked.only_api()
    assert stocked.pointers("PATCH", path_of(found), {"audience": REPORTS}, if_match="*") == [""]


def test_adding_a_scope_disturbs_nobody(stocked):
    made = stocked.credential(grants=[{"audience": REPORTS, "access": "all_read"}])
    found = stocked.only_api()
    scopes = [*found["scopes"], {"name": "audit:read", "access": "read"}]
    stocked.ok("PATCH", path_of(found), {"scopes": scopes}, if_match="*")
    assert stocked.read(made["client_id"])["generation"] == 1
    assert "audit:read" in stocked.server.ask_for_token(made["client_id"], made["client_secret"]).json["scope"]


def test_taking_a_scope_away_is_refused_with_who_holds_it(stocked):
    made = stocked.credential(grants=[{"audience": REPORTS, "scopes": ["reports:read"]}])
    stocked.credential(grants=[{"audience": REPORTS, "scopes": ["reports:write"]}])
    found = stocked.only_api()
    scopes = [scope for scope in found["scopes"] if scope["name"] != "reports:read"]
    problem = stocked.problem(409, "PATCH", path_of(found), {"scopes": scopes}, if_match="*")
    assert (problem["code"], problem["count"], problem["client_ids"]) == ("still_held", 1, [made["client_id"]])
    assert stocked.only_api() == found


def test_taking_a_scope_away_with_cascade_takes_it_from_every_holder(stocked):
    made = stocked.credential(grants=[{"audience": REPORTS, "scopes": ["reports:read", "reports:write"]}])
    other = stocked.credential(grants=[{"audience": REPORTS, "scopes": ["reports:write"]}])
    found = stocked.only_api()
    scopes = [scope for scope in found["scopes"] if scope["name"] != "reports:read"]
    stocked.ok("PATCH", f"{path_of(found)}?cascade=true", {"scopes": scopes}, if_match="*")
    read = stocked.read(made["client_id"])
    assert (read["generation"], read["grants"][0]["scopes"]) == (2, ["reports:write"])
    assert stocked.read(other["client_id"])["generation"] == 1


def test_a_scope_that_becomes_sensitive_leaves_those_who_hold_all(stocked):
    made = stocked.credential(grants=[{"audience": REPORTS, "access": "all_read"}])
    found = stocked.only_api()
    scopes = [{**scope, "sensitive": True} for scope in found["scopes"]]
    assert stocked.problem(409, "PATCH", path_of(found), {"scopes": scopes}, if_match="*")["count"] == 1
    stocked.ok("PATCH", f"{path_of(found)}?cascade=true", {"scopes": scopes}, if_match="*")
    assert stocked.read(made["client_id"])["generation"] == 2


def test_an_api_that_is_held_is_deleted_only_with_cascade(stocked):
    made = stocked.credential(grants=[{"audience": REPORTS}])
    found = stocked.only_api()
    assert stocked.problem(409, "DELETE", path_of(found))["client_ids"] == [made["client_id"]]
    assert stocked.problem(409, "DELETE", f"{path_of(found)}?cascade=false")["code"] == "still_held"
    stocked.ok("DELETE", f"{path_of(found)}?cascade=true")
    assert stocked.problem(404, "GET", path_of(found))
    read = stocked.read(made["client_id"])
    assert (read["grants"], read["generation"]) == ([], 2)


def test_an_api_with_roles_is_not_deleted(stocked):
    stocked.ok("POST", "/v1/roles", {"name": "reporter", "audience": REPORTS})
    problem = stocked.problem(409, "DELETE", f"{path_of(stocked.only_api())}?cascade=true")
    assert problem["title"] == "Roles belong to this API: delete them first."


def test_the_servers_own_api_cannot_be_changed(api):
    own = api.ok("GET", "/v1/apis")["items"][0]
    assert own["audience"] == "urn:tokenserver:admin"
    problem = api.problem(409, "PATCH", path_of(own), {"scopes": []}, if_match="*")
    assert problem["code"] == "belongs_to_the_server"
    assert api.problem(409, "DELETE", f"{path_of(own)}?cascade=true")["code"] == "belongs_to_the_server"
    assert api.problem(409, "POST", "/v1/apis", {"audience": own["audience"], "name": "Mine"})


# --- what a new scope means -----------------------------------------------------------------------------------------


def test_a_preview_names_who_gains_and_who_loses_and_changes_nothing(stocked):
    reader = stocked.credential(grants=[{"audience": REPORTS, "access": "all_read"}])
    writer = stocked.credential(grants=[{"audience": REPORTS, "access": "custom", "scopes": ["reports:write"]}])
    stocked.credential(grants=[{"audience": REPORTS, "access": "custom", "scopes": ["reports:read"]}])
    before = stocked.only_api()
    kept = [scope for scope in before["scopes"] if scope["name"] != "reports:write"]
    change = {"scopes": [*kept, {"name": "figures:read", "access": "read"}]}
    told = stocked.ok("POST", f"/v1/apis/{before['id']}/preview", change)
    found = {item["client_id"]: (item["gains"], item["loses"]) for item in told["credentials"]}
    assert found == {reader["client_id"]: (["figures:read"], []), writer["client_id"]: ([], ["reports:write"])}
    assert told["count"] == 2
    assert stocked.only_api() == before


def test_a_sensitive_scope_is_gained_by_nobody(stocked):
    stocked.credential(grants=[{"audience": REPORTS, "access": "all_read_write"}])
    before = stocked.only_api()
    change = {"scopes": [*before["scopes"], {"name": "salaries:read", "access": "read", "sensitive": True}]}
    assert stocked.ok("POST", f"/v1/apis/{before['id']}/preview", change) == {"count": 0, "credentials": []}


# --- one that every organization has --------------------------------------------------------------------------------


@pytest.fixture
def there(stocked):
    """Headers of a platform admin who acts in another organization."""
    made = stocked.ok("POST", "/v1/organizations", {"name": "Customer"})
    return {"Tokenserver-Organization": made["id"]}


def shared(api):
    return api.ok("PATCH", path_of(api.only_api()), {"shared": True}, if_match="*")


def test_what_is_shared_is_in_every_catalogue_and_changed_in_one(stocked, there):
    assert (stocked.only_api()["shared"], stocked.only_api()["own"]) == (False, True)
    assert stocked.problem(404, "GET", path_of(stocked.only_api()), headers=there)
    made = shared(stocked)
    assert (made["shared"], made["own"], made["version"]) == (True, True, 2)
    assert stocked.ok("GET", path_of(made), headers=there) == {**made, "own": False}
    assert made["id"] in [api["id"] for api in stocked.ok("GET", "/v1/apis", headers=there)["items"]]
    for method, path, body in (
        ("PATCH", path_of(made), {"name": "Mine"}),
        ("PATCH", path_of(made), {"shared": False}),
        ("DELETE", f"{path_of(made)}?cascade=true", ...),
    ):
        problem = stocked.problem(409, method, path, body, if_match="*", headers=there)
        assert problem["code"] == "of_another_organization"
    assert stocked.only_api() == made


def test_pages_go_on_from_what_is_shared_to_ones_own(stocked, there):
    shared(stocked)
    stocked.server.clock.advance(5)
    for number in range(3):
        stocked.ok("POST", "/v1/apis", {"audience": f"urn:{number}", "name": "Own"}, headers=there)
    whole = [api["id"] for api in stocked.ok("GET", "/v1/apis", headers=there)["items"]]
    found, cursor = [], ""
    while cursor is not None:
        page = stocked.ok("GET", f"/v1/apis?limit=1{cursor and f'&cursor={cursor}'}", headers=there)
        found += [api["id"] for api in page["items"]]
        cursor = page["next"]
    assert found == whole
    assert len(found) == 5


@pytest.mark.parametrize("value", ["yes", 1, None, []])
def test_shared_is_true_or_false(stocked, value):
    assert stocked.pointers("PATCH", path_of(stocked.only_api()), {"shared": value}, if_match="*") == ["/shared"]
    body = {"audience": "urn:x", "name": "X", "shared": value}
    assert stocked.pointers("POST", "/v1/apis", body) == ["/shared"]
    assert stocked.pointers("POST", "/v1/roles", {"name": "x", "shared": value}) == ["/shared"]


def test_who_is_no_platform_admin_shares_nothing_and_changes_nothing_that_is_shared(stocked):
    token = stocked.limited_token("apis:write", "roles:write")
    path = path_of(stocked.only_api())
    for before in (lambda: None, lambda: shared(stocked)):
        before()
        for body in ({"shared": not stocked.only_api()["shared"]}, {"name": "Mine", "shared": True}):
            problem = stocked.problem(403, "PATCH", path, body, if_match="*", token=token)
            assert problem["code"] == "insufficient_scope"
    assert stocked.problem(403, "PATCH", path, {"scopes": []}, if_match="*", token=token)
    assert stocked.problem(403, "DELETE", f"{path}?cascade=true", token=token)
    assert stocked.problem(403, "POST", "/v1/apis", {"audience": "urn:x", "name": "X", "shared": True}, token=token)


def test_what_sharing_no_more_takes_away_is_told_and_taken_in_every_organization(stocked, there):
    shared(stocked)
    grants = [{"audience": REPORTS, "access": "all_read"}]
    kept = stocked.credential(grants=grants)
    lost = stocked.ok("POST", "/v1/credentials", {"name": "theirs", "grants": grants}, headers=there)
    told = stocked.ok("POST", f"{path_of(stocked.only_api())}/preview", {"shared": False})
    (effect,) = told["credentials"]
    assert (effect["client_id"], effect["loses"]) == (lost["client_id"], ["reports:read"])
    assert effect["organization"] == there["Tokenserver-Organization"]
    problem = stocked.problem(409, "PATCH", path_of(stocked.only_api()), {"shared": False}, if_match="*")
    assert (problem["code"], problem["client_ids"]) == ("still_held", [lost["client_id"]])
    stocked.ok("PATCH", f"{path_of(stocked.only_api())}?cascade=true", {"shared": False}, if_match="*")
    read = stocked.ok("GET", f"/v1/credentials/{lost['client_id']}", headers=there)
    assert (read["grants"], read["generation"]) == ([], 2)
    assert stocked.read(kept["client_id"])["generation"] == 1
    lines = stocked.ok("GET", f"/v1/audit-events?credential={lost['client_id']}", headers=there)["items"]
    assert [line["action"] for line in lines] == ["credential:updated", "credential:created"]
    assert lines[0]["actor"] == f"credential:{stocked.server.installed.client_id}"


def test_an_own_one_takes_the_place_of_a_shared_one_with_cascade(stocked, there):
    shared(stocked)
    grants = [{"audience": REPORTS, "access": "all_read"}]
    made = stocked.ok("POST", "/v1/credentials", {"name": "theirs", "grants": grants}, headers=there)
    body = {"audience": REPORTS, "name": "Own"}
    assert stocked.problem(409, "POST", "/v1/apis", body, headers=there)["client_ids"] == [made["client_id"]]
    stocked.ok("POST", "/v1/apis?cascade=true", body, headers=there)
    assert stocked.ok("GET", f"/v1/credentials/{made['client_id']}", headers=there)["generation"] == 2


def test_the_servers_own_api_is_not_shared(api):
    own = api.ok("GET", "/v1/apis")["items"][0]
    assert api.problem(409, "PATCH", path_of(own), {"shared": True}, if_match="*")["code"] == "belongs_to_the_server"

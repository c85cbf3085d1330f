"""Roles over the admin API."""

from __future__ import annotations

import pytest

from tests.support.contract import REPORTS


def path_of(made):
    return f"/v1/roles/{made['id']}"


def test_a_role_is_made_for_the_platform_or_for_one_api(stocked):
    answer = stocked.call(
        "POST", "/v1/roles", {"name": "product_admin:insync", "audience": REPORTS, "description": "d"}
    )
    made = answer.json
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"https://auth.example.com{path_of(made)}"
    assert (made["name"], made["audience"], made["description"]) == ("product_admin:insync", REPORTS, "d")
    assert stocked.ok("GET", path_of(made)) == made
    assert stocked.ok("POST", "/v1/roles", {"name": "everywhere", "audience": None})["audience"] is None


def test_a_second_role_by_the_same_name_is_refused(stocked):
    assert stocked.problem(409, "POST", "/v1/roles", {"name": "cloud_admin"})["code"] == "already_exists"


FAULTY = {
    "no name": ({}, "/name"),
    "a name with a space": ({"name": "cloud admin"}, "/name"),
    "a name in another script": ({"name": "администратор"}, "/name"),
    "a name that ends in a line break": ({"name": "cloud_admin\n"}, "/name"),
    "an API that does not exist": ({"name": "r", "audience": "https://other.example.com"}, "/audience"),
    "an unknown member": ({"name": "r", "scopes": []}, ""),
}


@pytest.mark.parametrize(("asked", "pointer"), FAULTY.values(), ids=FAULTY.keys())
def test_a_faulty_field_is_refused_by_its_pointer(refusing, asked, pointer):
    assert refusing.pointers("POST", "/v1/roles", asked) == [pointer]


def test_a_description_changes_and_a_name_never_does(stocked):
    role = stocked.ok("GET", "/v1/roles")["items"][0]
    changed = stocked.ok("PATCH", path_of(role), {"description": "Manages."}, if_match='"1"')
    assert changed == {**role, "description": "Manages.", "version": 2}
    assert stocked.ok("PATCH", path_of(role), {}, if_match='"2"') == changed
    assert stocked.pointers("PATCH", path_of(role), {"name": "other"}, if_match="*") == [""]


def test_a_role_that_is_held_is_deleted_only_with_cascade(stocked):
    made = stocked.credential(roles=["auditor", "cloud_admin"])
    other = stocked.credential(roles=["auditor"])
    role = next(role for role in stocked.ok("GET", "/v1/roles")["items"] if role["name"] == "cloud_admin")
    problem = stocked.problem(409, "DELETE", path_of(role))
    assert (problem["code"], problem["count"], problem["client_ids"]) == ("still_held", 1, [made["client_id"]])
    stocked.ok("DELETE", f"{path_of(role)}?cascade=true")
    read = stocked.read(made["client_id"])
    assert (read["roles"], read["generation"]) == (["auditor"], 2)
    assert stocked.read(other["client_id"])["generation"] == 1
    assert stocked.problem(404, "GET", path_of(role))


def test_a_role_that_nobody_holds_is_deleted(stocked):
    for role in stocked.ok("GET", "/v1/roles")["items"]:
        assert stocked.call("DELETE", path_of(role)).status_code == 204
    assert stocked.ok("GET", "/v1/roles") == {"items": [], "next": None}


def test_a_shared_role_is_in_every_catalogue_and_changed_in_one(stocked):
    there = {"Tokenserver-Organization": stocked.ok("POST", "/v1/organizations", {"name": "Customer"})["id"]}
    made = stocked.ok("POST", "/v1/roles", {"name": "partner", "shared": True})
    assert (made["shared"], made["own"]) == (True, True)
    assert stocked.ok("GET", "/v1/roles", headers=there)["items"] == [{**made, "own": False}]
    held = stocked.ok("POST", "/v1/credentials", {"name": "theirs", "roles": ["partner"]}, headers=there)
    problem = stocked.problem(409, "PATCH", path_of(made), {"shared": False}, if_match="*", headers=there)
    assert problem["code"] == "of_another_organization"
    assert stocked.problem(409, "POST", "/v1/roles", {"name": "partner"}, headers=there)["code"] == "already_exists"
    problem = stocked.problem(409, "PATCH", path_of(made), {"shared": False}, if_match="*")
    assert problem["client_ids"] == [held["client_id"]]
    changed = stocked.ok("PATCH", f"{path_of(made)}?cascade=true", {"shared": False}, if_match="*")
    assert changed == {**made, "shared": False, "version": 2}
    assert stocked.ok("GET", f"/v1/credentials/{held['client_id']}", headers=there)["roles"] == []


def test_a_role_of_one_api_is_shared_only_where_that_is(stocked):
    assert stocked.pointers("POST", "/v1/roles", {"name": "r", "audience": REPORTS, "shared": True}) == ["/shared"]
    stocked.ok("PATCH", f"/v1/apis/{stocked.only_api()['id']}", {"shared": True}, if_match="*")
    stocked.ok("POST", "/v1/roles", {"name": "r", "audience": REPORTS, "shared": True})

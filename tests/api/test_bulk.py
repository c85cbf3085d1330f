"""Many at once: all of them or none, and told beforehand."""

from __future__ import annotations

import pytest

from tests.support.contract import REPORTS

BULK = "/v1/bulk/credentials"


def ids(outcome):
    return {item["client_id"] for item in outcome["credentials"]}


def test_what_is_selected_is_disabled_at_once_and_its_tokens_end(stocked):
    grants = [{"audience": REPORTS, "scopes": ["reports:read"]}]
    stocked.ok("POST", "/v1/projects", {"name": "billing"})
    inside = [stocked.credential(project="billing", grants=grants) for _ in range(3)]
    outside = stocked.credential(grants=grants)
    body = {"action": "disable", "filter": {"project": "billing"}}
    told = stocked.ok("POST", BULK, {**body, "dry_run": True})
    assert (told["count"], told["dry_run"], ids(told)) == (3, True, {made["client_id"] for made in inside})
    assert stocked.read(inside[0]["client_id"])["status"] == "active"
    done = stocked.ok("POST", BULK, body)
    assert (done["count"], done["dry_run"], ids(done)) == (3, False, ids(told))
    for made in inside:
        found = stocked.read(made["client_id"])
        assert (found["status"], found["generation"]) == ("disabled", 2)
    assert stocked.read(outside["client_id"])["status"] == "active"
    assert stocked.ok("POST", BULK, body)["count"] == 0
    again = stocked.ok("POST", BULK, {**body, "action": "enable"})
    assert (again["count"], ids(again)) == (3, ids(told))
    for made in inside:
        found = stocked.read(made["client_id"])
        assert (found["status"], found["generation"]) == ("active", 2), "their ended tokens stay ended"


def test_rotating_many_shows_each_new_secret_once_and_both_work(stocked):
    grants = [{"audience": REPORTS, "scopes": ["reports:read"]}]
    made = [stocked.credential(grants=grants) for _ in range(2)]
    body = {"action": "rotate", "client_ids": [one["client_id"] for one in made], "grace_seconds": 60}
    told = stocked.ok("POST", BULK, {**body, "dry_run": True})
    assert [item["client_secret"] for item in told["credentials"]] == [None, None]
    done = {item["client_id"]: item for item in stocked.ok("POST", BULK, body)["credentials"]}
    for one in made:
        assert done[one["client_id"]]["grace_expires_at"] == "2027-01-15T08:01:01Z"
        for secret in (one["client_secret"], done[one["client_id"]]["client_secret"]):
            assert stocked.server.token(one["client_id"], secret)


def test_when_it_cannot_be_done_to_one_it_is_done_to_none(stocked):
    fine, ended = stocked.credential(), stocked.credential()
    stocked.ok("POST", f"/v1/credentials/{ended['client_id']}/revoke")
    nobodys = "tsc_" + "0" * 22
    body = {"action": "disable", "client_ids": [fine["client_id"], ended["client_id"], nobodys]}
    told = {item["client_id"]: item for item in stocked.ok("POST", BULK, {**body, "dry_run": True})["credentials"]}
    assert [told[c]["refusal"] for c in body["client_ids"]] == [None, "credential_ended", "not_found"]
    refused = stocked.problem(409, "POST", BULK, body)
    assert (refused["code"], refused["count"]) == ("not_all", 2)
    assert stocked.read(fine["client_id"])["status"] == "active"


def test_nobody_ends_by_the_dozen_what_they_could_not_end_one_by_one(api):
    token = api.limited_token("credentials:write")
    body = {"action": "revoke", "client_ids": [api.server.installed.client_id]}
    assert api.problem(409, "POST", BULK, body, token=token)["code"] == "not_all"
    assert api.read(api.server.installed.client_id)["status"] == "active"


def test_of_another_organization_nothing_is_found(api):
    other = api.ok("POST", "/v1/organizations", {"name": "Another"})
    headers = {"Tokenserver-Organization": other["id"]}
    theirs = api.ok("POST", "/v1/credentials", {"name": "theirs"}, headers=headers)
    refused = api.problem(409, "POST", BULK, {"action": "revoke", "client_ids": [theirs["client_id"]]})
    assert refused["client_ids"] == [theirs["client_id"]]
    assert api.ok("GET", f"/v1/credentials/{theirs['client_id']}", headers=headers)["status"] == "active"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"action": "disable"}, ""),
        ({"action": "disable", "client_ids": []}, "/client_ids"),
        ({"action": "disable", "client_ids": ["x\0"]}, "/client_ids/0"),
        ({"action": "disable", "client_ids": ["x"] * 1001}, "/client_ids"),
        ({"action": "disable", "client_ids": ["x"], "filter": {"q": "x"}}, ""),
        ({"action": "disable", "filter": {}}, ""),
        ({"action": "disable", "filter": {"status": ["sleeping"]}}, "/filter/status/0"),
        ({"action": "disable", "filter": {"everything": True}}, "/filter"),
        ({"action": "end", "client_ids": ["x"]}, "/action"),
        ({"action": "rotate", "client_ids": ["x"], "grace_seconds": 0}, "/grace_seconds"),
    ],
)
def test_what_is_not_said_clearly_is_refused(refusing, body, pointer):
    assert refusing.pointers("POST", BULK, body) == [pointer]

"""Does a preview say what a change would do, refuse what the change would refuse, and change nothing?"""

from __future__ import annotations

import pytest

from tests.api.test_usage import PATH as REPORT
from tests.api.test_usage import report, use
from tests.support.contract import REPORTS
from tokenserver.clock import DAY

READING = {"roles": [], "scopes": ["reports:read"]}
WRITING = {"roles": ["auditor"], "scopes": ["reports:write"]}


@pytest.fixture
def client_id(stocked):
    grants = [{"audience": REPORTS, "access": "all_read_write"}]
    return stocked.credential(roles=["auditor", "cloud_admin"], grants=grants)["client_id"]


@pytest.fixture
def used(stocked, client_id):
    """Twelve calls: ten that read from one address, two that write from another."""
    uses = [
        use(client_id, count=10, needs=READING),
        use(client_id, count=2, needs=WRITING, address="198.51.100.7"),
        use(client_id, count=4, status=403),
    ]
    stocked.ok("POST", REPORT, report(*uses))
    return client_id


def preview(api, client_id, query="", **change):
    return api.ok("POST", f"/v1/credentials/{client_id}/preview{query}", change)


def test_a_narrower_range_says_which_addresses_would_be_refused_and_that_tokens_end(stocked, used):
    found = preview(stocked, used, allowed_ips="192.0.2.0/24")
    assert (found["ends_tokens"], found["narrowed"]) == (True, ["allowed_ips"])
    assert (found["calls"], found["refused"], found["unknown"]) == (12, 2, 0)
    assert found["reasons"] == [{"reason": "address", "audience": REPORTS, "what": "198.51.100.7", "count": 2}]


def test_fewer_roles_and_scopes_say_which_calls_needed_them(stocked, used):
    found = preview(stocked, used, roles=["cloud_admin"], grants=[{"audience": REPORTS, "access": "all_read"}])
    assert (found["refused"], found["narrowed"]) == (2, ["roles", "grants"])
    assert {(one["reason"], one["what"]) for one in found["reasons"]} == {
        ("role", "auditor"),
        ("scope", "reports:write"),
    }
    unneeded = preview(stocked, used, roles=["auditor"])
    assert (unneeded["ends_tokens"], unneeded["refused"]) == (True, 0)
    assert preview(stocked, used, grants=[])["reasons"][0] == {
        "reason": "api",
        "audience": REPORTS,
        "what": None,
        "count": 12,
    }


def test_what_takes_nothing_away_ends_nothing(stocked, used):
    found = preview(stocked, used, name="another name", description="x", project=None)
    assert (found["ends_tokens"], found["narrowed"], found["refused"]) == (False, [], 0)
    assert found["calls"] == 12


def test_nothing_changes_and_the_change_itself_does_what_was_said(stocked, used):
    before = stocked.read(used)
    assert preview(stocked, used, roles=[])["ends_tokens"]
    assert stocked.read(used) == before
    assert stocked.change(used, roles=[])["floor"] == before["floor"] + 1


def test_what_resource_servers_do_not_tell_is_unknown_and_not_harmless(stocked, client_id):
    assert preview(stocked, client_id, roles=[])["silent"] == [REPORTS]
    stocked.ok("POST", REPORT, report(use(client_id, count=3)))
    found = preview(stocked, client_id, roles=[])
    assert (found["calls"], found["refused"], found["unknown"], found["silent"]) == (3, 0, 3, [])


def test_calls_of_before_are_left_out(stocked, used):
    stocked.server.clock.advance(2 * DAY)
    token = stocked.server.token(stocked.server.installed.client_id, stocked.server.installed.secret)
    path = f"/v1/credentials/{used}/preview"
    assert stocked.ok("POST", f"{path}?days=1", {"roles": []}, token=token)["calls"] == 0
    assert stocked.ok("POST", f"{path}?days=3", {"roles": []}, token=token)["calls"] == 12


@pytest.mark.parametrize("days", ["0", "91", "-1", "1.5", "", "x", "9" * 30])
def test_days_that_are_none_are_refused(days, refusing):
    problem = refusing.problem(400, "POST", f"/v1/credentials/tsc_{'x' * 22}/preview?days={days}", {"roles": []})
    assert "from 1 to 90" in problem["title"]


def test_what_the_change_would_refuse_is_refused(stocked, client_id):
    path = f"/v1/credentials/{client_id}/preview"
    assert stocked.pointers("POST", path, {"roles": ["nobody"]}) == ["/roles"]
    assert stocked.pointers("POST", path, {"project": "nowhere"}) == ["/project"]
    assert stocked.pointers("POST", path, {"allowed_ips": "10.0.0.1/8"}) == ["/allowed_ips"]
    assert stocked.pointers("POST", path, {"rolez": []}) == [""]
    stocked.ok("POST", f"/v1/credentials/{client_id}/revoke", {"reason": ""})
    assert stocked.problem(409, "POST", path, {"roles": []})["code"] == "credential_ended"


def test_another_organizations_credential_is_not_found(stocked, client_id):
    other = stocked.ok("POST", "/v1/organizations", {"name": "Other"})["id"]
    headers = {"Tokenserver-Organization": other}
    stocked.problem(404, "POST", f"/v1/credentials/{client_id}/preview", {"roles": []}, headers=headers)


# --- what is not used -------------------------------------------------------------------------------------------------


def usage_of(api, client_id):
    return api.ok("GET", f"/v1/credentials/{client_id}/usage")


def test_scopes_and_roles_that_no_route_required_are_told(stocked, used):
    found = usage_of(stocked, used)
    assert (found["unused_roles"], found["unused_scopes"]) == (["cloud_admin"], [])
    stocked.change(used, grants=[{"audience": REPORTS, "access": "custom", "scopes": ["people:read", "reports:read"]}])
    assert usage_of(stocked, used)["unused_scopes"] == [{"audience": REPORTS, "scopes": ["people:read"]}]


def test_where_it_is_not_told_what_routes_required_nothing_is_called_unused(stocked, used):
    stocked.ok("POST", REPORT, report(use(used, count=1), batch=2))
    found = usage_of(stocked, used)
    assert (found["unused_roles"], found["unused_scopes"]) == (None, [])


def test_an_api_that_tells_of_no_call_leaves_all_of_it_unused(stocked, client_id):
    stocked.ok("POST", REPORT, report())
    found = usage_of(stocked, client_id)
    assert found["unused_apis"] == [REPORTS]
    assert found["unused_scopes"] == [{"audience": REPORTS, "scopes": ["reports:read", "reports:write"]}]
    assert found["unused_roles"] == ["auditor", "cloud_admin"]


def test_without_any_report_nothing_is_known(stocked, client_id):
    found = usage_of(stocked, client_id)
    assert (found["unused_apis"], found["unused_scopes"], found["unused_roles"]) == ([], [], None)


FAULTY = {
    "a text": "reports:read",
    "an unknown member": {"role": []},
    "no name": {"roles": ["a b"]},
    "too many": {"scopes": [f"s{n}" for n in range(21)]},
}


@pytest.mark.parametrize("needs", FAULTY.values(), ids=FAULTY.keys())
def test_needs_that_cannot_be_read_are_refused(needs, refusing):
    pointers = refusing.pointers("POST", REPORT, report(use(None, needs=needs)))
    assert all(pointer.startswith("/uses/0/needs") for pointer in pointers)

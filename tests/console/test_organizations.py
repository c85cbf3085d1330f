"""Organizations at the console: one's own, all of them for a platform admin, and their end in an incident."""

from __future__ import annotations

import pytest

from tests.support.console import hidden_fields, signed_in


def own(server):
    return server.installed.organization_id


def now_of(server, organization_id):
    return server.call("GET", f"/v1/organizations/{organization_id}").get_json()


def another(server, name="Other"):
    return server.call("POST", "/v1/organizations", {"name": name}).get_json()["id"]


def change(visitor, organization_id, **fields):
    where = f"/organizations/{organization_id}"
    version = hidden_fields(visitor.open(where).text)["version"]
    return visitor.send(where, {"version": version, "name": "Default", **fields})


def test_an_owner_sees_and_changes_their_own_but_for_its_quota(server):
    other = another(server)
    visitor = signed_in(server, "owner@example.com", "owner")
    page = visitor.open("/organizations")
    assert own(server) in page.text
    assert 'name="credential_quota"' not in page.text
    page = change(visitor, own(server), name="Acme", longest_expiry_days="90", names_are_fixed="yes")
    assert "Saved." in page.text
    after = now_of(server, own(server))
    assert (after["name"], after["longest_expiry_days"], after["names_are_fixed"]) == ("Acme", 90, True)
    page = change(visitor, own(server), credential_quota="5")
    assert page.status_code == 403
    assert "The quota is set by platform admins." in page.text
    assert visitor.open(f"/organizations/{other}").status_code == 404
    for path in ("/organizations/new", f"/organizations/{own(server)}/suspend"):
        assert visitor.open(path).status_code == 403
    visitor.open("/organizations")
    form = {"version": "1", "name": "Mine", "typed_name": "Other"}
    assert visitor.send(f"/organizations/{other}", form).status_code == 404
    assert visitor.send(f"/organizations/{other}/end-everything", form).status_code == 404
    assert now_of(server, other)["name"] == "Other"
    assert now_of(server, other)["generation"] == 1


@pytest.mark.parametrize("role", ["admin", "auditor"])
def test_who_only_reads_is_offered_no_change(server, role):
    visitor = signed_in(server, f"{role}@example.com", role)
    page = visitor.open(f"/organizations/{own(server)}")
    assert page.status_code == 200
    assert "Danger zone" not in page.text
    assert "Save</button>" not in page.text
    assert visitor.open(f"/organizations/{own(server)}/end-everything").status_code == 403


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"longest_expiry_days": "0"}, "longest_expiry_days"),
        ({"longest_expiry_days": "soon"}, "longest_expiry_days"),
        ({"longest_expiry_days": "3651"}, "longest_expiry_days"),
        ({"credential_quota": "-1"}, "credential_quota"),
        ({"credential_quota": "1000001"}, "credential_quota"),
    ],
)
def test_each_fault_is_told_at_its_field(server, fields, field):
    page = change(signed_in(server), own(server), **fields)
    assert page.status_code == 422
    assert f'id="help-{field}"' in page.text
    assert f'href="#field-{field}"' in page.text


def test_a_stale_form_shows_what_somebody_else_saved(server):
    visitor = signed_in(server)
    version = hidden_fields(visitor.open(f"/organizations/{own(server)}").text)["version"]
    change(visitor, own(server), name="Theirs", credential_quota="7")
    page = visitor.send(f"/organizations/{own(server)}", {"version": version, "name": "Mine"})
    assert page.status_code == 412
    assert "<bdi>Theirs</bdi>" in page.text
    assert "<bdi>7</bdi>" in page.text
    assert 'value="Mine"' in page.text


def test_a_platform_admin_lists_all_creates_one_and_goes_there(server):
    visitor = signed_in(server)
    visitor.open("/organizations/new")
    page = visitor.send("/organizations/new", {"name": "😀" * 50, "credential_quota": "10", "names_are_fixed": "yes"})
    assert "Nobody is in it yet" in page.text
    made = page.request.path.rpartition("/")[2]
    assert now_of(server, made)["credential_quota"] == 10
    page = visitor.open("/organizations")
    assert "😀" * 50 in page.text
    assert "you are here" in page.text
    page = visitor.send("/organization", {"organization": made})
    assert visitor.open("/operators").text.count("Nobody is in this organization yet.") == 1


def test_ending_everything_wants_the_name_typed_and_ends_every_token_that_is_out(server):
    token = server.admin_token
    visitor = signed_in(server)
    where = f"/organizations/{own(server)}/end-everything"
    page = visitor.open(where)
    assert "Every token of every credential of this organization that is out is refused within about a second" in (
        page.text
    )
    assert visitor.send(where, {"typed_name": "another"}).status_code == 422
    assert server.call("GET", "/v1/apis", token=token).status_code == 200
    name = now_of(server, own(server))["name"]
    page = visitor.send(where, {"typed_name": name.upper()})
    assert "its apps fetch new ones" in page.text
    assert server.call("GET", "/v1/apis", token=token).status_code == 401
    fresh = server.token(server.installed.client_id, server.installed.secret)
    assert server.call("GET", "/v1/apis", token=fresh).status_code == 200
    assert visitor.open("/").status_code == 200


def test_one_that_is_suspended_issues_nothing_until_it_is_resumed(server):
    other = another(server, "<script>alert(1)</script>")
    visitor = signed_in(server)
    page = visitor.open(f"/organizations/{other}/suspend")
    assert "<script>alert" not in page.text
    page = visitor.send(f"/organizations/{other}/suspend", {"typed_name": "<script>alert(1)</script>"})
    assert "Suspended." in page.text
    assert now_of(server, other)["suspended_at"] is not None
    visitor.open(f"/organizations/{other}/resume")
    page = visitor.send(f"/organizations/{other}/resume")
    assert "Resumed." in page.text
    assert now_of(server, other)["suspended_at"] is None

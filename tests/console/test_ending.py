"""Ending a credential at the console: what is asked before, and what is so afterwards."""

from __future__ import annotations

import pytest

from tests.support.console import signed_in

STRANGE = ["🦀" * 100, "<script>alert(1)</script>", "مرحبا بالعالم", "a & b \"c\" 'd'"]


def made(server, **terms):
    answer = server.call("POST", "/v1/credentials", {"name": "nightly export", **terms})
    assert answer.status_code == 201, answer.text
    return answer.get_json()


def status_of(server, client_id):
    return server.call("GET", f"/v1/credentials/{client_id}").get_json()["status"]


def test_a_credential_is_disabled_and_enabled_again(server):
    one = made(server)
    home = f"/credentials/{one['client_id']}"
    visitor = signed_in(server)
    visitor.open(f"{home}/disable")
    page = visitor.send(f"{home}/disable", {"version": "1"})
    assert "The credential is disabled." in page.text
    assert status_of(server, one["client_id"]) == "disabled"
    assert server.ask_for_token(one["client_id"], one["client_secret"]).status_code == 401
    visitor.open(f"{home}/enable")
    page = visitor.send(f"{home}/enable", {"version": "2"})
    assert "The credential is enabled." in page.text
    assert status_of(server, one["client_id"]) == "active"


@pytest.mark.parametrize(("deed", "status"), [("revoke", "revoked"), ("delete", "gone")])
@pytest.mark.parametrize("typed", ["", "another name", "nightly"])
def test_what_is_for_good_is_done_by_its_name_only(server, deed, status, typed):
    one = made(server)
    path = f"/credentials/{one['client_id']}/{deed}"
    visitor = signed_in(server)
    visitor.open(path)
    page = visitor.send(path, {"typed_name": typed, "reason": "the contract ended", "version": "1"})
    assert page.status_code == 422
    assert "This is not it: nothing was done" in page.text
    assert status_of(server, one["client_id"]) == "active"
    if deed == "revoke":
        assert "the contract ended" in page.text
    page = visitor.send(path, {"typed_name": " Nightly  Export ", "reason": "the contract ended", "version": "1"})
    assert page.status_code == 200, page.text
    found = server.call("GET", f"/v1/credentials/{one['client_id']}")
    assert (found.get_json()["status"] if found.status_code == 200 else "gone") == status
    if deed == "revoke":
        assert found.get_json()["revoked_reason"] == "the contract ended"


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_name_is_harmless_and_can_be_typed(server, name):
    one = made(server, name=name)
    path = f"/credentials/{one['client_id']}/delete"
    visitor = signed_in(server)
    page = visitor.open(path)
    assert "<script>alert" not in page.text
    page = visitor.send(path, {"typed_name": name, "version": "1"})
    assert "The credential is deleted." in page.text


def test_a_reason_that_the_api_refuses_is_refused_at_its_field(server):
    one = made(server)
    path = f"/credentials/{one['client_id']}/revoke"
    visitor = signed_in(server)
    visitor.open(path)
    page = visitor.send(path, {"typed_name": "nightly export", "reason": "x" * 501, "version": "1"})
    assert page.status_code == 422
    assert "Must have at most 500 characters, and has " in page.text


def test_what_was_changed_meanwhile_is_looked_at_before_it_is_ended(server):
    one = made(server)
    path = f"/credentials/{one['client_id']}/revoke"
    visitor = signed_in(server)
    visitor.open(path)
    server.call("POST", f"/v1/credentials/{one['client_id']}/disable")
    page = visitor.send(path, {"typed_name": "nightly export", "version": "1"})
    assert page.status_code == 412
    assert 'name="version" value="2"' in page.text
    assert status_of(server, one["client_id"]) == "disabled"


@pytest.mark.parametrize("version", ["x", "-1", "1" * 13])
def test_a_version_that_is_none_is_refused(server, version):
    one = made(server)
    path = f"/credentials/{one['client_id']}/disable"
    visitor = signed_in(server)
    visitor.open(path)
    assert visitor.send(path, {"version": version}).status_code == 422
    assert status_of(server, one["client_id"]) == "active"


def test_a_form_that_does_not_say_what_it_was_made_from_changes_nothing(server):
    one = made(server)
    path = f"/credentials/{one['client_id']}/disable"
    visitor = signed_in(server)
    visitor.open(path)
    assert visitor.send(path, {}).status_code == 412
    assert status_of(server, one["client_id"]) == "active"


def test_the_danger_zone_offers_what_can_be_done(server):
    one = made(server)
    home = f"/credentials/{one['client_id']}"
    visitor = signed_in(server)
    page = visitor.open(f"{home}/end")
    assert all(f'{home}/{deed}"' in page.text for deed in ("disable", "revoke", "delete"))
    assert f'{home}/enable"' not in page.text
    server.call("POST", f"/v1/credentials/{one['client_id']}/revoke", {"reason": ""})
    page = visitor.open(f"{home}/end")
    assert f'{home}/delete"' in page.text
    assert not any(f'{home}/{deed}"' in page.text for deed in ("disable", "enable", "revoke"))
    assert "It is revoked already." in visitor.open(f"{home}/revoke").text


@pytest.mark.parametrize("deed", ["disable", "revoke", "delete", "rotation/finish", "rotation/cancel"])
def test_an_auditor_ends_nothing(server, deed):
    one = made(server)
    path = f"/credentials/{one['client_id']}/{deed}"
    visitor = signed_in(server, "audit@example.com", "auditor")
    assert visitor.open(path).status_code == 403
    visitor.open("/")
    assert visitor.send(path, {"typed_name": "nightly export"}).status_code == 403
    assert status_of(server, one["client_id"]) == "active"


def test_a_member_ends_their_own_and_no_other(server):
    theirs = made(server)
    visitor = signed_in(server, "ada@example.com", "member")
    people = server.call("GET", "/v1/operators").get_json()["items"]
    (ada,) = [one["id"] for one in people if one["email"] == "ada@example.com"]
    own = made(server, name="ada's", owner=ada)
    assert visitor.open(f"/credentials/{theirs['client_id']}/delete").status_code == 404
    visitor.open(f"/credentials/{own['client_id']}/delete")
    page = visitor.send(f"/credentials/{theirs['client_id']}/delete", {"typed_name": "nightly export"})
    assert page.status_code == 404
    visitor.open(f"/credentials/{own['client_id']}/delete")
    page = visitor.send(f"/credentials/{own['client_id']}/delete", {"typed_name": "ada's", "version": "1"})
    assert "The credential is deleted." in page.text


@pytest.mark.parametrize("role", ["owner", "admin"])
def test_who_manages_an_organization_ends_what_holds_roles(server, role):
    server.call("POST", "/v1/roles", {"name": "reader"})
    one = made(server, roles=["reader"])
    visitor = signed_in(server, "grace@example.com", role)
    visitor.open(f"/credentials/{one['client_id']}/disable")
    page = visitor.send(f"/credentials/{one['client_id']}/disable", {"version": "1"})
    assert "The credential is disabled." in page.text

"""Roles at the console: made, described, and deleted with care for the credentials that hold them."""

from __future__ import annotations

from tests.support.console import hidden_fields, signed_in


def made(server, **more):
    answer = server.call("POST", "/v1/roles", {"name": "cloud_admin", "description": "before", **more})
    assert answer.status_code == 201, answer.text
    return answer.get_json()


def now_of(server, role):
    return server.call("GET", f"/v1/roles/{role['id']}").get_json()


def test_a_role_of_the_platform_and_one_of_an_api_are_made_and_listed(server):
    server.call("POST", "/v1/apis", {"audience": "https://api.example.com", "name": "Example"})
    visitor = signed_in(server)
    for name, audience in (("cloud_admin", ""), ("product_admin:insync", "https://api.example.com")):
        visitor.open("/roles/new")
        page = visitor.send("/roles/new", {"name": name, "description": "What it may", "audience": audience})
        assert "Created." in page.text
    page = visitor.open("/roles")
    assert "the whole platform" in page.text
    assert "https://api.example.com" in page.text


def test_a_role_that_cannot_be_is_refused_at_its_field_with_what_was_typed(server):
    made(server)
    visitor = signed_in(server)
    visitor.open("/roles/new")
    page = visitor.send("/roles/new", {"name": "two words", "description": "kept"})
    assert page.status_code == 422
    assert 'id="help-name">Must be 1 to 100 plain letters' in page.text
    assert ">kept</textarea>" in page.text
    page = visitor.send("/roles/new", {"name": "x", "audience": "https://unknown.example.com"})
    assert 'id="help-audience">There is no such API' in page.text
    page = visitor.send("/roles/new", {"name": "cloud_admin"})
    assert page.status_code == 409
    assert "There is one by that name already." in page.text


def test_its_description_changes_and_a_stale_form_shows_both(server):
    role = made(server)
    visitor = signed_in(server)
    version = hidden_fields(visitor.open(f"/roles/{role['id']}").text)["version"]
    assert "Saved." in visitor.send(f"/roles/{role['id']}", {"version": version, "description": "first"}).text
    page = visitor.send(f"/roles/{role['id']}", {"version": version, "description": "second"})
    assert page.status_code == 412
    assert ">second</textarea>" in page.text
    assert "Saved meanwhile by somebody else: <bdi>first</bdi>" in page.text
    newest = hidden_fields(page.text)["version"]
    assert "Saved." in visitor.send(f"/roles/{role['id']}", {"version": newest, "description": "second"}).text
    assert now_of(server, role)["description"] == "second"


def test_deleting_one_that_is_held_names_the_holders_and_takes_it_from_them_when_asked(server):
    role = made(server)
    holder = server.call("POST", "/v1/credentials", {"name": "holder", "roles": ["cloud_admin"]}).get_json()
    visitor = signed_in(server)
    where = f"/roles/{role['id']}/delete"
    page = visitor.open(where)
    assert holder["client_id"] in page.text
    typed = {"version": hidden_fields(page.text)["version"], "typed_name": "cloud_admin"}
    page = visitor.send(where, typed)
    assert page.status_code == 409
    assert "tick that it is taken from them" in page.text
    assert now_of(server, role)["name"] == "cloud_admin"
    assert visitor.send(where, {**typed, "typed_name": "cloud", "cascade": "yes"}).status_code == 422
    assert "Deleted." in visitor.send(where, {**typed, "cascade": "yes"}).text
    after = server.call("GET", f"/v1/credentials/{holder['client_id']}").get_json()
    assert (after["roles"], after["generation"]) == ([], holder["generation"] + 1)


def test_an_admin_takes_a_role_from_credentials_at_the_console_as_with_a_token(server):
    """What an operator may hand on is looked up where they are signed in."""
    role = made(server)
    server.call("POST", "/v1/credentials", {"name": "holder", "roles": ["cloud_admin"]})
    visitor = signed_in(server, "ada@example.com", "admin")
    visitor.open(f"/roles/{role['id']}/delete")
    page = visitor.send(f"/roles/{role['id']}/delete", {"version": "1", "typed_name": "cloud_admin", "cascade": "yes"})
    assert "Deleted." in page.text


def test_who_may_not_hand_on_the_role_does_not_take_it_away_from_others_either(server):
    role = made(server)
    server.call("POST", "/v1/credentials", {"name": "holder", "roles": ["cloud_admin"]})
    visitor = signed_in(server, "ada@example.com", "admin", roles=[])
    visitor.open(f"/roles/{role['id']}/delete")
    page = visitor.send(f"/roles/{role['id']}/delete", {"version": "1", "typed_name": "cloud_admin", "cascade": "yes"})
    assert page.status_code == 403
    assert now_of(server, role)["name"] == "cloud_admin"


def test_an_auditor_reads_and_is_offered_no_change(server):
    role = made(server, description="<script>alert(1)</script>")
    page = signed_in(server, "eve@example.com", "auditor").open(f"/roles/{role['id']}")
    assert "&lt;script&gt;" in page.text
    assert "<textarea" not in page.text
    assert "Danger zone" not in page.text

"""Projects at the console: made, described, and kept while credentials are in them."""

from __future__ import annotations

from tests.support.console import hidden_fields, signed_in


def made(server, name="billing"):
    answer = server.call("POST", "/v1/projects", {"name": name, "description": "before"})
    assert answer.status_code == 201, answer.text
    return answer.get_json()


def test_a_project_is_made_listed_and_described(server):
    visitor = signed_in(server)
    visitor.open("/projects/new")
    page = visitor.send("/projects/new", {"name": "billing", "description": "Invoices"})
    assert "Created." in page.text
    where = page.request.path.removeprefix("/console")
    form = {"version": hidden_fields(page.text)["version"], "description": "All of money"}
    assert "Saved." in visitor.send(where, form).text
    assert "All of money" in visitor.open("/projects").text
    page = visitor.send(where, {**form, "description": "stale"})
    assert page.status_code == 412
    assert "Saved meanwhile by somebody else: <bdi>All of money</bdi>" in page.text


def test_a_name_that_cannot_be_is_refused_at_its_field(server):
    made(server)
    visitor = signed_in(server)
    visitor.open("/projects/new")
    page = visitor.send("/projects/new", {"name": "two words", "description": "kept"})
    assert page.status_code == 422
    assert 'id="help-name">Must be' in page.text
    assert ">kept</textarea>" in page.text
    assert visitor.send("/projects/new", {"name": "billing"}).status_code == 409


def test_one_with_credentials_in_it_is_not_deleted_and_leads_to_them(server):
    project = made(server)
    inside = server.call("POST", "/v1/credentials", {"name": "<b>inside</b>", "project": "billing"}).get_json()
    visitor = signed_in(server)
    where = f"/projects/{project['id']}/delete"
    page = visitor.open(where)
    assert "1 credential is in this project." in page.text
    assert f'/console/credentials/{inside["client_id"]}"><bdi>&lt;b&gt;inside&lt;/b&gt;</bdi></a>' in page.text
    page = visitor.send(where, {"version": "1", "csrf": hidden_fields(visitor.open("/projects/new").text)["csrf"]})
    assert page.status_code == 409
    assert inside["client_id"] in page.text
    server.call("DELETE", f"/v1/credentials/{inside['client_id']}")
    visitor.open(where)
    assert "Deleted." in visitor.send(where, {"version": "1"}).text
    assert server.call("GET", f"/v1/projects/{project['id']}").status_code == 404

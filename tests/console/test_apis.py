"""APIs and scopes at the console: rows without script, who gains before it is saved, and what is taken with what."""

from __future__ import annotations

import re

import pytest

from tests.support.console import Browser, hidden_fields, signed_in

AUDIENCE = "https://api.example.com"
STRANGE = ["😀" * 100, "<script>alert(1)</script>", "تصدير ليلي"]


def made(server, *scopes, **more):
    body = {"audience": AUDIENCE, "name": "Example", "scopes": list(scopes), **more}
    answer = server.call("POST", "/v1/apis", body)
    assert answer.status_code == 201, answer.text
    return answer.get_json()


def holder(server, access="all_read_write", **more):
    grants = [{"audience": AUDIENCE, "access": access, **more}]
    answer = server.call("POST", "/v1/credentials", {"name": f"holds {access}", "grants": grants})
    assert answer.status_code == 201, answer.text
    return answer.get_json()


def read(name):
    return {"name": name, "access": "read"}


def rows(*scopes):
    """As the form sends them."""
    fields: dict[str, str] = {}
    for number, (name, access, *more) in enumerate(scopes):
        fields |= {f"scopes-{number}-name": name, f"scopes-{number}-access": access}
        fields |= {f"scopes-{number}-{member}": "yes" for member in more}
    return fields


def now_of(server, api):
    return server.call("GET", f"/v1/apis/{api['id']}").get_json()


def shown_rows(page: str) -> list[str]:
    return re.findall(r'name="scopes-\d+-name" value="([^"]*)"', page)


def edit(visitor: Browser, api, **fields):
    """Open the form and send it."""
    visitor.open(f"/apis/{api['id']}/edit")
    version = hidden_fields(visitor.page_text)["version"]
    return visitor.send(f"/apis/{api['id']}/edit", {"version": version, "name": "Example", **fields})


def test_an_api_is_made_with_its_scopes_and_shown(server):
    visitor = signed_in(server)
    visitor.open("/apis/new")
    fields = rows(("reports:read", "read"), ("", "read"), ("keys:write", "write", "sensitive"))
    page = visitor.send("/apis/new", {"name": "Example", "audience": AUDIENCE, **fields})
    assert "Created." in page.text
    (api,) = [one for one in server.call("GET", "/v1/apis").get_json()["items"] if one["audience"] == AUDIENCE]
    assert [(s["name"], s["access"], s["sensitive"]) for s in api["scopes"]] == [
        ("reports:read", "read", False),
        ("keys:write", "write", True),
    ]
    assert "keys:write" in page.text
    assert "Example" in visitor.open("/apis").text


def test_rows_are_added_and_taken_away_without_script_and_nothing_is_saved_by_it(server):
    visitor = signed_in(server)
    visitor.open("/apis/new")
    typed = {"name": "Example", "audience": AUDIENCE, **rows(("a:read", "read"), ("b:write", "write"))}
    page = visitor.send("/apis/new", {**typed, "do": "add"})
    assert page.status_code == 200
    assert shown_rows(page.text) == ["a:read", "b:write", ""]
    assert re.search(r'id="field-scopes-2-name"[^>]* autofocus', page.text)
    page = visitor.send("/apis/new", {**typed, "do": "remove-0"})
    assert shown_rows(page.text) == ["b:write"]
    assert f'value="{AUDIENCE}"' in page.text
    assert len(server.call("GET", "/v1/apis").get_json()["items"]) == 1


@pytest.mark.parametrize("button", ["remove-7", "remove-x", "remove-99999", "nonsense", "add " * 9])
def test_a_button_that_is_none_changes_no_row(server, button):
    visitor = signed_in(server)
    visitor.open("/apis/new")
    page = visitor.send("/apis/new", {**rows(("a:read", "read")), "do": button})
    assert page.status_code == 200
    assert shown_rows(page.text) == ["a:read"]


def test_each_fault_is_told_at_its_field_and_what_was_typed_is_kept(server):
    visitor = signed_in(server)
    visitor.open("/apis/new")
    fields = rows(("", "read"), ("not a name!", "read"), ("b:write", "burn"))
    page = visitor.send("/apis/new", {"name": "Example", "audience": "example", **fields})
    assert page.status_code == 422
    told = dict(re.findall(r'<small id="help-([^"]+)">([^<]*)</small>', page.text))
    assert "Write an address such as" in told["audience"]
    assert "plain letters" in told["scopes-1-name"]
    assert "Choose one of those" in told["scopes-2-access"]
    assert 'value="not a name!"' in page.text
    for name in ("audience", "scopes-1-name", "scopes-2-access"):
        assert f'href="#field-{name}"' in page.text


def test_two_scopes_of_one_name_are_refused_at_the_scopes(server):
    visitor = signed_in(server)
    visitor.open("/apis/new")
    page = visitor.send(
        "/apis/new", {"name": "x", "audience": AUDIENCE, **rows(("a:read", "read"), ("a:read", "write"))}
    )
    assert page.status_code == 422
    assert "Two scopes have the same name." in page.text


def test_who_gains_a_scope_is_shown_before_it_is_saved(server):
    api = made(server, read("reports:read"))
    gains, does_not = holder(server), holder(server, "custom", scopes=["reports:read"])
    visitor = signed_in(server)
    fields = rows(("reports:read", "read"), ("users:read", "read"))
    page = edit(visitor, api, **fields)
    assert "Nothing is saved yet." in page.text
    assert gains["client_id"] in page.text
    assert "+ users:read" in page.text
    assert does_not["client_id"] not in page.text
    assert len(now_of(server, api)["scopes"]) == 1
    page = visitor.send(f"/apis/{api['id']}/edit", hidden_fields(page.text))
    assert "Saved." in page.text
    assert [scope["name"] for scope in now_of(server, api)["scopes"]] == ["reports:read", "users:read"]


def test_who_agreed_to_something_else_meanwhile_is_asked_again(server):
    api = made(server, read("reports:read"))
    holder(server)
    visitor = signed_in(server)
    page = edit(visitor, api, **rows(("reports:read", "read"), ("users:read", "read")))
    seen = hidden_fields(page.text)
    another = holder(server, "all_read")
    page = visitor.send(f"/apis/{api['id']}/edit", seen)
    assert "Nothing is saved yet." in page.text
    assert another["client_id"] in page.text
    assert len(now_of(server, api)["scopes"]) == 1


def test_what_credentials_hold_is_taken_from_them_only_when_that_was_ticked(server):
    api = made(server, read("reports:read"), read("users:read"))
    loser = holder(server, "custom", scopes=["users:read"])
    visitor = signed_in(server)
    page = edit(visitor, api, **rows(("reports:read", "read")))
    assert "− users:read" in page.text
    seen = hidden_fields(page.text)
    page = visitor.send(f"/apis/{api['id']}/edit", seen)
    assert page.status_code == 409
    assert "tick that it is taken from them" in page.text
    assert len(now_of(server, api)["scopes"]) == 2
    page = visitor.send(f"/apis/{api['id']}/edit", {**hidden_fields(page.text), "cascade": "yes"})
    assert "Saved." in page.text
    after = server.call("GET", f"/v1/credentials/{loser['client_id']}").get_json()
    assert after["generation"] == loser["generation"] + 1


def test_a_change_that_concerns_nobody_is_saved_at_once(server):
    api = made(server, read("reports:read"))
    page = edit(signed_in(server), api, **rows(("reports:read", "read"), ("users:read", "read")))
    assert "Saved." in page.text


def test_a_stale_form_shows_what_somebody_else_saved_beside_what_was_typed(server):
    api = made(server, read("reports:read"))
    visitor = signed_in(server)
    visitor.open(f"/apis/{api['id']}/edit")
    changed = {"name": "Theirs", "scopes": [read("theirs:read")]}
    server.call("PATCH", f"/v1/apis/{api['id']}", changed, if_match='"1"')
    fields = {"version": "1", "name": "Mine", **rows(("mine:read", "read"))}
    page = visitor.send(f"/apis/{api['id']}/edit", fields)
    assert page.status_code == 412
    assert 'value="Mine"' in page.text
    assert "Saved meanwhile by somebody else: <bdi>Theirs</bdi>" in page.text
    assert "<bdi>theirs:read (read)</bdi>" in page.text
    assert shown_rows(page.text) == ["mine:read"]
    again = {**fields, "version": hidden_fields(page.text)["version"]}
    assert "Saved." in visitor.send(f"/apis/{api['id']}/edit", again).text
    assert now_of(server, api)["name"] == "Mine"


@pytest.mark.parametrize("version", ["", "0", "x", "99999999999999"])
def test_a_form_without_a_good_version_saves_nothing(server, version):
    api = made(server, read("reports:read"))
    page = edit(signed_in(server), api, version=version, **rows(("other:read", "read")))
    assert page.status_code in {412, 422}
    assert [scope["name"] for scope in now_of(server, api)["scopes"]] == ["reports:read"]


def test_deleting_names_the_holders_and_wants_the_audience_typed_and_the_cascade_ticked(server):
    api = made(server, read("reports:read"))
    held_by = holder(server)
    visitor = signed_in(server)
    where = f"/apis/{api['id']}/delete"
    page = visitor.open(where)
    assert held_by["client_id"] in page.text
    assert "1 credential holds scopes of this API." in page.text
    version = {"version": hidden_fields(page.text)["version"]}
    wrong = visitor.send(where, {**version, "typed_name": "https://api.example.org", "cascade": "yes"})
    assert wrong.status_code == 422
    assert "nothing was done" in wrong.text
    unticked = visitor.send(where, {**version, "typed_name": AUDIENCE})
    assert unticked.status_code == 409
    assert now_of(server, api)["id"] == api["id"]
    page = visitor.send(where, {**version, "typed_name": f" {AUDIENCE} ", "cascade": "yes"})
    assert "Deleted." in page.text
    assert server.call("GET", f"/v1/apis/{api['id']}").status_code == 404
    assert server.call("GET", f"/v1/credentials/{held_by['client_id']}").get_json()["grants"] == []


def test_an_api_with_roles_is_not_deleted_and_says_why(server):
    api = made(server)
    server.call("POST", "/v1/roles", {"name": "reader", "audience": AUDIENCE})
    visitor = signed_in(server)
    visitor.open(f"/apis/{api['id']}/delete")
    page = visitor.send(f"/apis/{api['id']}/delete", {"version": "1", "typed_name": AUDIENCE})
    assert page.status_code == 409
    assert "Roles belong to this API" in page.text


def test_the_servers_own_api_is_shown_as_such_and_cannot_be_changed(server):
    (own,) = server.call("GET", "/v1/apis").get_json()["items"]
    visitor = signed_in(server)
    page = visitor.open(f"/apis/{own['id']}")
    assert "the server’s own" in page.text
    assert f"/apis/{own['id']}/edit" not in page.text
    assert visitor.open(f"/apis/{own['id']}/edit").status_code == 409
    for where, fields in (("edit", rows(("x:read", "read"))), ("delete", {"typed_name": own["audience"]})):
        sent = {"version": str(own["version"]), "name": "x", "cascade": "yes", **fields}
        answer = visitor.send(f"/apis/{own['id']}/{where}", sent)
        assert answer.status_code == 409
        assert "cannot be changed" in answer.text
    assert now_of(server, own) == own


@pytest.mark.parametrize("name", STRANGE)
def test_strange_names_are_text_everywhere(server, name):
    api = made(server, {"name": "a:read", "access": "read", "description": name}, name=name)
    server.call("POST", "/v1/credentials", {"name": name, "grants": [{"audience": AUDIENCE, "access": "all_read"}]})
    visitor = signed_in(server)
    pages = [visitor.open(path).text for path in ("/apis", f"/apis/{api['id']}", f"/apis/{api['id']}/delete")]
    pages.append(edit(visitor, api, **rows(("b:read", "read"), ("a:read", "read"))).text)
    for page in pages:
        assert "<script>alert" not in page
    assert all("<bdi>" in page for page in pages)


def test_a_long_list_goes_on_with_a_cursor(server):
    for number in range(60):
        made(server, audience=f"https://api-{number}.example.com", name=f"API {number:02}")
    visitor = signed_in(server)
    first = visitor.open("/apis").text
    (following,) = re.findall(r'href="/console/apis\?([^"]+)" rel="next"', first)
    second = visitor.client.get(f"/console/apis?{following}").text
    names = [re.findall(r"<bdi>(API \d\d)</bdi>", page) for page in (first, second)]
    assert len(set(names[0]) | set(names[1])) == 60
    assert not set(names[0]) & set(names[1])
    assert visitor.open("/apis", cursor="x").status_code == 400

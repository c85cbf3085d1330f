"""Operators at the console: added with a link that is shown once, bounded by what the viewer holds, and removed."""

from __future__ import annotations

import re

import pytest

from tests.support.accounts import with_codes
from tests.support.console import PASSWORD, browser, hidden_fields, operator, signed_in

AUDIENCE = "https://api.example.com"
OPEN = {"which_roles": "all", "which_grants": "all"}


def catalogue(server):
    scopes = [{"name": "reports:read", "access": "read"}, {"name": "reports:write", "access": "write"}]
    server.call("POST", "/v1/apis", {"audience": AUDIENCE, "name": "Example", "scopes": scopes})
    for role in ("reader", "cloud_admin"):
        server.call("POST", "/v1/roles", {"name": role})


def found(server, email):
    items = server.call("GET", "/v1/operators").get_json()["items"]
    return next((one for one in items if one["email"] == email), None)


def link_on(page: str) -> str:
    return re.findall(r'id="link">https://auth\.example\.com(/console/set-up/[^<]+)<', page)[0]


def add(visitor, **fields):
    visitor.open("/operators/new")
    return visitor.send("/operators/new", {"email": "new@example.com", "role": "member", **OPEN, **fields})


def edit(visitor, operator_id, **fields):
    where = f"/operators/{operator_id}/edit"
    version = hidden_fields(visitor.open(where).text)["version"]
    return visitor.send(where, {"version": version, **OPEN, **fields})


def test_an_operator_is_added_and_the_link_is_shown_once_and_works_once(server):
    visitor = signed_in(server)
    page = add(visitor, name="Ada", role="auditor")
    assert page.status_code == 201
    assert "This server sends no mail" in page.text
    link = link_on(page.text)
    assert link not in visitor.open(f"/operators/{found(server, 'new@example.com')['id']}").text
    newcomer = browser(server)
    newcomer.page = newcomer.client.get(link)
    passwords = {"password": PASSWORD, "repeated": PASSWORD}
    page = newcomer.send(link.removeprefix("/console"), passwords)
    assert "Sign out" in page.text
    assert newcomer.open("/operators").status_code == 200
    assert newcomer.client.get(link).status_code == 404


def test_the_list_tells_role_bounds_second_factor_and_who_has_a_link_or_was_seen(server):
    visitor = signed_in(server)
    add(visitor)
    signed_in(server, "seen@example.com", "admin", roles=[])
    page = visitor.open("/operators").text
    assert "has a link" in page
    assert "0 roles, scopes at all APIs" in page
    assert page.count(">never<") == 0
    server.call("POST", "/v1/operators", {"email": "never@example.com", "role": "owner"})
    assert page.count(">never<") + 1 == visitor.open("/operators").text.count(">never<")


def test_when_somebody_last_signed_in_is_known_after_they_have_signed_out(server):
    visitor = signed_in(server)
    theirs = signed_in(server, "ada@example.com")
    told = re.compile(r"<dt>Last sign-in</dt><dd><time datetime=\"([^\"]+)\"")
    path = f"/operators/{found(server, 'ada@example.com')['id']}"
    first = told.findall(visitor.open(path).text)
    theirs.send("/sign-out")
    server.clock.advance(3600)
    vars(server).pop("admin_token", None)
    visitor = signed_in(server)
    page = visitor.open(path).text
    assert first
    assert told.findall(page) == first
    assert "not signed in at the moment" in page


def test_sending_the_form_twice_adds_one(server):
    visitor = signed_in(server)
    once = hidden_fields(visitor.open("/operators/new").text)
    form = {**once, "email": "new@example.com", "role": "member", **OPEN}
    assert visitor.send("/operators/new", form).status_code == 201
    again = visitor.client.post("/console/operators/new", data=form, headers={"Sec-Fetch-Site": "same-origin"})
    assert again.status_code == 409
    assert "/set-up/" not in again.text


def test_bounds_are_what_was_chosen_and_nothing_else(server):
    catalogue(server)
    visitor = signed_in(server)
    fields = {"which_roles": "these", "roles": "reader", "which_grants": "these"}
    fields |= {f"access {AUDIENCE}": "custom", f"scopes {AUDIENCE}": "reports:read"}
    assert add(visitor, **fields).status_code == 201
    made = found(server, "new@example.com")
    assert made["roles"] == ["reader"]
    assert made["grants"] == [{"audience": AUDIENCE, "access": "custom", "scopes": ["reports:read"]}]
    page = visitor.open(f"/operators/{made['id']}/edit").text
    assert re.search(r'name="roles" value="reader" checked', page)
    assert re.search(r'value="reports:read" checked', page)
    assert "Saved." in edit(visitor, made["id"], role="member", **{**fields, f"access {AUDIENCE}": "all_read"}).text
    grants = found(server, "new@example.com")["grants"]
    assert grants == [{"audience": AUDIENCE, "access": "all_read", "scopes": []}]


def test_a_field_that_is_missing_widens_nothing(server):
    visitor = signed_in(server)
    visitor.open("/operators/new")
    visitor.send("/operators/new", {"email": "new@example.com", "role": "member"})
    made = found(server, "new@example.com")
    assert (made["roles"], made["grants"]) == ([], [])


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"email": "nonsense"}, "email"),
        ({"role": ""}, "role"),
        ({"role": "platform_admin"}, "role"),
        ({"name": "a\u202eb"}, "name"),
        ({"which_roles": "these", "roles": "unknown"}, "roles"),
        ({"which_grants": "these", "access https://unknown.example.com": "all_read"}, "grants"),
        ({"which_grants": "these", "access nonsense": "everything"}, "grants"),
    ],
)
def test_each_fault_is_told_at_its_field_and_what_was_typed_is_kept(server, fields, field):
    page = add(signed_in(server), **{"name": "Kept", **fields})
    assert page.status_code == 422
    assert f'id="help-{field}"' in page.text
    assert f'href="#field-{field}"' in page.text
    if field != "name":
        assert 'value="Kept"' in page.text
    assert found(server, "new@example.com") is None


def test_nobody_gives_a_role_that_has_permissions_they_do_not_hold(server):
    visitor = signed_in(server, "ada@example.com", "admin")
    page = visitor.open("/operators/new").text
    assert re.search(r'value="owner" required disabled', page)
    assert re.search(r'value="auditor" required>', page)
    assert 'name="platform_admin"' not in page
    page = add(visitor, role="owner")
    assert page.status_code == 403
    assert 'id="help-role">This operator has, or would get, permissions that you do not hold.' in page.text
    page = add(visitor, platform_admin="yes")
    assert page.status_code == 403
    assert found(server, "new@example.com") is None


def test_nobody_hands_on_roles_or_scopes_that_they_do_not_hold(server):
    catalogue(server)
    grants = [{"audience": AUDIENCE, "access": "all_read"}]
    visitor = signed_in(server, "ada@example.com", "admin", roles=["reader"], grants=grants)
    page = add(visitor)
    assert page.status_code == 403
    assert 'id="help-roles">' in page.text
    own = {"which_roles": "these", "roles": "reader", "which_grants": "these"}
    page = add(visitor, **own, **{f"access {AUDIENCE}": "all_read_write"})
    assert 'id="help-grants">' in page.text
    assert add(visitor, **own, **{f"access {AUDIENCE}": "all_read"}).status_code == 201


def test_an_admin_neither_changes_nor_removes_an_owner_nor_makes_a_link_for_one(server):
    owner = operator(server, "owner@example.com", "owner")
    visitor = signed_in(server, "ada@example.com", "admin")
    assert edit(visitor, owner, role="member").status_code == 403
    for path, typed in (("link", {}), ("remove", {"version": "1", "typed_name": "owner@example.com"})):
        visitor.open(f"/operators/{owner}/{path}")
        page = visitor.send(f"/operators/{owner}/{path}", typed)
        assert page.status_code == 403
        assert "/set-up/" not in page.text
    assert found(server, "owner@example.com")["role"] == "owner"


def test_what_is_taken_away_ends_the_tokens_of_personal_credentials(server):
    catalogue(server)
    one = operator(server, "bob@example.com", "admin")
    grants = [{"audience": AUDIENCE, "access": "all_read"}]
    made = server.call("POST", "/v1/credentials", {"name": "own", "owner": one, "grants": grants}).get_json()
    visitor = signed_in(server)
    page = visitor.open(f"/operators/{one}/edit")
    assert "every token of their personal credential that is out ends" in page.text
    assert "Saved." in edit(visitor, one, role="member", which_grants="these").text
    after = server.call("GET", f"/v1/credentials/{made['client_id']}").get_json()
    assert after["generation"] == made["generation"] + 1


def test_the_last_owner_stays_one(server):
    me = found(server, "admin@localhost")
    visitor = signed_in(server)
    page = edit(visitor, me["id"], role="admin", platform_admin="yes")
    assert page.status_code == 409
    assert "make somebody else one first" in page.text
    visitor.open(f"/operators/{me['id']}/remove")
    typed = {"version": str(me["version"]), "typed_name": "admin@localhost"}
    assert visitor.send(f"/operators/{me['id']}/remove", typed).status_code == 409


def test_a_stale_form_shows_what_somebody_else_saved(server):
    one = operator(server, "bob@example.com", "admin")
    visitor = signed_in(server)
    visitor.open(f"/operators/{one}/edit")
    server.call("PATCH", f"/v1/operators/{one}", {"role": "auditor", "roles": []}, if_match='"1"')
    page = visitor.send(f"/operators/{one}/edit", {"version": "1", "role": "member", "name": "Bob", **OPEN})
    assert page.status_code == 412
    assert "<bdi>auditor</bdi>" in page.text
    assert "<bdi>none</bdi>" in page.text
    assert re.search(r'value="member" required checked', page.text)


def test_a_new_link_ends_the_one_before(server):
    visitor = signed_in(server)
    old = link_on(add(visitor).text)
    one = found(server, "new@example.com")["id"]
    page = visitor.open(f"/operators/{one}/link")
    assert "The link from before stops working now." in page.text
    new = link_on(visitor.send(f"/operators/{one}/link").text)
    stranger = browser(server)
    assert stranger.client.get(old).status_code == 404
    assert stranger.client.get(new).status_code == 200


def test_a_link_keeps_the_second_factor_unless_it_is_said_to_be_lost(server):
    theirs, _, _ = with_codes(server)
    one = found(server, "ada@example.com")["id"]
    visitor = signed_in(server)
    page = visitor.open(f"/operators/{one}/link")
    assert "What have they lost?" in page.text
    assert "Whoever holds the link needs nothing else to be let in" in page.text
    for typed in ({}, {"second_factor": "keep"}, {"second_factor": "<script>"}):
        visitor.open(f"/operators/{one}/link")
        assert visitor.send(f"/operators/{one}/link", typed).status_code == 201
    assert theirs.open("/account").request.path == "/console/account"
    visitor.open(f"/operators/{one}/link")
    page = visitor.send(f"/operators/{one}/link", {"second_factor": "forget"})
    assert "Their second factor is forgotten" in page.text
    assert theirs.open("/account").request.path == "/console/sign-in"
    back = browser(server)
    back.page = back.client.get(link_on(page.text))
    back.send(link_on(page.text).removeprefix("/console"), {"password": PASSWORD, "repeated": PASSWORD})
    assert re.search(r'One-time codes <span class="badge">Off', back.open("/account").text)
    assert "What have they lost?" not in visitor.open(f"/operators/{one}/link").text, "nothing is left to lose"


def test_a_second_factor_is_forgotten_by_nobody_who_may_not_and_only_after_a_fresh_proof(server):
    theirs, _, _ = with_codes(server, "owner@example.com", "owner")
    one = found(server, "owner@example.com")["id"]
    visitor = signed_in(server, "bob@example.com", "admin")
    visitor.open(f"/operators/{one}/link")
    assert visitor.send(f"/operators/{one}/link", {"second_factor": "forget"}).status_code == 403
    for role in ("auditor", "member"):
        other = signed_in(server, f"{role}@example.com", role)
        assert other.send(f"/operators/{one}/link", {"second_factor": "forget"}).status_code == 403
    owner = signed_in(server)
    owner.open(f"/operators/{one}/link")
    server.clock.advance(20 * 60)
    page = owner.send(f"/operators/{one}/link", {"second_factor": "forget"})
    assert "Is it still you?" in page.text
    vars(server).pop("admin_token")
    assert theirs.open("/account").request.path == "/console/account"


def test_who_is_known_elsewhere_is_added_without_a_link_by_who_may_not_make_one(server):
    other = server.call("POST", "/v1/organizations", {"name": "Other"}).get_json()["id"]
    server.call(
        "POST",
        "/v1/operators",
        {"email": "new@example.com", "role": "owner"},
        headers={"Tokenserver-Organization": other},
    )
    page = add(signed_in(server, "owner@example.com", "owner"))
    assert page.status_code == 201
    assert "Added, without a link" in page.text
    assert "/set-up/" not in page.text


def test_of_whoever_is_known_elsewhere_nothing_is_told_until_they_have_been_here(server):
    """Or else anybody could ask by an e-mail address who has an account at this server, and what they are called."""
    other = server.call("POST", "/v1/organizations", {"name": "Other"}).get_json()["id"]
    known = {"email": "grace@example.com", "role": "member", "name": "Grace Hopper"}
    server.call("POST", "/v1/operators", known, headers={"Tokenserver-Organization": other})
    server.clock.advance(1)  # who signs in begins where they have been for longest
    curious = signed_in(server, "asks@example.com", "admin")
    asked = {**known, "name": "Somebody"}
    made = server.call("POST", "/v1/operators", asked).get_json()
    unknown = server.call("POST", "/v1/operators", {**asked, "email": "new@example.com"}).get_json()
    assert {**made, "id": "", "email": ""} == {**unknown, "id": "", "email": ""}
    where = f"/operators/{made['id']}"

    def seen():
        return "".join(curious.open(path).text for path in ("/operators", where, f"{where}/link", "/audit"))

    assert "Somebody" in seen()
    assert "Hopper" not in seen()
    assert "Saved." in edit(curious, made["id"], role="member", name="Another").text, "it is what they are called here"
    assert "Another" in seen()
    assert "Hopper" not in seen()
    server.call("DELETE", f"/v1/operators/{made['id']}")
    assert "Hopper" not in curious.open("/audit").text, "nor is it when they were taken away again"
    theirs = signed_in(server, "grace@example.com", "member", name="Somebody")
    assert "Hopper" not in curious.open("/operators").text
    here = server.installed.organization_id
    theirs.send("/organization", {"organization": here})
    assert "Grace Hopper" in curious.open("/operators").text


def test_removing_wants_the_address_typed_and_revokes_personal_credentials(server):
    one = operator(server, "bob@example.com", "member")
    own = server.call("POST", "/v1/credentials", {"name": "bob's own", "owner": one}).get_json()
    kept = server.call("POST", "/v1/credentials", {"name": "of the organization"}).get_json()
    visitor = signed_in(server)
    where = f"/operators/{one}/remove"
    page = visitor.open(where)
    assert own["client_id"] in page.text
    assert "Their personal credential is revoked for good" in page.text
    version = {"version": hidden_fields(page.text)["version"]}
    assert visitor.send(where, {**version, "typed_name": "bob"}).status_code == 422
    assert "Removed." in visitor.send(where, {**version, "typed_name": "BOB@example.com"}).text
    assert found(server, "bob@example.com") is None
    status = {
        each["client_id"]: server.call("GET", f"/v1/credentials/{each['client_id']}").get_json()["status"]
        for each in (own, kept)
    }
    assert status == {own["client_id"]: "revoked", kept["client_id"]: "active"}


def test_who_removes_themselves_is_signed_out_where_they_are_nowhere_else(server):
    visitor = signed_in(server, "owner@example.com", "owner")
    me = found(server, "owner@example.com")
    visitor.open(f"/operators/{me['id']}/remove")
    page = visitor.send(f"/operators/{me['id']}/remove", {"version": "1", "typed_name": "owner@example.com"})
    assert page.request.path == "/console/sign-in"
    assert found(server, "owner@example.com") is None


def test_what_somebody_takes_from_themselves_is_gone_at_once(server):
    visitor = signed_in(server, "ada@example.com", "admin")
    page = edit(visitor, found(server, "ada@example.com")["id"], role="member")
    assert page.status_code == 403
    assert visitor.open("/operators").status_code == 403
    assert visitor.open("/credentials").status_code == 200


def test_a_strange_name_is_text_everywhere(server):
    name = "<script>alert(1)</script>"
    one = operator(server, "bob@example.com", "member", name=name)
    visitor = signed_in(server)
    for path in ("", f"/{one}", f"/{one}/edit", f"/{one}/remove", f"/{one}/link"):
        page = visitor.open(f"/operators{path}").text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page

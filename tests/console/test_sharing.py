"""APIs and roles that are shared: where they are managed, where they are used, and who learns what of whom."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import pytest

from app.services.audit import Caller
from tests.console.test_apis import edit, rows
from tests.console.test_new_secret import report
from tests.support.console import Browser, hidden_fields, signed_in
from tests.support.server import Server
from tokenserver.domain.operators import PERMISSIONS, OperatorRole

AUDIENCE = "https://api.example.com"
SCOPES = [{"name": "reports:read", "access": "read"}, {"name": "reports:write", "access": "write"}]
BOTH = rows(("reports:read", "read"), ("reports:write", "write"))


@dataclass
class Customer:
    """Another organization than the first, which is the vendor's."""

    server: Server
    name: str
    id: str

    def call(self, method: str, path: str, body: object = ..., **more: Any) -> Any:
        answer = self.server.call(method, path, body, headers={"Tokenserver-Organization": self.id}, **more)
        assert answer.status_code < 400, answer.text
        return answer.get_json()

    def signed_in(self, role: str = "admin") -> Browser:
        return signed_in(self.server, f"{role}@{self.name.lower()}.example", role, organization=self.id)

    def holder(self, **terms: Any) -> Any:
        grants = [{"audience": AUDIENCE, "access": "custom", "scopes": ["reports:read", "reports:write"]}]
        return self.call("POST", "/v1/credentials", {"name": f"app of {self.name}", "grants": grants, **terms})

    def now_of(self, credential: Any) -> Any:
        return self.call("GET", f"/v1/credentials/{credential['client_id']}")


def customer(server: Server, name: str) -> Customer:
    return Customer(server, name, server.call("POST", "/v1/organizations", {"name": name}).get_json()["id"])


@pytest.fixture
def acme(server) -> Customer:
    return customer(server, "Acme")


def made(server: Server, path: str, body: object) -> Any:
    answer = server.call("POST", path, body)
    assert answer.status_code == 201, answer.text
    return answer.get_json()


def shared_api(server: Server, *, shared: bool = True) -> Any:
    return made(server, "/v1/apis", {"audience": AUDIENCE, "name": "Example", "scopes": SCOPES, "shared": shared})


def shared_role(server: Server, *, shared: bool = True) -> Any:
    return made(server, "/v1/roles", {"name": "reader", "description": "Reads.", "shared": shared})


def vendors(server: Server) -> str:
    return str(server.call("GET", f"/v1/organizations/{server.installed.organization_id}").get_json()["name"])


def test_a_platform_admin_shares_by_a_tick_and_every_organization_has_it(server, acme):
    visitor = signed_in(server)
    visitor.open("/apis/new")
    page = visitor.send("/apis/new", {"name": "Example", "audience": AUDIENCE, "shared": "yes", **BOTH})
    assert "Created." in page.text
    assert "shared with all" in page.text
    role = shared_role(server, shared=False)
    version = hidden_fields(visitor.open(f"/roles/{role['id']}").text)["version"]
    page = visitor.send(f"/roles/{role['id']}", {"version": version, "description": "Reads.", "shared": "yes"})
    assert "shared with all" in page.text
    theirs = acme.signed_in()
    for path, name in (("/apis", AUDIENCE), ("/roles", "reader")):
        page = theirs.open(path)
        assert name in page.text
        assert '<span class="badge">shared</span>' in page.text
    form = theirs.open("/credentials/new").text
    assert "reports:write" in form
    assert 'value="reader"' in form


@pytest.mark.parametrize("role", ["owner", "admin", "auditor"])
def test_elsewhere_it_is_shown_without_forms_and_without_saying_whose_it_is(server, acme, role):
    ids = {"apis": shared_api(server)["id"], "roles": shared_role(server)["id"]}
    visitor = acme.signed_in(role)
    for kind, one in ids.items():
        page = visitor.open(f"/{kind}/{one}")
        assert page.status_code == 200
        main = page.text.partition("<main")[2]
        assert "Another organization manages this" in main
        assert "<form" not in main
        assert f"/{kind}/{one}/" not in main
        assert vendors(server) not in page.text
    for path in (f"/apis/{ids['apis']}/edit", f"/apis/{ids['apis']}/delete", f"/roles/{ids['roles']}/delete"):
        assert visitor.open(path).status_code == (403 if role == "auditor" else 409)


def test_a_form_that_was_made_up_changes_nothing_elsewhere(server, acme):
    api, role = shared_api(server), shared_role(server)
    visitor = acme.signed_in("owner")
    visitor.open("/apis/new")
    sent = {"version": "1", "cascade": "yes", "name": "Ours", "description": "Ours.", "typed_name": AUDIENCE, **BOTH}
    for path in (f"/apis/{api['id']}/edit", f"/apis/{api['id']}/delete", f"/roles/{role['id']}"):
        assert visitor.send(path, sent).status_code == 409, path
    assert visitor.send(f"/roles/{role['id']}/delete", {**sent, "typed_name": "reader"}).status_code == 409
    assert visitor.send(f"/roles/{role['id']}/unshare", sent).status_code == 403
    assert server.call("GET", f"/v1/apis/{api['id']}").get_json() == api
    assert server.call("GET", f"/v1/roles/{role['id']}").get_json() == role


def test_a_platform_admin_is_told_who_manages_it_and_changes_it_only_there(server, acme):
    api = shared_api(server)
    visitor = signed_in(server)
    visitor.send("/organization", {"organization": acme.id})
    page = visitor.open(f"/apis/{api['id']}").text
    assert f"<bdi>{vendors(server)}</bdi></a> manages this API" in page
    assert f"/apis/{api['id']}/edit" not in page
    assert visitor.open(f"/apis/{api['id']}/edit").status_code == 409


def test_of_the_organization_that_shares_only_platform_admins_change_it(server):
    api, role = shared_api(server), shared_role(server)
    visitor = signed_in(server, "owner@vendor.example", "owner")
    for path in (f"/apis/{api['id']}", f"/roles/{role['id']}"):
        page = visitor.open(path).text
        assert "Only platform admins change it." in page
        assert "<form" not in page.partition("<main")[2]
    assert visitor.open(f"/apis/{api['id']}/edit").status_code == 403


def test_nobody_else_is_offered_to_share_and_their_forms_leave_it_as_it_is(server):
    api = shared_api(server, shared=False)
    visitor = signed_in(server, "owner@vendor.example", "owner")
    assert 'name="shared"' not in visitor.open("/apis/new").text
    refused = visitor.send("/apis/new", {"name": "x", "audience": f"{AUDIENCE}/x", "shared": "yes"})
    assert refused.status_code in {403, 409}
    assert 'name="shared"' not in visitor.open(f"/apis/{api['id']}/edit").text
    assert "Saved." in edit(visitor, api, name="Renamed", shared="yes", **BOTH).text
    assert server.call("GET", f"/v1/apis/{api['id']}").get_json()["shared"] is False


def test_who_loses_a_scope_is_shown_with_their_organizations_before_it_is_taken_from_all(server, acme):
    api, globex = shared_api(server), customer(server, "Globex")
    ours = made(server, "/v1/credentials", {"name": "ours", "grants": [{"audience": AUDIENCE, "access": "all_read"}]})
    losers = [acme.holder(), globex.holder()]
    visitor = signed_in(server)
    page = edit(visitor, api, shared="yes", **rows(("reports:read", "read")))
    assert "2 credentials would lose something" in page.text.lower().replace("two", "2")
    for one in (acme, globex):
        assert f"<td><bdi>{one.name}</bdi></td>" in page.text
        assert f"<bdi>app of {one.name}</bdi>" in page.text
    assert all(loser["client_id"] not in page.text for loser in losers), "their pages are not here"
    assert ours["client_id"] not in page.text
    unticked = visitor.send(f"/apis/{api['id']}/edit", hidden_fields(page.text))
    assert unticked.status_code == 409
    done = visitor.send(f"/apis/{api['id']}/edit", {**hidden_fields(unticked.text), "cascade": "yes"})
    assert "Saved." in done.text
    assert "shared with all" in done.text
    for one, loser in zip((acme, globex), losers, strict=True):
        assert one.now_of(loser)["generation"] == loser["generation"] + 1
        assert f"/credentials/{loser['client_id']}" in one.signed_in().open("/audit").text


def test_an_api_is_shared_no_more_once_it_was_seen_who_loses_it(server, acme):
    api = shared_api(server)
    ours = made(server, "/v1/credentials", {"name": "ours", "grants": [{"audience": AUDIENCE, "access": "all_read"}]})
    loser = acme.holder()
    visitor = signed_in(server)
    page = edit(visitor, api, **BOTH)
    assert "Nothing is saved yet." in page.text
    assert "<bdi>Acme</bdi>" in page.text
    assert "<bdi>ours</bdi>" not in page.text
    done = visitor.send(f"/apis/{api['id']}/edit", {**hidden_fields(page.text), "cascade": "yes"})
    assert "Saved." in done.text
    assert "shared with all" not in done.text
    assert server.call("GET", f"/v1/credentials/{ours['client_id']}").get_json()["generation"] == 1
    assert acme.now_of(loser)["generation"] == 2
    assert AUDIENCE not in acme.signed_in().open("/apis").text


def test_a_role_is_shared_no_more_once_its_holders_elsewhere_were_seen(server, acme):
    role = shared_role(server)
    ours = made(server, "/v1/credentials", {"name": "ours", "roles": ["reader"]})
    loser = acme.call("POST", "/v1/credentials", {"name": "theirs", "roles": ["reader"]})
    visitor = signed_in(server)
    where = f"/roles/{role['id']}/unshare"
    assert where in visitor.open(f"/roles/{role['id']}").text
    page = visitor.open(where)
    assert "1 credential of other organizations holds this role." in page.text
    assert f"<code>{loser['client_id']}</code> of <bdi>Acme</bdi>" in page.text
    assert ours["client_id"] not in page.text
    version = {"version": hidden_fields(page.text)["version"]}
    assert visitor.send(where, version).status_code == 409
    assert "not shared any more" in visitor.send(where, {**version, "cascade": "yes"}).text
    assert acme.now_of(loser)["roles"] == []
    assert server.call("GET", f"/v1/credentials/{ours['client_id']}").get_json()["roles"] == ["reader"]


def test_deleting_names_the_organizations_of_the_holders(server, acme):
    role = shared_role(server)
    loser = acme.call("POST", "/v1/credentials", {"name": "theirs", "roles": ["reader"]})
    visitor = signed_in(server)
    where = f"/roles/{role['id']}/delete"
    page = visitor.open(where)
    assert f"<code>{loser['client_id']}</code> of <bdi>Acme</bdi>" in page.text
    sent = {"version": hidden_fields(page.text)["version"], "typed_name": "reader", "cascade": "yes"}
    assert "Deleted." in visitor.send(where, sent).text
    assert acme.now_of(loser)["roles"] == []


def test_a_stale_form_says_that_it_was_shared_meanwhile(server):
    api = shared_api(server, shared=False)
    visitor = signed_in(server)
    visitor.open(f"/apis/{api['id']}/edit")
    server.call("PATCH", f"/v1/apis/{api['id']}", {"shared": True}, if_match='"1"')
    page = visitor.send(f"/apis/{api['id']}/edit", {"version": "1", "name": "Example", **BOTH})
    assert page.status_code == 412
    assert "Saved meanwhile by somebody else: <bdi>shared with every organization</bdi>" in page.text


def test_the_first_steps_of_a_customer_begin_with_what_is_shared(server, acme):
    shared_api(server)
    page = acme.signed_in().open("/start").text
    assert f"One is shared with you already: <code>{AUDIENCE}</code>" in page
    assert "Register your API" not in page
    assert "runs its resource server" in page


def test_a_customer_sees_that_the_vendors_resource_servers_have_applied_its_change(server, acme):
    api = shared_api(server)
    client_id = acme.holder()["client_id"]
    report(server, "a")
    visitor = acme.signed_in("owner")
    path = f"/credentials/{client_id}"
    visitor.open(f"{path}/new-secret")
    page = visitor.send(f"{path}/regenerate", {"typed_name": "app of Acme", "version": "1"})
    assert "0 of 1</strong> instance has applied" in page.text
    (seq,) = set(re.findall(r"seq=(\d+)", page.text))
    report(server, "a", int(seq))
    assert "1 of 1</strong>" in visitor.open(f"{path}/applied", seq=seq, apis=api["id"]).text
    overview = visitor.open("/").text
    assert '<bdi>Example</bdi> <span class="badge">shared</span>' in overview
    assert "<bdi>api-a</bdi>" in overview


def test_what_other_organizations_are_called_is_told_to_platform_admins_only(server, acme):
    organizations = server.services.organizations
    caller = Caller("operator:op_1", server.installed.organization_id)
    assert organizations.names(caller, [acme.id]) == {}
    assert organizations.names(replace(caller, scopes=PERMISSIONS[OperatorRole.OWNER]), [acme.id]) == {}
    platform = replace(caller, scopes=PERMISSIONS[OperatorRole.PLATFORM_ADMIN])
    assert organizations.names(platform, [acme.id]) == {acme.id: "Acme"}


def test_members_use_what_is_shared_and_see_nothing_else_of_it(server, acme):
    api = shared_api(server)
    visitor = acme.signed_in("member")
    assert visitor.open(f"/apis/{api['id']}").status_code == 403
    assert "reports:read" in visitor.open("/credentials/new").text


def test_a_copy_that_is_deleted_makes_way_for_what_is_shared_and_only_what_that_lacks_is_lost(server, acme):
    more = [*SCOPES, {"name": "reports:archive", "access": "write"}]
    copy = acme.call("POST", "/v1/apis", {"audience": AUDIENCE, "name": "Copy", "scopes": more})
    role = acme.call("POST", "/v1/roles", {"name": "reader"})
    shared_api(server)
    shared_role(server)
    keeps = acme.holder(roles=["reader"])
    loses = acme.call(
        "POST", "/v1/credentials", {"name": "loses", "grants": [{"audience": AUDIENCE, "access": "all_read_write"}]}
    )
    visitor = acme.signed_in("owner")
    page = visitor.open(f"/roles/{role['id']}/delete")
    assert "Another organization shares a role by this name" in page.text
    assert "No credential loses it: no token ends." in page.text
    assert "Deleted." in visitor.send(f"/roles/{role['id']}/delete", {"version": "1", "typed_name": "reader"}).text
    page = visitor.open(f"/apis/{copy['id']}/delete")
    assert "1 credential holds scopes that it lacks." in page.text
    assert loses["client_id"] in page.text
    assert keeps["client_id"] not in page.text
    sent = {"version": "1", "typed_name": AUDIENCE, "cascade": "yes"}
    assert "Deleted." in visitor.send(f"/apis/{copy['id']}/delete", sent).text
    assert [acme.now_of(one)["generation"] for one in (keeps, loses)] == [1, 2]
    assert '<span class="badge">shared</span>' in visitor.open("/apis").text


def test_a_copy_whose_role_is_shared_for_one_api_only_ends_the_tokens_of_its_holders(server, acme):
    shared_api(server)
    mine = acme.call("POST", "/v1/roles", {"name": "reader"})
    made(server, "/v1/roles", {"name": "reader", "audience": AUDIENCE, "shared": True})
    holder = acme.holder(roles=["reader"])
    visitor = acme.signed_in("owner")
    page = visitor.open(f"/roles/{mine['id']}/delete")
    assert f"in tokens for <code>{AUDIENCE}</code> only" in page.text
    assert holder["client_id"] in page.text
    sent = {"version": "1", "typed_name": "reader", "cascade": "yes"}
    assert "Deleted." in visitor.send(f"/roles/{mine['id']}/delete", sent).text
    assert (acme.now_of(holder)["generation"], acme.now_of(holder)["roles"]) == (2, ["reader"])


def test_a_copy_that_lacks_what_credentials_hold_of_the_shared_one_is_not_made_and_it_is_said_why(server, acme):
    shared_api(server)
    holder = acme.holder()
    visitor = signed_in(server)
    visitor.send("/organization", {"organization": acme.id})
    visitor.open("/apis/new")
    copy = {"name": "Copy", "audience": AUDIENCE}
    page = visitor.send("/apis/new", {**copy, **rows(("reports:read", "read"))})
    assert page.status_code == 409
    assert "credentials here hold scopes of it that this one lacks" in page.text
    assert "Created." in visitor.send("/apis/new", {**copy, **BOTH}).text
    assert acme.now_of(holder)["generation"] == 1

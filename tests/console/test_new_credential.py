"""Does a new credential get what was chosen; and is its secret shown this once, and nowhere else?"""

from __future__ import annotations

import re

import pytest

from tests.support.console import hidden_fields, signed_in
from tests.support.server import NOW
from tokenserver.clock import DAY, rfc3339

API = "https://api.example.com"
SCOPES = [
    {"name": "reports:read", "access": "read"},
    {"name": "reports:write", "access": "write"},
    {"name": "keys:write", "access": "write", "sensitive": True},
]
PATH = "/credentials/new"


@pytest.fixture
def api_id(server):
    server.call("POST", "/v1/roles", {"name": "reader"})
    server.call("POST", "/v1/projects", {"name": "atlas"})
    made = server.call("POST", "/v1/apis", {"audience": API, "name": "Example", "scopes": SCOPES})
    return made.get_json()["id"]


def sent(visitor, **form):
    visitor.open(PATH)
    return visitor.send(PATH, {"name": "nightly export", **form})


def found(server):
    """The credential that was made, by the API."""
    (one,) = server.call("GET", "/v1/credentials?q=nightly").get_json()["items"]
    return one


def test_the_defaults_are_good(server):
    assert sent(signed_in(server)).status_code == 201
    one = found(server)
    assert one["expires_at"] == rfc3339(NOW + 365 * DAY)
    assert (one["allowed_ips"], one["roles"], one["grants"], one["owner"]) == (None, [], [], None)
    assert (one["token_lifetime"], one["rotation_schedule"]) == (900, None)


def test_everything_that_is_chosen_is_kept(server, api_id):
    form = {
        "description": "ask Ada",
        "project": "atlas",
        "environment": "production",
        "roles": "reader",
        f"access:{api_id}": "custom",
        f"scopes:{api_id}": ["reports:read", "keys:write"],
        "allowed_ips": "192.0.2.1 - 192.0.2.9\n2001:db8::/32",
        "expiry": "day",
        "expires_at": "2027-06-30",
        "token_lifetime": "300",
        "rotation_schedule": "90",
        "grace_days": "7",
        "on_unclaimed": "withdraw",
    }
    assert sent(signed_in(server), **form).status_code == 201
    one = found(server)
    assert (one["description"], one["project"], one["environment"]) == ("ask Ada", "atlas", "production")
    assert one["roles"] == ["reader"]
    assert one["grants"] == [{"audience": API, "access": "custom", "scopes": ["keys:write", "reports:read"]}]
    assert one["allowed_ips"] == ["192.0.2.1-192.0.2.9", "2001:db8::/32"]
    assert (one["expires_at"], one["token_lifetime"]) == ("2027-06-30T23:59:59Z", 300)
    schedule = one["rotation_schedule"]
    assert (schedule["interval_days"], schedule["grace_seconds"], schedule["on_unclaimed"]) == (90, 7 * DAY, "withdraw")


@pytest.mark.parametrize("access", ["all_read", "all_read_write"])
def test_all_scopes_of_a_kind_can_be_given(server, api_id, access):
    visitor = signed_in(server, "ada@example.com", "admin")
    assert sent(visitor, expiry="never", roles="reader", **{f"access:{api_id}": access}).status_code == 201
    assert found(server)["grants"] == [{"audience": API, "access": access, "scopes": []}]
    assert found(server)["expires_at"] is None


def test_a_personal_credential_is_ones_own(server):
    visitor = signed_in(server, "ada@example.com", "admin")
    sent(visitor, owner="me")
    assert found(server)["owner"] == found(server)["created_by"].removeprefix("operator:")


FAULTY = {
    "no name": ({"name": ""}, "name"),
    "a name with a line break": ({"name": "a\u2028b"}, "name"),
    "a project that is not there": ({"project": "nowhere"}, "project"),
    "an environment that cannot be": ({"environment": "a b"}, "environment"),
    "a role that is not there": ({"roles": "nobody"}, "roles"),
    "addresses that are none": ({"allowed_ips": "192.0.2.0/33"}, "allowed_ips"),
    "nothing but commas": ({"allowed_ips": ","}, "allowed_ips"),
    "no day": ({"expiry": "day"}, "expires_at"),
    "a day that is none": ({"expiry": "day", "expires_at": "2027-02-30"}, "expires_at"),
    "a day that is over": ({"expiry": "day", "expires_at": "2020-01-01"}, "expires_at"),
    "tokens that live too long": ({"token_lifetime": "86400"}, "token_lifetime"),
    "a lifetime that is no number": ({"token_lifetime": "long"}, "token_lifetime"),
    "an interval of nothing": ({"rotation_schedule": "0"}, "rotation_schedule"),
    "a grace period beyond the interval": ({"rotation_schedule": "7", "grace_days": "8"}, "rotation_schedule"),
    "a grace period that is no number": ({"rotation_schedule": "7", "grace_days": "x"}, "grace_days"),
    "something else when nobody claims it": (
        {"rotation_schedule": "7", "on_unclaimed": "explode"},
        "rotation_schedule",
    ),
}


@pytest.mark.parametrize(("form", "field"), FAULTY.values(), ids=FAULTY.keys())
def test_what_the_api_refuses_is_refused_at_its_field_with_what_was_typed(server, api_id, form, field):
    page = sent(signed_in(server), description="typed before", **form)
    assert page.status_code == 422
    assert f'<a href="#field-{field}">' in page.text
    assert f'id="field-{field}"' in page.text
    assert 'value="typed before"' in page.text
    assert server.call("GET", "/v1/credentials?q=nightly").get_json()["items"] == []


def test_what_was_chosen_is_still_chosen_after_a_refusal(server, api_id):
    form = {
        "name": "",
        "roles": "reader",
        f"access:{api_id}": "all_read",
        f"scopes:{api_id}": "keys:write",
        "expiry": "never",
        "project": "atlas",
        "allowed_ips": "192.0.2.1",
        "owner": "me",
        "on_unclaimed": "withdraw",
    }
    text = sent(signed_in(server), **form).text
    for chosen in ("reader", "keys:write", "all_read", "never"):
        assert f'value="{chosen}" checked' in text, chosen
    assert "<option selected>atlas" in text
    assert '<option value="me" selected>' in text
    assert '<option value="withdraw" selected>' in text
    assert ">\n192.0.2.1</textarea>" in text


def test_scopes_beside_all_of_a_kind_are_refused_rather_than_forgotten(server, api_id):
    page = sent(signed_in(server), **{f"access:{api_id}": "all_read", f"scopes:{api_id}": "keys:write"})
    assert page.status_code == 422
    assert (
        '<a href="#field-grants"><bdi>APIs and scopes</bdi>: Tick scopes only where you name them one by one.'
        in page.text
    )


def test_what_the_organization_allows_is_said_before_and_held_after(server):
    me = server.installed.organization_id
    etag = server.call("GET", f"/v1/organizations/{me}").headers["ETag"]
    server.call("PATCH", f"/v1/organizations/{me}", {"longest_expiry_days": 30}, if_match=etag)
    visitor = signed_in(server)
    page = visitor.open(PATH)
    assert "at most 30 days" in page.text
    assert "In 30 days" in page.text
    assert "> Never<" not in page.text
    assert sent(visitor, expiry="never").status_code == 422
    assert sent(visitor).status_code == 201
    assert found(server)["expires_at"] == rfc3339(NOW + 30 * DAY)


def test_a_member_is_offered_what_they_may_hand_on_and_no_more(server, api_id):
    server.call("POST", "/v1/roles", {"name": "cloud_admin"})
    grants = [{"audience": API, "access": "custom", "scopes": ["reports:read"]}]
    visitor = signed_in(server, "ada@example.com", "member", roles=["reader"], grants=grants)
    text = visitor.open(PATH).text
    assert 'value="reader"' in text
    assert 'value="reports:read"' in text
    for beyond in ("cloud_admin", "reports:write", "keys:write", "Whose it is"):
        assert beyond not in text, beyond
    assert sent(visitor, roles="cloud_admin").status_code == 403
    assert sent(visitor, roles="reader", **{f"scopes:{api_id}": "reports:read"}).status_code == 201
    assert found(server)["owner"] is not None


# --- addresses while they are typed ---------------------------------------------------------------------------------

READ = {
    "nothing": ("", ["from anywhere"]),
    "a range and networks": (
        "192.0.2.0/24, 10.0.0.1 - 10.0.0.9, 2001:db8::/32",
        ["265 IPv4 addresses and 2^96 IPv6 addresses", "10.0.0.1-10.0.0.9", "outside"],
    ),
    "where the viewer is": ("127.0.0.1", ["1 IPv4 address:", "127.0.0.1", "inside"]),
    "what overlaps": ("192.0.2.0/25\n192.0.2.128/25", ["256 IPv4 addresses", "<code>192.0.2.0/24</code>"]),
    "two faults": ("192.0.2.0/33, 192.0.2.1, 010.0.0.1", ["2 to mend", "Item 1 (at character 1)", "Item 3 (at char"]),
    "script": ("<script>alert(1)</script>", ["1 to mend"]),
    "far too much": ("192.0.2.1/33," * 3000, ["to mend", "more"]),
}


@pytest.mark.parametrize(("text", "told"), READ.values(), ids=READ.keys())
def test_addresses_are_read_as_the_server_reads_them(server, text, told):
    visitor = signed_in(server)
    visitor.open(PATH)
    piece = visitor.send("/credentials/ranges", {"allowed_ips": text}, headers={"HX-Request": "true"})
    assert piece.status_code == 200
    assert "<html" not in piece.text
    assert "<script>" not in piece.text
    for expected in told:
        assert expected in piece.text
    assert len(piece.data) < 60_000


def test_without_script_a_button_reads_them_and_keeps_what_was_typed(server):
    visitor = signed_in(server)
    visitor.open(PATH)
    page = visitor.send("/credentials/ranges", {"allowed_ips": "192.0.2.0/24", "name": "typed before"})
    assert "256 IPv4 addresses" in page.text
    assert 'value="typed before"' in page.text
    assert "from anywhere" not in page.text.partition('id="ranges"')[2].partition("</div>")[0]
    fields = hidden_fields(page.text)
    assert visitor.send(PATH, {**fields, "name": "nightly export"}).status_code == 201


def test_an_auditor_cannot_ask_what_addresses_mean(server):
    visitor = signed_in(server, "eve@example.com", "auditor")
    visitor.open("/")
    assert visitor.send("/credentials/ranges", {"allowed_ips": "192.0.2.1"}).status_code == 403


# --- the secret -----------------------------------------------------------------------------------------------------


def secret_in(text):
    return re.search(r"tss_[0-9A-Za-z]{46}", text)


def test_the_secret_is_in_the_answer_and_nowhere_else(server, api_id):
    visitor = signed_in(server)
    page = sent(visitor, **{f"access:{api_id}": "all_read"})
    match = secret_in(page.text)
    assert match is not None
    assert page.headers["Cache-Control"] == "no-store"
    client_id = found(server)["client_id"]
    assert server.ask_for_token(client_id, match[0]).status_code == 200
    env = f"TOKENSERVER_URL=https://auth.example.com\nTOKENSERVER_CLIENT_ID={client_id}\nTOKENSERVER_CLIENT_SECRET={match[0]}\n"
    assert env in page.text
    for path in ("/credentials", f"/credentials/{client_id}", f"/audit?credential={client_id}", PATH):
        assert secret_in(visitor.open(path).text) is None, path


def test_who_sends_the_form_again_is_not_shown_it_again(server):
    visitor = signed_in(server)
    visitor.open(PATH)
    fields = {**hidden_fields(visitor.page_text), "name": "nightly export"}
    headers = {"Sec-Fetch-Site": "same-origin"}
    assert visitor.client.post("/console/credentials/new", data=fields, headers=headers).status_code == 201
    again = visitor.client.post("/console/credentials/new", data=fields, headers=headers)
    assert again.status_code == 409
    assert secret_in(again.text) is None
    assert found(server)["name"] == "nightly export"

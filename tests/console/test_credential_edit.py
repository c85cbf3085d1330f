"""Editing a credential at the console: what a change does before it is made, and what others changed meanwhile."""

from __future__ import annotations

import re
from html import unescape

import pytest

from tests.support.console import PASSWORD, hidden_fields, signed_in
from tokenserver.clock import DAY

AUDIENCE = "https://api.example.com"


@pytest.fixture
def stocked(server):
    scopes = [
        {"name": "reports:read", "access": "read"},
        {"name": "reports:write", "access": "write"},
        {"name": "keys:write", "access": "write", "sensitive": True},
    ]
    api = server.call("POST", "/v1/apis", {"audience": AUDIENCE, "name": "Example", "scopes": scopes}).get_json()
    for role in ("reader", "cloud_admin"):
        server.call("POST", "/v1/roles", {"name": role})
    server.call("POST", "/v1/projects", {"name": "billing"})
    server.api_id = api["id"]
    return server


def made(server, **terms):
    body = {
        "name": "nightly export",
        "roles": ["reader"],
        "grants": [{"audience": AUDIENCE, "scopes": ["reports:read", "reports:write"]}],
        "allowed_ips": "192.0.2.0/24",
        **terms,
    }
    answer = server.call("POST", "/v1/credentials", body)
    assert answer.status_code == 201, answer.text
    return answer.get_json()


def form_of(page):
    """Everything that a browser would send, of the form that edits or the one that saves."""
    (form,) = re.findall(
        r'<form method="post"[^>]*action="[^"]*/edit(?:/review)?"[^>]*>(.*?)</form>', page.text, re.DOTALL
    )
    fields = [
        (unescape(n), unescape(v)) for n, v in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', form)
    ]
    for tag in re.findall(r"<input (?!type=\"hidden\")[^>]*>", form):
        told = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if told.get("type") not in {"checkbox", "radio"} or " checked" in tag:
            fields.append((unescape(told["name"]), unescape(told.get("value", ""))))
    fields += [
        (n, unescape(v)) for n, v in re.findall(r'(?s)<textarea [^>]*name="([^"]*)"[^>]*>\n?(.*?)</textarea>', form)
    ]
    for name, options in re.findall(r'(?s)<select [^>]*name="([^"]*)"[^>]*>(.*?)</select>', form):
        each = re.findall(r'<option(?: value="([^"]*)")?( selected)?>([^<]*)', options)
        value, _, text = next((option for option in each if option[1]), each[0])
        fields.append((name, unescape(value or ("" if text == "None" else text))))
    return fields


def typing(page, **changes):
    """The form of `page` with other values; a list is of boxes that are ticked."""
    renamed = {name.replace("__", ":"): value for name, value in changes.items()}
    fields: dict[str, list[str]] = {}
    for name, value in form_of(page):
        fields.setdefault(name, []).append(value)
    fields |= {name: value if isinstance(value, list) else [value] for name, value in renamed.items()}
    return fields


def read(server, one):
    return server.call("GET", f"/v1/credentials/{one['client_id']}").get_json()


def path_of(one):
    return f"/credentials/{one['client_id']}/edit"


def shown(page):
    return unescape(re.sub(r"<[^>]*>", "", page.text))


def test_a_form_that_is_sent_as_it_came_changes_nothing(stocked):
    schedule = {"interval_days": 90, "grace_seconds": 100, "on_unclaimed": "withdraw"}
    one = made(
        stocked, rotation_schedule=schedule, project="billing", environment="production", allowed_ips="::/1, 10.0.0.1"
    )
    visitor = signed_in(stocked)
    page = visitor.send(f"{path_of(one)}/review", typing(visitor.open(path_of(one))))
    assert page.status_code == 200
    assert "Nothing is changed" in page.text
    visitor.send(path_of(one), typing(visitor.open(path_of(one))))
    assert read(stocked, one) == read(stocked, one) | {"version": 1}


def test_narrowing_is_said_to_end_tokens_and_ends_them(stocked):
    one = made(stocked)
    visitor = signed_in(stocked)
    page = visitor.open(path_of(one))
    page = visitor.send(f"{path_of(one)}/review", typing(page, allowed_ips="192.0.2.0/25", roles=[]))
    assert "Every token that is out ends" in page.text
    assert "Allowed IPs, Roles" in shown(page)
    assert read(stocked, one)["generation"] == 1
    page = visitor.send(path_of(one), typing(page))
    assert "Saved." in page.text
    found = read(stocked, one)
    assert (found["roles"], found["allowed_ips"], found["generation"], found["floor"]) == ([], ["192.0.2.0/25"], 2, 2)


def test_widening_is_said_to_disturb_nobody_and_does_not(stocked):
    one = made(stocked)
    visitor = signed_in(stocked)
    page = visitor.open(path_of(one))
    scopes = {f"scopes:{stocked.api_id}": ["reports:read", "reports:write", "keys:write"]}
    page = visitor.send(
        f"{path_of(one)}/review", {**typing(page, allowed_ips="", roles=["reader", "cloud_admin"]), **scopes}
    )
    assert "No token that is out ends" in page.text
    assert "anywhere" in shown(page)
    visitor.send(path_of(one), typing(page))
    found = read(stocked, one)
    assert (found["roles"], found["allowed_ips"], found["floor"]) == (["cloud_admin", "reader"], None, 1)
    assert found["grants"][0]["scopes"] == ["keys:write", "reports:read", "reports:write"]


def test_each_other_member_can_be_changed(stocked):
    one = made(stocked)
    visitor = signed_in(stocked)
    page = visitor.open(path_of(one))
    typed = typing(
        page,
        name="hourly export",
        description="of the warehouse",
        project="billing",
        environment="production",
        token_lifetime="600",
        expiry="day",
        expires_at="2027-02-01",
        rotation_schedule="90",
        grace_days="7",
        on_unclaimed="withdraw",
    )
    page = visitor.send(
        f"{path_of(one)}/review", {**typed, f"access:{stocked.api_id}": ["all_read"], f"scopes:{stocked.api_id}": []}
    )
    assert page.status_code == 200, page.text
    visitor.send(path_of(one), typing(page))
    found = read(stocked, one)
    assert (found["name"], found["description"]) == ("hourly export", "of the warehouse")
    assert (found["project"], found["environment"], found["token_lifetime"]) == ("billing", "production", 600)
    assert found["expires_at"] == "2027-02-01T23:59:59Z"
    assert found["rotation_schedule"]["interval_days"] == 90
    assert found["rotation_schedule"]["grace_seconds"] == 7 * DAY
    assert found["rotation_schedule"]["on_unclaimed"] == "withdraw"
    assert [(grant["access"], grant["scopes"]) for grant in found["grants"]] == [("all_read", [])]
    page = visitor.open(path_of(one))
    page = visitor.send(f"{path_of(one)}/review", typing(page, expiry="never", rotation_schedule=""))
    visitor.send(path_of(one), typing(page))
    assert (read(stocked, one)["expires_at"], read(stocked, one)["rotation_schedule"]) == (None, None)


FAULTS = {
    "a name that is blank": ({"name": " "}, "Must not be blank."),
    "a range that is reversed": ({"allowed_ips": "192.0.2.9 - 192.0.2.1"}, "Item 1 (at character 1)"),
    "a lifetime that is too short": ({"token_lifetime": "59"}, "Must be at least 60."),
    "a lifetime that is no number": ({"token_lifetime": "ten"}, "Write a whole number."),
    "a day that is over": ({"expiry": "day", "expires_at": "2020-01-01"}, "Must lie in the future."),
    "a day that is none": ({"expiry": "day", "expires_at": "tomorrow"}, "Write a date such as"),
    "no day": ({"expiry": "day", "expires_at": ""}, "Choose the day."),
    "an interval that is too long": ({"rotation_schedule": "3651"}, "Must be at most 3650."),
    "a grace period as long as the interval": (
        {"rotation_schedule": "3", "grace_days": "3"},
        "must be fewer than those between",
    ),
    "a grace period that is no number": ({"rotation_schedule": "90", "grace_days": "x"}, "Write a number of days."),
    "a role that is none": ({"roles": ["nobody"]}, "One of the roles is not there any more"),
    "a project that is none": ({"project": "elsewhere"}, "There is no project with this name"),
    "an environment that is none": ({"environment": "a b"}, "Must be 1 to 100 plain letters"),
}


@pytest.mark.parametrize(("changes", "hint"), FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize("step", ["/review", ""])
def test_what_the_api_refuses_is_refused_at_its_field_and_stays_as_it_was_typed(stocked, changes, hint, step):
    one = made(stocked)
    visitor = signed_in(stocked)
    page = visitor.open(path_of(one))
    page = visitor.send(path_of(one) + step, typing(page, description="kept", **changes))
    assert page.status_code == 422
    assert hint in shown(page)
    assert 'value="kept"' in page.text
    assert read(stocked, one)["version"] == 1


def test_a_name_that_is_taken_is_said_when_it_is_saved(stocked):
    one = made(stocked)
    made(stocked, name="the other")
    visitor = signed_in(stocked)
    page = visitor.send(path_of(one), typing(visitor.open(path_of(one)), name="The Other"))
    assert page.status_code == 409
    assert "Another credential has this name already" in page.text


def test_what_somebody_else_changed_is_shown_beside_what_was_typed(stocked):
    one = made(stocked)
    visitor = signed_in(stocked)
    mine = typing(visitor.open(path_of(one)), allowed_ips="198.51.100.7", description="by me")
    their = {"allowed_ips": "203.0.113.0/24", "roles": ["cloud_admin"]}
    stocked.call("PATCH", f"/v1/credentials/{one['client_id']}", their, if_match='"1"')
    page = visitor.send(path_of(one), mine)
    assert page.status_code == 412
    assert "Somebody else has changed it meanwhile" in page.text
    table = shown(page)
    assert re.search(r"Allowed IPs\s*203\.0\.113\.0/24\s*198\.51\.100\.7", table)
    assert re.search(r"Roles\s*cloud_admin\s*not touched", table)
    assert read(stocked, one)["description"] == ""
    page = visitor.send(f"{path_of(one)}/review", typing(page))
    visitor.send(path_of(one), typing(page))
    found = read(stocked, one)
    assert (found["allowed_ips"], found["roles"], found["description"]) == (["198.51.100.7"], ["cloud_admin"], "by me")


def test_a_review_of_what_was_changed_meanwhile_shows_it_as_well(stocked):
    one = made(stocked)
    visitor = signed_in(stocked)
    mine = typing(visitor.open(path_of(one)), allowed_ips="not an address")
    stocked.call("PATCH", f"/v1/credentials/{one['client_id']}", {"roles": []}, if_match='"1"')
    page = visitor.send(f"{path_of(one)}/review", mine)
    assert page.status_code == 412
    assert "not an address" in page.text
    assert re.search(r"Roles\s*none", shown(page))
    page = visitor.send(f"{path_of(one)}/review", typing(page, allowed_ips="192.0.2.1"))
    visitor.send(path_of(one), typing(page))
    assert (read(stocked, one)["allowed_ips"], read(stocked, one)["roles"]) == (["192.0.2.1"], [])


def test_going_on_with_editing_keeps_what_was_typed(stocked):
    one = made(stocked)
    visitor = signed_in(stocked)
    page = visitor.send(f"{path_of(one)}/review", typing(visitor.open(path_of(one)), description="half done"))
    page = visitor.send(f"{path_of(one)}/more", typing(page))
    assert page.status_code == 200
    assert 'value="half done"' in page.text


def test_going_on_with_editing_after_somebody_else_did_undoes_nothing_of_theirs(stocked):
    one = made(stocked)
    visitor = signed_in(stocked)
    page = visitor.send(f"{path_of(one)}/review", typing(visitor.open(path_of(one)), description="mine"))
    stocked.call("PATCH", f"/v1/credentials/{one['client_id']}", {"roles": []}, if_match='"1"')
    page = visitor.send(f"{path_of(one)}/more", typing(page))
    assert page.status_code == 200
    assert "Somebody else has changed it meanwhile" in page.text
    visitor.send(path_of(one), typing(page))
    assert (read(stocked, one)["description"], read(stocked, one)["roles"]) == ("mine", [])


def test_what_was_typed_survives_a_session_that_ends_meanwhile(stocked):
    one = made(stocked)
    visitor = signed_in(stocked)
    typed = typing(visitor.open(path_of(one)), description="typed for long", roles=["cloud_admin", "reader"])
    stocked.clock.advance(31 * 60)
    page = visitor.send(f"{path_of(one)}/review", typed)
    assert page.status_code == 401
    kept = re.findall(r'<input type="hidden" name="(kept|to)" value="([^"]*)">', page.text)
    fields: dict[str, list[str]] = {"email": ["admin@localhost"], "password": [PASSWORD]}
    for name, value in kept:
        fields.setdefault(unescape(name), []).append(unescape(value))
    page = visitor.send("/sign-in", fields)
    again: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text):
        again.setdefault(unescape(name), []).append(unescape(value))
    page = visitor.send(f"{path_of(one)}/review", again)
    assert re.search(r"Description\s*none\s*typed for long", shown(page))
    assert re.search(r"Roles\s*reader\s*cloud_admin, reader", shown(page))


def test_while_one_types_a_piece_says_what_the_change_does(stocked):
    one = made(stocked)
    visitor = signed_in(stocked)
    page = visitor.open(path_of(one))
    headers = {"HX-Request": "true"}
    piece = visitor.send(f"{path_of(one)}/review", typing(page, roles=[]), headers=headers)
    assert "<html" not in piece.text
    assert "Every token that is out ends" in piece.text
    visitor.open(path_of(one))
    piece = visitor.send(f"{path_of(one)}/review", typing(page, allowed_ips="x"), headers=headers)
    assert piece.status_code == 200
    assert "Item 1" in piece.text


def test_calls_that_the_change_would_have_refused_are_counted(stocked):
    one = made(stocked, allowed_ips=None)
    use = {
        "client_id": one["client_id"],
        "route": "GET /",
        "status": 200,
        "count": 17,
        "first_ago_ms": 9,
        "last_ago_ms": 1,
    }
    uses = [{**use, "address": "198.51.100.7"}, {**use, "address": "192.0.2.1", "count": 3}]
    report = {"instance": "a", "process": "p" * 16, "batch": 1, "audience": AUDIENCE, "interval_ms": 5000, "uses": uses}
    assert stocked.call("POST", "/v1/usage-reports", report).status_code == 200
    visitor = signed_in(stocked)
    page = visitor.open(path_of(one))
    page = visitor.send(f"{path_of(one)}/review", typing(page, allowed_ips="192.0.2.0/24"))
    assert "20 calls that were let in. Of these, 17 would have been refused" in shown(page)
    assert "198.51.100.7" in shown(page)


STRANGE = ["🦀" * 100, "<script>alert(1)</script>", "مرحبا بالعالم", "a & b \"c\" 'd'"]


@pytest.mark.parametrize("name", STRANGE)
def test_strange_text_is_harmless_and_survives(stocked, name):
    one = made(stocked, name=name, description=name)
    visitor = signed_in(stocked)
    page = visitor.open(path_of(one))
    assert "<script>alert" not in page.text
    page = visitor.send(f"{path_of(one)}/review", typing(page, description=name + " "))
    assert "Nothing is changed" in page.text
    page = visitor.send(f"{path_of(one)}/review", typing(visitor.open(path_of(one)), roles=[]))
    assert "<script>alert" not in page.text


def test_names_that_are_fixed_cannot_be_typed_over(stocked):
    one = made(stocked)
    own = stocked.call("GET", "/v1/organizations").get_json()["items"][0]
    stocked.call("PATCH", f"/v1/organizations/{own['id']}", {"names_are_fixed": True}, if_match=f'"{own["version"]}"')
    visitor = signed_in(stocked)
    page = visitor.open(path_of(one))
    assert "The organization keeps names as they are." in page.text
    assert visitor.send(path_of(one), typing(page, name="another")).status_code == 409


def test_a_change_beyond_what_a_list_shows_is_a_change(stocked):
    many = [f"10.0.{number}.0/30" for number in range(80)]
    one = made(stocked, allowed_ips=many)
    visitor = signed_in(stocked)
    page = visitor.open(path_of(one))
    page = visitor.send(f"{path_of(one)}/review", typing(page, allowed_ips="\r\n".join([*many[:-1], "10.9.9.9"])))
    assert "and 30 more" in shown(page)
    visitor.send(path_of(one), typing(page))
    assert read(stocked, one)["allowed_ips"][-1] == "10.9.9.9"


def test_what_has_ended_is_not_edited(stocked):
    one = made(stocked)
    visitor = signed_in(stocked)
    typed = typing(visitor.open(path_of(one)), roles=[])
    stocked.call("POST", f"/v1/credentials/{one['client_id']}/revoke", {"reason": ""})
    assert "that is final" in visitor.open(path_of(one)).text
    assert visitor.send(path_of(one), {**typed, "version": "2"}).status_code == 409


@pytest.mark.parametrize("role", ["owner", "admin"])
def test_who_manages_an_organization_edits(stocked, role):
    one = made(stocked)
    visitor = signed_in(stocked, "grace@example.com", role)
    page = visitor.send(path_of(one), typing(visitor.open(path_of(one)), roles=[]))
    assert "Saved." in page.text


def test_an_auditor_edits_nothing_and_a_member_only_their_own(stocked):
    one = made(stocked)
    auditor = signed_in(stocked, "audit@example.com", "auditor")
    assert auditor.open(path_of(one)).status_code == 403
    auditor.open("/")
    assert auditor.send(path_of(one), {"name": "mine"}).status_code == 403
    member = signed_in(stocked, "ada@example.com", "member")
    assert member.open(path_of(one)).status_code == 404
    people = stocked.call("GET", "/v1/operators").get_json()["items"]
    (ada,) = [person["id"] for person in people if person["email"] == "ada@example.com"]
    own = made(stocked, name="ada's", owner=ada)
    page = member.send(path_of(own), typing(member.open(path_of(own)), roles=[]))
    assert "Saved." in page.text
    assert read(stocked, own)["roles"] == []


def test_a_member_cannot_give_their_own_more_than_they_hold(stocked):
    member = signed_in(stocked, "ada@example.com", "member", roles=["reader"])
    people = stocked.call("GET", "/v1/operators").get_json()["items"]
    (ada,) = [person["id"] for person in people if person["email"] == "ada@example.com"]
    own = made(stocked, name="ada's", owner=ada)
    page = member.open(path_of(own))
    assert 'value="cloud_admin"' not in page.text
    page = member.send(path_of(own), typing(page, roles=["reader", "cloud_admin"]))
    assert page.status_code == 403
    assert read(stocked, own)["roles"] == ["reader"]


def test_the_page_is_small_though_it_is_whole(stocked):
    one = made(stocked)
    page = signed_in(stocked).open(path_of(one))
    assert len(page.data) < 40_000
    assert hidden_fields(page.text)["version"] == "1"

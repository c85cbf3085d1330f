"""The audit log as operators see it."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest

from app.console import words
from tests.support.console import signed_in
from tokenserver.domain.audit import Event
from tokenserver.domain.operators import Membership, Operator, OperatorRole

HOSTILE = ("<script>alert(1)</script>", "\u202eevil"[1:] + " שלום", "🦄" * 100)


def made(server, name="nightly export"):
    return server.call("POST", "/v1/credentials", {"name": name}).get_json()


def test_every_event_has_its_words():
    assert set(words.EVENTS) == {event.value for event in Event}


def test_a_change_is_shown_before_and_after(server):
    credential = made(server)
    server.call("PATCH", f"/v1/credentials/{credential['client_id']}", {"name": "hourly export"}, if_match='"1"')
    page = signed_in(server).open("/audit", credential=credential["client_id"], action="credential:updated")
    assert page.status_code == 200
    assert re.search(
        r"<dt>Name</dt><dd><del><bdi>nightly export</bdi></del>.*<bdi>hourly export</bdi></ins>", page.text
    )
    assert "changed the credential" in page.text


def test_operators_and_credentials_go_by_their_names(server):
    credential = made(server)
    visitor = signed_in(server, "ada@example.com", "admin", name="Ada Lovelace")
    page = visitor.open("/audit")
    assert "<bdi><strong>Ada Lovelace</strong></bdi> signed in" in page.text
    assert f'/console/credentials/{credential["client_id"]}"><bdi>nightly export</bdi>' in page.text


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_only_a_name(server, name):
    made(server, name)
    page = signed_in(server).open("/audit")
    assert "<script>alert" not in page.text
    assert page.text.count("<bdi>") == page.text.count("</bdi>")


@pytest.mark.parametrize(
    "query",
    [
        {"credential": "nonsense"},
        {"actor": "who is it"},
        {"action": "credential:exploded"},
        {"since": "yesterday"},
        {"since": "2027-01-02", "until": "2027-01-01"},
        {"address": "192.0.2.0/99"},
        {"cursor": "nonsense"},
    ],
)
def test_a_filter_that_says_nothing_is_told_what_it_should_say(server, query):
    page = signed_in(server).open("/audit", **query)
    assert page.status_code == 400
    assert 'role="alert"' in page.text


def test_a_file_holds_what_is_shown(server):
    credential = made(server)
    made(server, "another")
    visitor = signed_in(server)
    file = visitor.open("/audit/file", credential=credential["client_id"], format="jsonl")
    assert [json.loads(line)["event"] for line in file.text.splitlines()] == ["credential:created"]
    assert file.headers["Content-Disposition"] == 'attachment; filename="audit-events.jsonl"'
    table = visitor.open("/audit/file", format="csv")
    assert table.text.startswith("at,action") or '"action"' in table.text.splitlines()[0]


def test_pages_follow_each_other(server):
    for number in range(60):
        made(server, f"number {number}")
    visitor = signed_in(server)
    page = visitor.open("/audit", action="credential:*")
    following = re.search(r'href="/console(/audit\?[^"]*)" rel="next"', page.text)
    assert following is not None
    page = visitor.open(following[1].replace("&amp;", "&"))
    assert "number 0" in page.text


def test_it_says_when_the_log_was_verified_and_how_that_ended(server):
    verification, visitor = server.services.audit_verification, signed_in(server)
    assert "Not verified yet" in visitor.open("/audit").text
    verification.piece(server.clock())
    assert "none edited, removed, reordered or inserted" in visitor.open("/audit").text
    server.clock.advance(24 * 3600)
    with server.services.store.writing() as tx:
        tx.session.connection().exec_driver_sql("UPDATE audit_event SET line = replace(line, 'shell', 'nobody')")
    verification.piece(server.clock())
    page = signed_in(server, "eve@example.com", "auditor").open("/audit")
    assert "The log is not whole." in page.text


def test_a_member_does_not_see_it(server):
    assert signed_in(server, "ada@example.com", "member").open("/audit").status_code == 403


def test_a_line_says_to_whom_or_to_what_it_was_done_and_leads_to_all_that_somebody_did(server):
    visitor = signed_in(server)
    server.call("POST", "/v1/roles", {"name": "cloud_admin"})
    made = server.call("POST", "/v1/operators", {"email": "ada@example.com", "role": "auditor", "name": "<b>Ada</b>"})
    page = visitor.open("/audit")
    assert re.search(r"created a role <bdi>cloud_admin</bdi>", page.text)
    assert re.search(r"added an operator <bdi>&lt;b&gt;Ada&lt;/b&gt;</bdi>", page.text)
    page = visitor.open(f"/operators/{made.get_json()['id']}")
    where = f"actor=operator%3A{made.get_json()['id']}"
    assert f"/console/audit?{where}" in page.text
    signed_in(server, "bob@example.com")
    bob = next(
        one for one in server.call("GET", "/v1/operators").get_json()["items"] if one["email"] == "bob@example.com"
    )
    page = visitor.open("/audit", actor=f"operator:{bob['id']}")
    assert "bob@example.com</strong></bdi> signed in" in page.text
    assert "created a role" not in page.text


# --- whom and what one looks for ---


def lines_on(page):
    return re.findall(r"<bdi><strong>(.*?)</strong></bdi> ([^<(]*)", page.text)


def choices_on(page):
    """Name and what is beside it, to where it leads."""
    found = re.findall(
        r'<li><a href="/console(/audit\?[^"]*)"><bdi>(.*?)</bdi></a>(?: <span class="quiet">(.*?)<)?', page.text
    )
    return {(unescape(name), beside): unescape(where) for where, name, beside in found}


@pytest.fixture
def people(server):
    """Two who are called Ada, each signed in; a credential of the first one's name, and what the administrator sees."""
    signed_in(server, "ada@example.com", name="Ada Lovelace")
    signed_in(server, "ada.b@example.com", name="Ada Byron")
    made(server, "lovelace export")
    return signed_in(server)


@pytest.mark.parametrize("typed", ["Ada Byron", "ADA  BYRON", "byron", "ada.b@example.com", "\uff21da Byron"])
def test_who_is_meant_may_be_written_as_one_knows_them(people, typed):
    page = people.open("/audit", actor=typed)
    assert {who for who, _ in lines_on(page)} == {"Ada Byron"}
    assert re.search(r'<small id="meant-actor">.*<code>operator:op_\w+</code>', page.text)
    assert unescape(re.findall(r'name="actor" value="([^"]*)"', page.text)[0]) == typed


def test_where_several_are_meant_one_chooses_and_the_other_filters_stay(people):
    page = people.open("/audit", actor="lovelace", outcome="success")
    (person, credential) = choices_on(page)
    assert person == ("Ada Lovelace", "ada@example.com")
    assert credential[0] == "lovelace export"
    assert lines_on(page) == []
    chosen = people.open(choices_on(page)[person])
    assert "outcome=success" in choices_on(page)[person]
    assert {who for who, _ in lines_on(chosen)} == {"Ada Lovelace"}
    assert people.open("/audit/file", actor="lovelace").status_code == 400
    assert b"operator:op_" in people.open("/audit/file", actor="ada byron").data


def test_a_credential_may_be_written_as_one_knows_it(server, people):
    made(server, "export")
    page = people.open("/audit", credential="Lovelace")
    assert "<bdi>lovelace export</bdi></a>" in page.text
    assert "export</bdi></a>" in people.open("/audit", credential="EXPORT").text  # the whole name of one
    assert [name for name, _ in choices_on(people.open("/audit", credential="xport"))] == ["export", "lovelace export"]


@pytest.mark.parametrize("typed", ["the schedule", "stranger", "operator:op_gone", "tsc_" + "A" * 22])
def test_whoever_has_no_name_is_found_by_what_a_line_says(people, typed):
    assert people.open("/audit", actor=typed).status_code == 200


@pytest.mark.parametrize("name", ["actor", "credential"])
@pytest.mark.parametrize(
    "typed", ["nobody at all", "%", "_", "x" * 300, "a\0b", "operator:", "\u200b", "<script>alert(1)</script>"]
)
def test_whom_nobody_knows_is_told_without_being_repeated_as_markup(people, name, typed):
    page = people.open("/audit", **{name: typed})
    assert page.status_code == 400
    assert 'role="alert"' in page.text
    assert "<script>alert" not in page.text


def test_hostile_names_are_only_names_among_the_choices(server, people):
    names = {f"{name[:90]} twice".strip() for name in HOSTILE}
    for name in names:
        made(server, name)
    page = people.open("/audit", credential="twice")
    assert {name for name, _ in choices_on(page)} == names
    assert "<script>alert" not in page.text


def test_nobody_of_another_organization_is_found(server, people):
    other = server.call("POST", "/v1/organizations", {"name": "Elsewhere"}).get_json()
    with server.services.store.writing() as tx:
        tx.operators.add(Operator("op_else", "eve@example.com", "Eve"))
        tx.operators.add_member(other["id"], Membership("op_else", OperatorRole.ADMIN))
    assert people.open("/audit", actor="eve@example.com").status_code == 400

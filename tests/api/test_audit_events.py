"""Searching and exporting the audit log: filters, pages, formats, and whose lines they are."""

from __future__ import annotations

import csv
import io
import json
import re
from urllib.parse import quote

import pytest

from app.services.audit_trail import MOST_FILES
from tests.support.contract import REPORTS
from tests.support.server import StillClock
from tests.support.workshop import Workshop
from tokenserver.clock import rfc3339
from tokenserver.domain.audit import Entry, Event
from tokenserver.domain.audit_search import Wanted
from tokenserver.domain.generation import Generation
from tokenserver.domain.organizations import Organization

PATH = "/v1/audit-events"


def search(api, **query):
    asked = "&".join(f"{name}={quote(str(value))}" for name, value in query.items())
    return api.ok("GET", f"{PATH}?{asked}")


def actions(found):
    return [event["action"] for event in found["items"]]


def exported(api, query="", **more):
    """The whole file; its answer is no JSON, so that the contract is looked at elsewhere."""
    answer = api.server.call("GET", f"{PATH}/export{query}", **more)
    assert answer.status_code == 200, answer.text
    return answer


def test_what_a_caller_did_is_found_newest_first_with_all_that_is_known_of_it(stocked):
    made = stocked.credential()
    stocked.server.clock.advance(1)
    answer = stocked.call("POST", f"/v1/credentials/{made['client_id']}/disable")
    found = search(stocked, credential=made["client_id"])
    assert actions(found) == ["credential:disabled", "credential:created"]
    event = found["items"][0]
    assert event["at"] == "2027-01-15T08:00:01.250Z"
    assert event["actor"] == f"credential:{stocked.server.installed.client_id}"
    assert event["request_id"] == answer.headers["X-Request-Id"]
    assert event["address"] == "127.0.0.1"
    assert event["outcome"] == "success"
    assert event["detail"]["changed"]["status"] == ["active", "disabled"]
    assert (event["chain"], type(event["seq"]), len(event["hash"])) == ("changes", int, 64)


def test_every_filter_narrows_what_is_found(stocked):
    made = stocked.credential(grants=[{"audience": REPORTS, "access": "all_read"}])
    client_id = made["client_id"]
    stocked.server.ask_for_token(client_id, "tss_" + "0" * 46)
    stocked.server.token(client_id, made["client_secret"])
    assert actions(search(stocked, credential=client_id, outcome="refused")) == ["token:refused"]
    assert actions(search(stocked, credential=client_id, action="token:issued")) == ["token:issued"]
    assert len(actions(search(stocked, credential=client_id, action="token:*"))) == 2
    assert set(actions(search(stocked, action="api:*"))) == {"api:created"}
    assert set(actions(search(stocked, actor="shell"))) >= {"installation:bootstrapped", "signing_key:created"}
    assert actions(search(stocked, actor="stranger", credential=client_id)) == ["token:refused"]
    assert search(stocked, address="127.0.0.0/8")["items"]
    assert search(stocked, address="127.0.0.1")["items"]
    assert search(stocked, address="2001:db8::/32") == {"items": [], "next": None}


def test_since_and_until_are_moments_with_any_offset(stocked):
    now = stocked.server.clock()
    stocked.server.clock.advance(100)
    made = stocked.credential()
    later = rfc3339(now + 100)
    assert actions(search(stocked, since=later, action="credential:*")) == ["credential:created"]
    assert search(stocked, until=later, credential=made["client_id"]) == {"items": [], "next": None}
    assert search(stocked, since="2027-01-15T09:01:40+01:00", credential=made["client_id"])["items"]


def test_pages_hold_every_event_once_and_their_links_ask_for_the_same(stocked):
    for number in range(7):
        stocked.credential(name=f"number {number}")
    at, seen = f"{PATH}?action=credential:created&limit=3", []
    for _ in range(10):
        answer = stocked.call("GET", at)
        seen += [event["seq"] for event in answer.json["items"]]
        if answer.json["next"] is None:
            assert "Link" not in answer.headers
            break
        link = re.fullmatch(r'<https://auth\.example\.com(/[!-~]+)>; rel="next"', answer.headers["Link"])
        assert link is not None
        at = link[1]
        assert "action=credential%3Acreated" in at
        assert f"cursor={answer.json['next']}" in at
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == 8


BAD = {
    "a credential that is no client ID": ("credential=nightly", "credential"),
    "an actor with a space": ("actor=credential:a%20b", "actor"),
    "an actor that is too long": ("actor=" + "a" * 300, "actor"),
    "an action that does not exist": ("action=credential:exploded", "action"),
    "an action with a star in the middle": ("action=cred*:created", "action"),
    "a subject that does not exist": ("action=dragon:*", "action"),
    "a bare star": ("action=*", "action"),
    "an outcome that does not exist": ("outcome=maybe", "outcome"),
    "a date without a time": ("since=2027-01-01", "since"),
    "a moment without an offset": ("until=2027-01-01T00:00:00", "until"),
    "an offset whose plus was not escaped": ("since=2027-01-01T00:00:00+01:00", "%2B"),
    "a day that does not exist": ("since=2027-02-30T00:00:00Z", "since"),
    "since behind until": ("since=2027-01-02T00:00:00Z&until=2027-01-01T00:00:00Z", "before"),
    "an address that is none": ("address=localhost", "address"),
    "a network with host bits": ("address=192.0.2.1/24", "address"),
    "two networks": ("address=192.0.2.0/24,198.51.100.0/24", "address"),
    "an address that is too long": ("address=" + "1" * 200, "address"),
    "an empty filter": ("credential=", "credential"),
    "a parameter that does not exist": ("credentials=x", "Known are"),
    "a parameter that is repeated": ("outcome=success&outcome=refused", "repeated"),
    "a cursor that was made up": ("cursor=abcd", "cursor"),
    "a cursor of another list": ("cursor=MTc5NTI1MzQwMC50c2NfNGZWUTBuTDJtWGNCN2FSa1Q5eVdzRQ", "cursor"),
    "no limit at all": ("limit=0", "limit"),
    "control characters": ("actor=%0d%0a", "actor"),
}


@pytest.mark.parametrize(("query", "told"), BAD.values(), ids=BAD.keys())
def test_a_filter_that_says_nothing_is_refused_with_what_to_do_and_never_repeated(refusing, query, told):
    problem = refusing.problem(400, "GET", f"{PATH}?{query}")
    assert told in problem["title"]
    for value in ("nightly", "exploded", "dragon", "localhost", "a b"):
        assert value not in json.dumps(problem)
    if "cursor" not in query and "limit" not in query:
        assert refusing.problem(400, "GET", f"{PATH}/export?{query}")["title"]


def test_an_export_takes_a_format_that_there_is(refusing):
    assert "jsonl, csv" in refusing.problem(400, "GET", f"{PATH}/export?format=xml")["title"]
    assert "Known are" in refusing.problem(400, "GET", f"{PATH}/export?limit=3")["title"]


def test_both_ask_for_the_right_to_read_the_audit_log(stocked):
    limited = stocked.limited_token("credentials:read", "credentials:write")
    stocked.problem(403, "GET", PATH, token=limited)
    stocked.problem(403, "GET", f"{PATH}/export", token=limited)
    reader = stocked.ok(
        "POST",
        "/v1/credentials",
        {
            "name": "auditor",
            "grants": [{"audience": "urn:tokenserver:admin", "access": "custom", "scopes": ["audit:read"]}],
        },
    )
    token = stocked.server.token(reader["client_id"], reader["client_secret"])
    assert stocked.ok("GET", PATH, token=token)["items"]
    assert exported(stocked, token=token).data
    stocked.problem(401, "GET", PATH, token=None)
    stocked.problem(401, "GET", f"{PATH}/export", token=None)


def test_nobody_reads_a_line_of_another_organization(stocked):
    store = stocked.server.services.store
    with store.writing() as tx:
        tx.organizations.add(Organization("org_stranger", "Stranger", Generation()))
        for organization in ("org_stranger", ""):
            tx.audit.append(Entry(Event.ROLE_DELETED, stocked.server.clock(), "shell", organization))
    assert "role:deleted" not in actions(search(stocked, limit=200))
    assert search(stocked, action="role:deleted") == {"items": [], "next": None}
    assert b"role:deleted" not in exported(stocked).data
    assert b"role:deleted" not in exported(stocked, "?format=csv").data


def test_an_export_as_json_lines_is_what_was_hashed_oldest_first(stocked):
    stocked.credential()
    answer = exported(stocked, "?action=role:created")
    assert answer.content_type == "application/x-ndjson"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit-events.jsonl"'
    assert answer.headers["Cache-Control"] == "no-store"
    lines = answer.text.splitlines()
    whole = list(stocked.server.services.audit_trail.export())
    assert len(lines) == 2
    assert all(line in whole for line in lines)
    assert [json.loads(line)["seq"] for line in lines] == sorted(json.loads(line)["seq"] for line in lines)


def test_an_export_as_csv_has_a_row_for_each_line(stocked):
    stocked.credential(name="nightly export")
    answer = exported(stocked, "?format=csv&action=credential:*")
    assert answer.content_type == "text/csv"
    table = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [row["action"] for row in table] == ["credential:created", "credential:created"]
    assert json.loads(table[1]["detail"])["changed"]["name"] == ["", "nightly export"]


def test_a_long_export_holds_every_line(stocked):
    store, now = stocked.server.services.store, stocked.server.clock()
    organization = stocked.server.installed.organization_id
    with store.writing() as tx:
        tx.audit.append(*(Entry(Event.ROLE_UPDATED, now, "shell", organization) for _ in range(2500)))
    assert exported(stocked, "?action=role:updated").text.count("\n") == 2500


def test_what_fails_at_once_fails_with_a_status_and_what_fails_later_in_the_last_line(stocked, monkeypatch):
    store, now = stocked.server.services.store, stocked.server.clock()
    organization = stocked.server.installed.organization_id
    with store.writing() as tx:
        tx.audit.append(*(Entry(Event.ROLE_UPDATED, now, "shell", organization) for _ in range(1500)))
        tx.session.connection().exec_driver_sql(
            "UPDATE audit_event SET line = '{' || line WHERE seq = (SELECT max(seq) FROM audit_event)"
        )
    answer = exported(stocked, "?action=role:*")
    assert json.loads(answer.text.splitlines()[-1]) == {"incomplete": "The server could not process the request."}
    assert len(answer.text.splitlines()) > 900
    with store.writing() as tx:
        tx.session.connection().exec_driver_sql("UPDATE audit_event SET line = '{' || line")
    stocked.problem(500, "GET", f"{PATH}/export?action=role:*")


def test_a_few_exports_at_a_time_are_written_and_their_places_are_given_back(stocked):
    open_ones = [stocked.server.app.test_client() for _ in range(MOST_FILES)]
    headers = {"Authorization": f"Bearer {stocked.server.admin_token}"}
    answers = [client.get(f"{PATH}/export", headers=headers, buffered=False) for client in open_ones]
    problem = stocked.call("GET", f"{PATH}/export")
    assert problem.status_code == 503
    assert problem.headers["Retry-After"] == "10"
    for answer in answers:
        answer.close()
    assert exported(stocked).data
    for _ in range(MOST_FILES + 1):
        assert stocked.server.call("HEAD", f"{PATH}/export").status_code == 200
        stocked.server.call("GET", f"{PATH}/export?format=xml")
    assert exported(stocked).data


def test_an_export_ends_though_lines_are_written_all_the_time(workshop_of):
    """It is bounded by the moment at which it began."""
    workshop = workshop_of
    found = workshop.services.audit_trail.select(workshop.caller, Wanted())
    count = 0
    for _ in found:
        count += 1
        workshop.clock.advance(1)
        workshop.services.catalogue.list_roles(workshop.caller, None, 1)
        with workshop.services.store.writing() as tx:
            tx.audit.append(workshop.caller.did(Event.ROLE_UPDATED, workshop.clock()))
        assert count < 1000
    assert count > 3


@pytest.fixture
def workshop_of(server) -> Workshop:
    """The server's installation, opened up."""
    workshop = Workshop(server.settings, StillClock())
    workshop.caller = workshop.services.installation.prepare()
    return workshop

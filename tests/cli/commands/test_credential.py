"""Does `claim` take over a rotated secret and send the old one to nobody else, and does `usage` show what was done?"""

from __future__ import annotations

import base64
import json

import pytest

from tests.support.world import AUDIENCE

CLAIM = "/v1/rotations/rot_1/claim"


def test_a_claim_is_made_with_the_old_secret_and_keeps_the_new_one(at_the_stub, stub):
    stub.answer("POST", CLAIM, {"client_id": "tsc_x", "client_secret": "tss_new"})
    assert at_the_stub.ok("credential", "claim", stub.url + CLAIM, "-q") == "tss_new\n"
    assert at_the_stub.ok("credential", "claim", stub.url + CLAIM, "-q", "--secret-file", "s") == "tsc_x\n"
    assert (at_the_stub.home / "s").read_text() == "tss_new\n"
    _, _, headers, body = stub.asked[0]
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"tsc_x:tss_hidden"
    assert body == b""


def test_where_no_address_is_said_the_server_is_asked_at_the_usual_one(at_the_stub, stub):
    stub.answer("POST", "/oauth/rotation/claim", {"client_id": "tsc_x", "client_secret": "tss_new"})
    assert at_the_stub.ok("credential", "claim", "-q") == "tss_new\n"
    stub.answer("POST", "/oauth/rotation/claim", {"error": "not_found", "error_description": "None waits."}, 404)
    assert at_the_stub.refused(4, "credential", "claim") == "None waits.\n"


ELSEWHERE = [
    "https://evil.example.com/claim",
    "http://127.0.0.1:1/claim",
    "claim",
    "http://x@127.0.0.1/",
    "http://[::1",
    "",
]


@pytest.mark.parametrize("url", ELSEWHERE)
def test_the_old_secret_goes_to_no_other_server(at_the_stub, stub, url):
    assert "claim URL" in at_the_stub.refused(2, "credential", "claim", url)
    assert stub.asked == []


def test_a_claim_that_is_refused_leaves_nothing_behind(at_the_stub, stub):
    stub.answer("POST", CLAIM, {"title": "It was used already.", "code": "conflict"}, 409)
    told = at_the_stub.refused(5, "credential", "claim", stub.url + CLAIM, "--secret-file", "s")
    assert "used already" in told
    stub.answer("POST", CLAIM, {"client_id": "tsc_x"})
    assert "no secret" in at_the_stub.refused(6, "credential", "claim", stub.url + CLAIM, "--secret-file", "s")
    assert list(at_the_stub.home.iterdir()) == []


# --- usage ----------------------------------------------------------------------------------------------------------


def told(world, client_id, **members):
    use = {"client_id": client_id, "route": "GET /reports/{id}", "status": 200, "address": "192.0.2.17", "count": 5}
    use |= {"first_ago_ms": 4000, "last_ago_ms": 1000, **members}
    report = {"instance": "api-1", "process": client_id[4:20], "batch": 1, "audience": AUDIENCE, "interval_ms": 5000}
    world.manage("POST", "/v1/usage-reports", {**report, "uses": [use, {**use, "status": 403, "count": 2}]})


def test_usage_shows_by_api_route_status_and_address_what_was_done(terminal, world):
    client_id = world.credential()["client_id"]
    told(world, client_id)
    shown = terminal.ok("credential", "usage", client_id)
    head, *tables = shown.split("\n\n")
    assert head.startswith(f"client id      {client_id}")
    assert "unused roles" in head
    rows = [[line.split()[:2] for line in table.splitlines()] for table in tables]
    assert rows == [
        [["API", "COUNT"], [AUDIENCE, "5"]],
        [["ROUTE", "COUNT"], ["GET", "/reports/{id}"]],
        [["STATUS", "COUNT"], ["200", "5"], ["403", "2"]],
        [["ADDRESS", "COUNT"], ["192.0.2.17", "5"]],
    ]


def test_usage_is_for_scripts_what_the_server_says(terminal, world):
    client_id = world.credential()["client_id"]
    told(world, client_id)
    said = world.manage("GET", f"/v1/credentials/{client_id}/usage")
    found = terminal.json("credential", "usage", client_id)
    assert {**found, "since": said["since"]} == said
    assert terminal.ok("credential", "usage", client_id, "-q") == f"{client_id}\n"


def test_where_nothing_was_done_there_is_no_table(terminal, world):
    shown = terminal.ok("credential", "usage", world.credential()["client_id"])
    assert "\n\n" not in shown
    assert "never" in shown


@pytest.mark.parametrize("client_id", ["tsc_nobody", "../roles", "", "tsc_x/usage?"])
def test_usage_of_nobody_is_refused(terminal, client_id):
    assert "no" in terminal.refused(4, "credential", "usage", client_id)


def test_what_a_caller_was_told_to_call_steers_no_terminal(at_the_stub, stub):
    stub.answer(
        "GET", "/v1/credentials/tsc_x/usage", {"client_id": "tsc_x", "routes": [{"route": "\x1b[2J", "count": 1}]}
    )
    assert "\x1b" not in at_the_stub.ok("credential", "usage", "tsc_x")
    assert json.loads(at_the_stub.ok("credential", "usage", "tsc_x", "--output", "json"))["routes"][0]["count"] == 1

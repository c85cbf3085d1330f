"""Does `api instances` show who has applied a change, of the API and of the change that are meant? Are APIs and roles
shared and taken back by command, and left alone where another organization shares them?
"""

from __future__ import annotations

import pytest

from tests.support.world import AUDIENCE

OURS = "https://instances.example.com"


@pytest.fixture
def api_id(world):
    made = world.manage("POST", "/v1/apis", {"audience": OURS, "name": "Ours"})["id"]
    yield made
    world.admin("DELETE", f"/v1/apis/{made}")


@pytest.fixture
def seq(world, api_id):
    """The number of a change of which two processes have told, and one of them that it has applied it."""
    changed = world.manage("POST", f"/v1/credentials/{world.credential()['client_id']}/disable")["feed_seq"]
    for name, number in (("ahead", changed), ("behind", changed - 1)):
        report = {"instance": f"api-{name}", "process": f"process-{name}", "batch": 1, "audience": OURS}
        applied = [{"seq": number, "ago_ms": 0}]
        world.manage("POST", "/v1/usage-reports", {**report, "interval_ms": 60_000, "applied": applied})
    return changed


def test_instances_shows_who_has_applied_a_change(terminal, seq):
    shown = terminal.ok("api", "instances", OURS, "--seq", str(seq))
    head, table = shown.split("\n\n")
    assert f"1 of 2 have applied change {seq}." in head
    heading, ahead, behind = table.splitlines()
    assert heading.split()[:3] == ["INSTANCE", "PROCESS", "APPLIED"]
    assert ahead.split()[:3] == ["api-ahead", "process-ahead", "yes"]
    assert behind.split()[:3] == ["api-behind", "process-behind", "no"]


def test_instances_is_for_scripts_what_the_server_says_by_id_or_audience(terminal, api_id, seq):
    for one in (api_id, OURS):
        found = terminal.json("api", "instances", one, "--seq", str(seq - 1))
        assert (found["seq"], found["applied"], found["total"]) == (seq - 1, 2, 2)
    assert terminal.json("api", "instances", OURS)["seq"] >= seq, "the last one, where none is said"
    assert terminal.ok("api", "instances", OURS, "-q") == "process-ahead\nprocess-behind\n"


def test_of_an_api_that_does_not_report_there_is_no_table(terminal, api_id):
    shown = terminal.ok("api", "instances", api_id)
    assert "No resource server of this API reports." in shown
    assert "\n\n" not in shown


REFUSED = {
    "no number": (2, (AUDIENCE, "--seq", "x"), "--seq"),
    "a number below zero": (2, (AUDIENCE, "--seq", "-1"), "--seq"),
    "a change that was not yet": (4, (AUDIENCE, "--seq", "100000"), "no change with this number"),
    "no API": (4, ("https://nowhere.example.com",), "There is no api"),
    "a path": (4, ("../roles",), "There is no api"),
}


@pytest.mark.parametrize(("code", "typed", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_shown_is_said(terminal, code, typed, told):
    assert told in terminal.refused(code, "api", "instances", *typed)


SHARED = "https://shared.example.com"


def test_what_is_shared_by_command_is_used_elsewhere_changed_only_at_home_and_taken_back(terminal):
    scopes = ("--scope", "orders:read=read", "--scope", "orders:write=write")
    made = terminal.json("api", "create", "--audience", SHARED, "--name", "Shared", *scopes, "--shared")
    assert (made["shared"], made["own"]) == (True, True)
    assert terminal.json("role", "create", "--name", "shared_one")["shared"] is False
    assert terminal.json("role", "update", "shared_one", "--shared")["shared"] is True

    acme = terminal.json("organization", "create", "--name", "Acme that is shared with")["id"]
    there = ("--organization", acme)
    heading, *lines = terminal.ok("api", "list", "--all", *there).splitlines()
    assert heading.split()[:5] == ["ID", "AUDIENCE", "NAME", "SHARED", "OWN"]
    assert [line.split()[2:5] for line in lines if SHARED in line] == [["Shared", "yes", "no"]]
    assert "Another organization shares this" in terminal.refused(5, "api", "update", SHARED, "--name", "x", *there)
    assert "Another organization shares this" in terminal.refused(5, "role", "delete", "shared_one", "-y", *there)
    theirs = terminal.json(
        *("credential", "create", "--name", "theirs", "--role", "shared_one", *there),
        *("--grant", f"{SHARED}=orders:read,orders:write"),
    )

    assert theirs["client_id"] in terminal.ok("api", "preview", SHARED, "--scope", "orders:read=read")
    less = ("api", "update", SHARED, "--scope", "orders:read=read")
    assert theirs["client_id"] in terminal.refused(5, *less)
    assert "--yes" in terminal.refused(2, *less, "--cascade")
    terminal.ok(*less, "--cascade", "--yes")
    shown = terminal.json("credential", "show", theirs["client_id"], *there)
    assert (shown["grants"][0]["scopes"], shown["generation"]) == (["orders:read"], 2)

    copy = ("api", "create", "--audience", SHARED, "--name", "Copy", *there)
    assert theirs["client_id"] in terminal.refused(5, *copy)
    assert "--yes" in terminal.refused(2, *copy, "--cascade")
    terminal.ok(*copy, "--cascade", "--yes")
    terminal.ok("api", "delete", SHARED, "--yes", *there)
    update = ("credential", "update", theirs["client_id"], "--grant", f"{SHARED}=orders:read")
    assert terminal.json(*update, *there)["generation"] == 3

    for kind, name in (("api", SHARED), ("role", "shared_one")):
        assert theirs["client_id"] in terminal.refused(5, kind, "update", name, "--no-shared")
        assert terminal.json(kind, "update", name, "--no-shared", "--cascade", "--yes")["shared"] is False
    shown = terminal.json("credential", "show", theirs["client_id"], *there)
    assert (shown["roles"], shown["grants"]) == ([], [])
    assert SHARED not in terminal.ok("api", "list", "--all", *there)

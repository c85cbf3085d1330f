"""Are many credentials changed as they were shown, all or none, and is no secret of them lost?"""

from __future__ import annotations

import json
import stat

import pytest

from tests.support.world import AUDIENCE


@pytest.fixture
def three(terminal, request):
    label = f"label-{abs(hash(request.node.name)) % 10**8}"
    grant = ("--grant", f"{AUDIENCE}=all_read", "--environment", label)
    made = [terminal.json("credential", "create", "--name", f"{label} {n}", *grant)["client_id"] for n in range(3)]
    return label, sorted(made)


def statuses(terminal, label):
    return {one["status"] for one in terminal.json("credential", "list", "--environment", label)["items"]}


def test_a_dry_run_shows_and_changes_nothing(terminal, three):
    label, client_ids = three
    shown = terminal.ok("credential", "bulk", "revoke", "--environment", label, "--dry-run", "-q")
    assert shown.split() == client_ids
    assert statuses(terminal, label) == {"active"}


def test_those_that_are_selected_end_once_that_is_confirmed(terminal, three):
    label, client_ids = three
    done = terminal.run("credential", "bulk", "disable", "--environment", label)
    assert (done.returncode, "--yes" in done.stderr) == (2, True)
    assert statuses(terminal, label) == {"active"}
    told = terminal.json("credential", "bulk", "disable", "--environment", label, "--yes")
    assert (told["count"], [one["client_id"] for one in told["credentials"]]) == (3, client_ids)
    assert statuses(terminal, label) == {"disabled"}


def test_those_that_are_named_end_and_no_others(terminal, three):
    _, client_ids = three
    terminal.ok("credential", "bulk", "revoke", *client_ids[:2], "--yes", "--reason", "gone")
    assert terminal.json("credential", "show", client_ids[0])["revoked_reason"] == "gone"
    assert terminal.json("credential", "show", client_ids[2])["status"] == "active"


def test_new_secrets_are_in_one_file_and_work(terminal, world, three):
    label, client_ids = three
    typed = ("credential", "bulk", "rotate", "--environment", label, "--grace", "1h", "--secret-file", "secrets")
    assert "tss_" not in terminal.ok(*typed)
    file = terminal.home / "secrets"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secrets = json.loads(file.read_text())
    assert sorted(secrets) == client_ids
    assert {world.ask(client_id, secret).status_code for client_id, secret in secrets.items()} == {200}
    told = terminal.run(*typed, "--overwrite")
    assert (told.returncode, "done to none" in told.stderr) == (5, True)
    assert json.loads(file.read_text()) == secrets


WRONG = {
    "neither named nor selected": ("disable", "one of the two"),
    "both named and selected": ("disable tsc_1 --project x", "one of the two"),
    "a reason of a rotation": ("rotate tsc_1 --reason x", "--reason is of revoke"),
    "a grace period of a revocation": ("revoke tsc_1 --grace 1h", "--grace of rotate"),
    "another action": ("delete tsc_1", "is not one of"),
}


@pytest.mark.parametrize(("typed", "told"), WRONG.values(), ids=WRONG.keys())
def test_what_is_mistyped_is_told_before_the_server_is_asked(at_the_stub, stub, typed, told):
    assert told in at_the_stub.refused(2, "credential", "bulk", *typed.split())
    assert stub.asked == []


def test_what_is_done_is_what_was_shown(at_the_stub, stub):
    """One that matches by then, and did not before, is not touched."""
    outcome = {"client_id": "tsc_1", "changes": True, "refusal": None, "client_secret": None}
    stub.answer("POST", "/v1/bulk/credentials", {"action": "disable", "count": 1, "credentials": [outcome]})
    at_the_stub.ok("credential", "bulk", "disable", "--status", "active,disabled", "--yes")
    assert stub.bodies("POST", "/v1/bulk/credentials") == [
        {"action": "disable", "filter": {"status": ["active", "disabled"]}, "dry_run": True},
        {"action": "disable", "client_ids": ["tsc_1"]},
    ]
    stub.answer("POST", "/v1/bulk/credentials", {"action": "disable", "count": 0, "credentials": []})
    assert "select no credential" in at_the_stub.refused(2, "credential", "bulk", "disable", "--role", "x", "--yes")

"""Promise 7: the audit log cannot be edited unseen. It is hash-chained, checkpointed with signatures, and verified
offline."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.shell import in_this_process
from tests.support.world import ROOT, World, a_world

_VERIFY = ("audit", "verify", "audit.jsonl", "--jwks", "jwks.json")


class Elsewhere:
    """A folder without a server, a database or a setting: only what was carried there."""

    def __init__(self, home: Path, record: str, jwks: str) -> None:
        home.mkdir()
        self.home = home
        (home / "jwks.json").write_text(jwks)
        self.carry(record)

    def carry(self, record: str) -> None:
        (self.home / "audit.jsonl").write_text(record)

    def verify(self, *options: str) -> tuple[int, str]:
        with contextlib.chdir(self.home):
            done = in_this_process((*_VERIFY, *options), {})
        return done.returncode, done.stdout + done.stderr

    def verify_as_a_process(self) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "app", *_VERIFY],
            cwd=self.home,
            env={"PYTHONPATH": str(ROOT), "PATH": ""},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def busy(tmp_path_factory) -> Any:
    """A server with a history: changes, tokens, refusals, a restart between two checkpoints."""
    with a_world(tmp_path_factory.mktemp("busy")) as world:
        node = world.start()
        world.catalogue()
        made = world.credential()
        for _ in range(5):
            world.token(made["client_id"], made["client_secret"])
        world.ask(made["client_id"], "tss_" + "0" * 46)
        world.shell("audit", "checkpoint")
        node.stop()
        world.start()
        world.manage("POST", f"/v1/credentials/{made['client_id']}/disable")
        world.manage("POST", f"/v1/credentials/{made['client_id']}/enable")
        world.token(made["client_id"], made["client_secret"])
        world.shell("audit", "checkpoint")
        world.manage("POST", f"/v1/credentials/{made['client_id']}/revoke", {"reason": "the journey ends"})
        yield world, made


def rows(world: World, *statements: str) -> None:
    """What somebody does who can write to the database, and restores nothing."""
    with sqlite3.connect(world.home / "tokenserver.db", isolation_level=None, timeout=20) as database:
        for statement in statements:
            database.execute(statement)


def test_what_happened_is_found_by_whoever_may_read_it(busy):
    world, made = busy
    path = f"/v1/audit-events?credential={made['client_id']}"
    found = world.manage("GET", f"{path}&action=credential:*")["items"]
    assert [event["action"] for event in found] == [
        "credential:revoked",
        "credential:enabled",
        "credential:disabled",
        "credential:created",
    ]
    assert found[0]["detail"]["changed"]["status"] == ["active", "revoked"]
    assert len(world.manage("GET", f"{path}&action=token:issued")["items"]) == 6
    assert len(world.manage("GET", f"{path}&outcome=refused&address=127.0.0.0/8")["items"]) == 1
    assert world.admin("GET", "/v1/audit-events?action=credential:exploded").status_code == 400


@pytest.mark.slow
def test_a_long_export_comes_in_pieces_as_json_lines_and_as_csv(busy):
    world, made = busy
    with ThreadPoolExecutor(4) as apps:
        other = world.credential()
        list(apps.map(lambda _: world.token(other["client_id"], other["client_secret"]), range(1000)))
    with requests.get(
        f"{world.issuer}/v1/audit-events/export?action=token:issued",
        headers={"Authorization": f"Bearer {world._admin_token}"},
        stream=True,
        timeout=20,
    ) as answer:
        assert answer.headers["Content-Type"] == "application/x-ndjson"
        assert "Content-Length" not in answer.headers, "nobody has counted it before it went out"
        events = [json.loads(line) for line in answer.iter_lines()]
    assert len(events) >= 1006
    answer = world.admin("GET", f"/v1/audit-events/export?format=csv&credential={made['client_id']}")
    table = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert table[0]["action"] == "credential:created"
    assert all(row["credential"] == made["client_id"] for row in table)


@pytest.fixture(scope="module")
def carried(busy, tmp_path_factory) -> tuple[Elsewhere, list[str]]:
    """The export and its keys, in a folder of their own."""
    world, _ = busy
    record = world.shell("audit", "export").stdout
    elsewhere = Elsewhere(tmp_path_factory.mktemp("carried") / "there", record, world.shell("audit", "jwks").stdout)
    return elsewhere, record.splitlines()


def first(lines: list[str], text: str) -> int:
    return next(place for place, line in enumerate(lines) if text in line)


def edited(lines: list[str]) -> list[str]:
    place = first(lines, "credential:disabled")
    return [*lines[:place], lines[place].replace('"success"', '"refused"'), *lines[place + 1 :]]


def removed(lines: list[str]) -> list[str]:
    place = first(lines, "token:refused")
    return lines[:place] + lines[place + 1 :]


def reordered(lines: list[str]) -> list[str]:
    place = first(lines, "role:created")
    return [*lines[:place], lines[place + 1], lines[place], *lines[place + 2 :]]


def inserted(lines: list[str]) -> list[str]:
    place = first(lines, "role:created")
    return [*lines[:place], lines[place], *lines[place:]]


def without_a_checkpoint(lines: list[str]) -> list[str]:
    place = first(lines, '{"checkpoint"')
    return lines[:place] + lines[place + 1 :]


def without_a_chain(lines: list[str]) -> list[str]:
    return [line for line in lines if '"chain":"issued-' not in line]


FORGERIES = (edited, removed, reordered, inserted, without_a_checkpoint, without_a_chain)


def test_an_export_is_verified_where_there_is_no_server(carried):
    elsewhere, lines = carried
    elsewhere.carry("\n".join(lines) + "\n")
    assert elsewhere.verify_as_a_process() == (0, "The audit log is whole.\n")


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_a_forged_export_is_found_out_and_its_first_bad_line_named(carried, forge):
    elsewhere, lines = carried
    elsewhere.carry("\n".join(forge(lines)) + "\n")
    code, told = elsewhere.verify()
    assert code == 1
    assert told.startswith("line ")


def test_an_export_that_was_cut_off_is_found_by_the_checkpoint_that_was_put_aside(busy, carried):
    world, _ = busy
    elsewhere, lines = carried
    (elsewhere.home / "kept").write_text(world.shell("audit", "checkpoints").stdout)
    cut = first(lines, "credential:disabled")
    elsewhere.carry("\n".join(lines[:cut]) + "\n")
    assert elsewhere.verify()[0] == 0
    assert "cut off" in elsewhere.verify("--kept", "kept")[1]


LAST = "(SELECT max(seq) FROM audit_event WHERE chain = 'changes')"
DEEDS = {
    "a line is edited": ["UPDATE audit_event SET line = replace(line, '\"shell\"', '\"nobody\"') WHERE seq = 2"],
    "a line is removed": ["DELETE FROM audit_event WHERE chain = 'changes' AND seq = 3"],
    "two lines change places": [
        "UPDATE audit_event SET seq = seq + 100000 WHERE chain = 'changes' AND seq IN (2, 3)",
        "UPDATE audit_event SET seq = 100005 - seq WHERE chain = 'changes' AND seq > 100000",
    ],
    "a line is inserted": [
        f"""INSERT INTO audit_event SELECT chain, seq + 1, organization_id, at, line, hash FROM audit_event
            WHERE chain = 'changes' AND seq = {LAST}"""
    ],
    "the last line is cut off, and the head with it": [
        f"DELETE FROM audit_event WHERE chain LIKE 'issued%' OR chain = 'changes' AND seq = {LAST}",
        "DELETE FROM audit_chain WHERE chain LIKE 'issued%'",
    ],
    "a line is hidden from its organization": ["UPDATE audit_event SET organization_id = 'org_x' WHERE seq = 2"],
}


@pytest.fixture(scope="module")
def quiet(tmp_path_factory) -> Any:
    """A running server that nobody asks for anything any more."""
    with a_world(tmp_path_factory.mktemp("quiet")) as world:
        world.start()
        world.catalogue()
        made = world.credential()
        world.token(made["client_id"], made["client_secret"])
        world.shell("audit", "checkpoint")
        yield world


KEPT = ("audit_event", "audit_chain")


@pytest.fixture
def edited_and_put_right(quiet) -> Any:
    """The same server; what a test does to its log is undone after it."""
    rows(quiet, *(f"CREATE TABLE kept_{name} AS SELECT * FROM {name}" for name in KEPT))
    yield quiet
    for name in KEPT:
        rows(quiet, f"DELETE FROM {name}", f"INSERT INTO {name} SELECT * FROM kept_{name}", f"DROP TABLE kept_{name}")
    assert "whole" in quiet.shell("audit", "verify").stdout


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS.keys())
def test_whoever_edits_the_database_of_a_running_server_is_found_out(edited_and_put_right, deed):
    world = edited_and_put_right
    assert "whole" in world.shell("audit", "verify").stdout
    rows(world, *deed)
    done = world.shell("audit", "verify", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("line ")

"""Rotation on schedule: the app claims its new secret itself, and is never cut off; over real HTTP, with real clocks.

Intervals are days, so that a journey makes a credential due by moving its moment in the database.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any

import pytest
import requests

from tests.support.receivers import Receiver, a_receiver
from tests.support.world import AUDIENCE, World, a_world, eventually
from tokenserver.client import TokenSource

ON_LOOPBACK = {"webhook_allowed_networks": "127.0.0.0/8", "webhook_plain_http": "true"}
CLAIM = "/oauth/rotation/claim"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with a_receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def world(tmp_path_factory, receiver) -> Iterator[World]:
    """An installation whose webhook hears of rotations."""
    with a_world(tmp_path_factory.mktemp("world"), **ON_LOOPBACK) as world:
        world.start()
        world.catalogue()
        types = [f"credential.rotation_{what}" for what in ("due", "unclaimed", "failed")]
        world.manage("POST", "/v1/webhooks", {"url": receiver.url, "events": types})
        yield world


@pytest.fixture(scope="module")
def api(world) -> str:
    return str(world.start_api())


def scheduled(world: World, **schedule: Any) -> dict[str, Any]:
    chosen = {"interval_days": 1, "grace_seconds": 3, **schedule}
    return world.credential(
        grants=[{"audience": AUDIENCE, "access": "custom", "scopes": ["reports:read"]}], rotation_schedule=chosen
    )


def make_due(world: World, made: dict[str, Any]) -> None:
    with closing(sqlite3.connect(world.home / "tokenserver.db", timeout=20)) as connection, connection:
        connection.execute("UPDATE credential SET rotate_at = 1 WHERE client_id = ?", (made["client_id"],))


def told(receiver: Receiver, made: dict[str, Any], type_: str) -> list[dict[str, Any]]:
    """What the webhook was told of it under this type, each event once."""
    found = {}
    for one in list(receiver.received):
        event = json.loads(one.body)
        if event["type"] == type_ and event["data"].get("client_id") == made["client_id"]:
            found[one.headers["webhook-id"]] = event["data"]
    return list(found.values())


def first_told(receiver: Receiver, made: dict[str, Any], type_: str) -> dict[str, Any]:
    """The event, as soon as it has come."""
    found: list[dict[str, Any]] = eventually(lambda: told(receiver, made, type_), type_, seconds=90)
    return found[0]


def waits(world: World, made: dict[str, Any]) -> bool:
    return any(secret["state"] == "waiting" for secret in shown(world, made)["secrets"])


def claim(world: World, client_id: str, secret: str, url: str | None = None) -> requests.Response:
    return requests.post(url or world.issuer + CLAIM, auth=(client_id, secret), timeout=20)


def shown(world: World, made: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = world.manage("GET", f"/v1/credentials/{made['client_id']}")
    return found


def test_the_app_is_told_claims_and_moves_over_and_the_old_secret_ends_one_grace_period_after(world, receiver, api):
    made = scheduled(world)
    own, old = made["client_id"], made["client_secret"]
    assert made["rotation_schedule"]["next_at"] > made["created_at"]
    assert "rotation" not in world.ask(own, old).json()
    make_due(world, made)
    event = first_told(receiver, made, "credential.rotation_due")
    assert old not in json.dumps(event)
    assert world.ask(own, old).json()["rotation"] == "waiting"
    assert {secret["state"] for secret in shown(world, made)["secrets"]} == {"current", "waiting"}

    first, again = (claim(world, own, old, event["claim_url"]).json() for _ in range(2))
    new = first["client_secret"]
    assert again["client_secret"] == new != old
    assert shown(world, made)["rotation"]["grace_expires_at"] is None
    for secret in (old, new):
        assert world.call(api, world.token(own, secret)) == 200

    eventually(lambda: shown(world, made)["rotation"]["grace_expires_at"], "the grace period has begun")
    assert claim(world, own, old).status_code == 404
    eventually(lambda: world.ask(own, old).status_code == 401, "the old secret has ended")
    assert world.call(api, world.token(own, new)) == 200
    lines = [line["event"] for line in world.audit_lines() if line["credential"] == own]
    assert [line for line in lines if line.startswith("rotation:")] == [
        "rotation:prepared",
        "rotation:claimed",
        "rotation:claimed",
        "rotation:completed",
    ]


@pytest.mark.slow
def test_an_app_that_never_claims_is_reminded_of_and_goes_on_with_its_old_secret(world, receiver, api):
    made = scheduled(world, grace_seconds=2)
    own, old = made["client_id"], made["client_secret"]
    token = world.token(own, old)
    make_due(world, made)
    failed = first_told(receiver, made, "credential.rotation_failed")
    assert failed["reason"] == "unclaimed"
    eventually(lambda: len(told(receiver, made, "credential.rotation_unclaimed")) == 2, "both reminders have come")
    assert {event["extended"] for event in told(receiver, made, "credential.rotation_unclaimed")} == {False, True}
    assert len(told(receiver, made, "credential.rotation_due")) == 1
    assert world.call(api, token) == 200
    assert world.call(api, world.token(own, old)) == 200
    assert claim(world, own, old).json()["error"] == "no_rotation"


@pytest.mark.slow
def test_a_server_that_is_killed_and_down_over_the_end_has_cut_nobody_off(tmp_path):
    with a_world(tmp_path) as world:
        node = world.start()
        world.catalogue()
        waiting, claimed = scheduled(world, grace_seconds=1), scheduled(world, grace_seconds=1)
        for made in (waiting, claimed):
            make_due(world, made)
            eventually(partial(waits, world, made), "the new secret waits")
        new = claim(world, claimed["client_id"], claimed["client_secret"]).json()["client_secret"]
        node.kill()
        world.start()
        holders = [(waiting, waiting["client_secret"]), (claimed, claimed["client_secret"]), (claimed, new)]
        for made, secret in holders:
            assert world.ask(made["client_id"], secret).status_code == 200


@pytest.mark.parametrize("secret", ["tss_wrong", ""])
def test_a_stranger_who_claims_gets_what_the_token_endpoint_says(world, secret):
    made = scheduled(world)
    answer, known = claim(world, made["client_id"], secret), world.ask(made["client_id"], secret)
    assert (answer.status_code, answer.json()) == (known.status_code, known.json())
    assert answer.status_code == 401


BAD = {
    "an interval of zero": {"interval_days": 0},
    "a negative interval": {"interval_days": -90},
    "an interval of over ten years": {"interval_days": 3651},
    "half a day": {"interval_days": 0.5},
    "a text": {"interval_days": "90"},
    "no grace": {"grace_seconds": 0},
    "a negative grace": {"grace_seconds": -1},
    "a grace of over thirty days": {"interval_days": 90, "grace_seconds": 2592001},
    "a grace as long as the interval": {"interval_days": 1, "grace_seconds": 86400},
    "another policy": {"on_unclaimed": "explode"},
    "a member that is not known": {"next_at": "2030-01-01T00:00:00Z"},
}


@pytest.mark.parametrize("schedule", BAD.values(), ids=BAD.keys())
def test_a_schedule_that_makes_no_sense_is_refused_with_its_place_and_nothing_is_made(world, schedule):
    body = {
        "name": f"never made {schedule}"[:90],
        "rotation_schedule": {"interval_days": 2, "grace_seconds": 60, **schedule},
    }
    answer = world.admin("POST", "/v1/credentials", body)
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert fault["pointer"].startswith("/rotation_schedule")
    assert "explode" not in answer.text


def test_a_schedule_is_set_changed_and_dropped_by_patch_and_no_token_ends(world, api):
    made = world.credential()
    token = world.token(made["client_id"], made["client_secret"])
    assert made["rotation_schedule"] is None
    first = world.patch(made["client_id"], rotation_schedule={"interval_days": 90})["rotation_schedule"]
    assert (first["grace_seconds"], first["on_unclaimed"]) == (1209600, "extend")
    second = world.patch(
        made["client_id"],
        rotation_schedule={"interval_days": 30, "grace_seconds": 60, "on_unclaimed": "withdraw"},
    )["rotation_schedule"]
    assert second["next_at"] < first["next_at"]
    assert world.patch(made["client_id"], rotation_schedule=None)["rotation_schedule"] is None
    assert world.call(api, token) == 200
    lines = [line for line in world.audit_lines() if line["credential"] == made["client_id"]]
    assert [line["event"] for line in lines].count("schedule:changed") == 3


def test_an_app_with_a_token_source_moves_over_by_itself_and_starts_with_the_new_secret(world, receiver, api, tmp_path):
    made = scheduled(world)
    own, file = made["client_id"], tmp_path / "secret"
    file.write_text(made["client_secret"])
    source = TokenSource(
        issuer=world.issuer,
        client_id=own,
        client_secret=file,
        resource=AUDIENCE,
        claim_rotation=True,
        new_secret_to=file,
    )
    assert world.call(api, source.token()) == 200
    make_due(world, made)
    first_told(receiver, made, "credential.rotation_due")

    def renewed() -> str:
        token: str = source.token()
        assert world.call(api, token) == 200
        source.rejected(token)  # so that the next call renews
        return file.read_text()

    eventually(lambda: renewed() != made["client_secret"], "the new secret is in the file")
    assert file.stat().st_mode & 0o777 == 0o600
    at_the_next_start = TokenSource(issuer=world.issuer, client_id=own, client_secret=file, resource=AUDIENCE)
    assert world.call(api, at_the_next_start.token()) == 200
    eventually(lambda: world.ask(own, made["client_secret"]).status_code == 401, "the old secret has ended")
    assert world.call(api, at_the_next_start.token()) == 200

"""Nodes killed in the middle of a hundred rotations, or doing them side by side: each is done once, or not yet."""

from __future__ import annotations

import json
import secrets
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from app.services.credentials import NewSecret
from app.services.terms import Draft
from tests.support.postgres import a_database
from tests.support.receivers import Receiver, a_receiver
from tests.support.rotations import SCHEDULE
from tests.support.workshop import a_workshop
from tests.support.world import World, a_world, eventually, free_port
from tokenserver.domain.restrictions import Restrictions

MANY = 100
ON_LOOPBACK = {"webhook_allowed_networks": "127.0.0.0/8", "webhook_plain_http": "true"}


def many(world: World, url: str, **keys: str | None) -> list[NewSecret]:
    """So many credentials, each with a schedule, made beside the server."""
    with a_workshop(url, world.home, **{"issuer": world.issuer, "pepper": None, "kek": None, **keys}) as workshop:
        workshop.clock.now = time.time()
        workshop.caller = workshop.services.installation.prepare()
        drafts = [Draft(f"credential {place}", "", Restrictions(), schedule=SCHEDULE) for place in range(MANY)]
        return [workshop.services.credentials.create(workshop.caller, draft) for draft in drafts]


class Database:
    def __init__(self, url: str) -> None:
        self._engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))

    def ask(self, statement: str) -> list[Any]:
        with self._engine.begin() as connection:
            found = connection.execute(text(statement))
            return list(found) if found.returns_rows else []

    def make_all_due(self) -> None:
        self.ask("UPDATE credential SET rotate_at = 1 WHERE rotation_schedule IS NOT NULL")

    def has(self, least: int) -> bool:
        return self.under_way() >= least

    def under_way(self) -> int:
        return int(self.ask("SELECT count(*) FROM rotation")[0][0])

    def close(self) -> None:
        self._engine.dispose()


@contextmanager
def the_database(url: str) -> Iterator[Database]:
    with closing(Database(url)) as database:
        yield database


def told(receiver: Receiver) -> list[str]:
    """Of which credentials a rotation was told, each event once."""
    events = {one.headers["webhook-id"]: json.loads(one.body) for one in list(receiver.received)}
    return [event["data"]["client_id"] for event in events.values()]


def listen(world: World, receiver: Receiver) -> None:
    world.manage("POST", "/v1/webhooks", {"url": receiver.url, "events": ["credential.rotation_due"]})


def is_done_once(world: World, database: Database, receiver: Receiver, made: list[NewSecret]) -> None:
    """Each has one new secret, one row, one event and one line; every old secret works."""
    ids = {one.view.credential.client_id for one in made}
    eventually(lambda: len(told(receiver)) >= len(ids), "all are told", seconds=120)
    assert Counter(told(receiver)) == Counter(ids)
    prepared = [line["credential"] for line in world.audit_lines() if line["event"] == "rotation:prepared"]
    assert Counter(prepared) == Counter(ids)
    waiting = [
        client_id for (client_id,) in database.ask("SELECT client_id FROM credential_secret WHERE state = 'waiting'")
    ]
    assert Counter(waiting) == Counter(ids)
    assert "whole" in world.shell("audit", "verify").stdout
    for one in made[:: MANY // 10]:
        answer = world.ask(one.view.credential.client_id, one.secret.reveal())
        assert answer.json()["error"] == "invalid_target", "it was proven; it has no grant"


@pytest.mark.slow
def test_kill_9_in_the_middle_of_rotations_does_none_twice_and_leaves_none_half_done(tmp_path):
    with a_world(tmp_path, **ON_LOOPBACK) as world, a_receiver() as receiver:
        url = f"sqlite:///{world.home / 'tokenserver.db'}"
        node = world.start()
        listen(world, receiver)
        made = many(world, url)
        with the_database(url) as database:
            database.make_all_due()
            for share in (1, MANY // 2):
                eventually(partial(database.has, share), "rotations are under way")
                node.kill()
                node = world.start()
            eventually(lambda: database.under_way() == MANY, "all are under way")
            is_done_once(world, database, receiver, made)


@pytest.mark.slow
@pytest.mark.postgres
def test_two_nodes_over_one_postgresql_do_each_rotation_once_and_one_goes_on_where_the_other_was_killed(tmp_path):
    key = b64encode(secrets.token_bytes(32)).decode()
    settings = {"pepper": key, "kek": key, **ON_LOOPBACK}
    with a_database() as url, a_world(tmp_path, database_url=url, **settings) as world, a_receiver() as receiver:
        world.shell("migrate")
        world.start()
        listen(world, receiver)
        other = world.start(free_port())
        made = many(world, url, pepper=key, kek=key)
        with the_database(url) as database:
            database.make_all_due()
            eventually(lambda: database.under_way() > MANY // 4, "rotations are under way")
            other.kill()
            eventually(lambda: database.under_way() == MANY, "all are under way")
            is_done_once(world, database, receiver, made)

"""G10: restart, failover and the restore of a backup never bring an ended token or an old secret back unseen."""

from __future__ import annotations

import shutil
import sqlite3

import pytest

from tests.support.world import a_world, eventually


def back_up(world) -> None:
    with sqlite3.connect(world.home / "tokenserver.db") as live, sqlite3.connect(world.home / "backup.db") as copy:
        live.backup(copy)


def restore(world) -> None:
    for path in world.home.glob("tokenserver.db*"):
        path.unlink()
    shutil.copy(world.home / "backup.db", world.home / "tokenserver.db")


@pytest.mark.slow
def test_a_restored_database_is_not_served_until_an_operator_accepts_it(tmp_path):
    with a_world(tmp_path) as world:
        node = world.start()
        world.catalogue()
        made = world.credential()
        api = world.start_api()
        old = world.token(made["client_id"], made["client_secret"])
        assert world.call(api, old) == 200
        back_up(world)
        world.manage("POST", f"/v1/credentials/{made['client_id']}/regenerate")
        eventually(lambda: world.call(api, old) == 401, "the old token is refused")
        node.stop()
        restore(world)

        refused = world.process("serve")
        assert refused.returncode == 1
        assert "accept-restore" in refused.stderr

        world.shell("accept-restore")
        world.start()
        assert world.call(world.start_api(), old) == 401, "a resource server that starts now"
        assert world.call(api, old) == 401, "one that was there before"
        token = world.token(made["client_id"], made["client_secret"])
        eventually(lambda: world.call(api, token) == 200, "new tokens are accepted by both")
        assert "whole" in world.shell("audit", "verify").stdout


def test_a_node_whose_database_goes_back_under_it_stops_issuing(tmp_path):
    with a_world(tmp_path) as world:
        world.start()
        world.catalogue()
        made = world.credential()
        world.manage("POST", f"/v1/credentials/{made['client_id']}/regenerate")
        other = world.credential()
        assert world.ask(other["client_id"], other["client_secret"]).status_code == 200
        with sqlite3.connect(tmp_path / "tokenserver.db") as meddler:
            meddler.execute("UPDATE counter SET value = value - 1 WHERE name = 'feed'")
        assert world.ask(other["client_id"], other["client_secret"]).status_code == 503


@pytest.mark.slow
def test_a_new_database_in_the_same_place_is_not_taken_for_an_old_one(tmp_path):
    with a_world(tmp_path) as world:
        node = world.start()
        world.catalogue()
        made = world.credential()
        world.manage("POST", f"/v1/credentials/{made['client_id']}/regenerate")
        node.stop()
        for path in tmp_path.glob("tokenserver.db*"):
            path.unlink()
        world.start()

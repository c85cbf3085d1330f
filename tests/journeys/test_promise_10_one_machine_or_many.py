"""Promise 10: one machine or many, the same program: two nodes over one PostgreSQL."""

from __future__ import annotations

import secrets
from base64 import b64encode

import pytest

from tests.support.postgres import a_database
from tests.support.world import a_world, eventually, free_port


@pytest.mark.postgres
def test_what_one_node_ends_no_other_node_accepts(tmp_path):
    with a_database() as url:
        key = b64encode(secrets.token_bytes(32)).decode()
        with a_world(tmp_path, database_url=url, pepper=key, kek=key) as world:
            world.shell("migrate")
            world.start()
            other = f"http://127.0.0.1:{(port := free_port())}"
            world.start(port)
            world.catalogue()
            made = world.credential()
            api = world.start_api(wait=5.0)
            token = world.ask(made["client_id"], made["client_secret"], node=other).json()["access_token"]
            assert world.call(api, token) == 200
            for _ in range(5):
                fresh = world.manage("POST", f"/v1/credentials/{made['client_id']}/regenerate")
                assert world.ask(made["client_id"], made["client_secret"], node=other).status_code == 401
                assert world.ask(made["client_id"], fresh["client_secret"], node=other).status_code == 200
                made["client_secret"] = fresh["client_secret"]
            eventually(lambda: world.call(api, token) == 401, "the old token is refused")
            assert "whole" in world.shell("audit", "verify").stdout

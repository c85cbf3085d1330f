"""Promise 8, first half: kill -9 at any moment loses no change that was confirmed."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import requests

from tests.support.world import World, a_world, eventually


class Regenerating:
    """An administrator who regenerates one secret again and again, and remembers what was confirmed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.made = world.credential()
        self.secrets: list[str] = [self.made["client_secret"]]
        self.first_token = world.token(self.made["client_id"], self.made["client_secret"])
        self.confirmed = 1
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            while True:
                answer: Any = self._world.manage("POST", f"/v1/credentials/{self.made['client_id']}/regenerate")
                self.secrets.append(answer["client_secret"])
                self.confirmed = answer["generation"]
        except requests.RequestException:
            return

    def join(self) -> None:
        self._thread.join()


SLOW = pytest.mark.slow  # the same at other moments


@pytest.mark.parametrize("after", [pytest.param(3, marks=SLOW), 17, pytest.param(40, marks=SLOW)])
def test_kill_9_in_a_stream_of_regenerations_loses_nothing_that_was_confirmed(tmp_path, after):
    with a_world(tmp_path) as world:
        node = world.start()
        world.catalogue()
        stream = Regenerating(world)
        eventually(lambda: stream.confirmed > after, "regenerations are confirmed")
        node.kill()
        stream.join()

        world.start()

        client_id = stream.made["client_id"]
        found = world.manage("GET", f"/v1/credentials/{client_id}")
        assert found["generation"] in {stream.confirmed, stream.confirmed + 1}, "the last confirmed one, or the next"
        assert "whole" in world.shell("audit", "verify").stdout
        assert all(world.ask(client_id, secret).status_code == 401 for secret in stream.secrets[:-1])
        last_works = world.ask(client_id, stream.secrets[-1]).status_code == 200
        assert last_works == (found["generation"] == stream.confirmed)
        assert world.call(world.start_api(), stream.first_token) == 401

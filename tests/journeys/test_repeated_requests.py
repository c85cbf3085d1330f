"""A request that is sent until it is answered is done once, though the server is killed again and again."""

from __future__ import annotations

import threading
import time
import uuid

import pytest
import requests

from tests.support.world import a_world


@pytest.mark.slow
def test_what_is_repeated_after_a_crash_is_done_once(tmp_path):
    with a_world(tmp_path) as world:
        node = world.start()
        world.catalogue()
        for round_ in range(4):
            sent: list[tuple[str, str]] = []
            answered: list[str] = []

            def send(round_=round_, sent=sent, answered=answered):
                for number in range(10_000):
                    key, name = str(uuid.uuid4()), f"round {round_} number {number}"
                    sent.append((key, name))
                    try:
                        answer = world.admin("POST", "/v1/credentials", {"name": name}, **{"Idempotency-Key": key})
                    except requests.RequestException:
                        return
                    assert answer.status_code == 201, answer.text
                    answered.append(name)

            sender = threading.Thread(target=send)
            sender.start()
            time.sleep(0.3 + 0.1 * round_)
            node.kill()
            sender.join()
            node = world.start()
            key, name = sent[-1]
            again = world.admin("POST", "/v1/credentials", {"name": name}, **{"Idempotency-Key": key})
            assert again.status_code in {201, 409}, again.text
            assert again.status_code == 201 or again.json()["code"] == "idempotency_in_progress"
            names = [item["name"] for item in world.manage("GET", "/v1/credentials?limit=200")["items"]]
            assert names.count(name) == 1, "once: neither lost nor done twice"
            assert set(answered[-50:]) <= set(names)

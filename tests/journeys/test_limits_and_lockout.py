"""Limits over real HTTP: by default, among nodes that share a Redis, without it, and against who guesses."""

from __future__ import annotations

import http.client
import time
from base64 import b64encode

import pytest
import requests

from app.services.failures import FREE
from tests.support.redis import a_redis
from tests.support.world import a_world, eventually, free_port
from tokenserver.domain.secret import new_secret


def ask(world, client_id, secret, *, source, port=None):
    """The status of a token request from another address of this machine."""
    connection = http.client.HTTPConnection("127.0.0.1", port or world.port, timeout=20, source_address=(source, 0))
    authorization = "Basic " + b64encode(f"{client_id}:{secret}".encode()).decode()
    headers = {"Authorization": authorization, "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/oauth/token", "grant_type=client_credentials", headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers


def knock(node):
    """The status of a request that does nothing but count."""
    return requests.get(f"{node}/oauth/token", timeout=20)


@pytest.mark.slow
def test_by_default_the_501st_request_of_a_minute_is_told_to_wait(tmp_path):
    with a_world(tmp_path, rate_limits="") as world:  # the default
        world.start()
        with requests.Session() as session:
            while time.time() % 60 > 45:  # all of them in one minute
                time.sleep(0.5)
            answers = [session.get(f"{world.issuer}/oauth/token", timeout=20) for _ in range(501)]
        assert [answer.status_code for answer in answers] == [405] * 500 + [429]
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
        assert answers[0].headers["RateLimit-Policy"] == '"address";q=500;w=60'
        assert requests.get(f"{world.issuer}/oauth/generations", timeout=20).status_code == 200
        assert ask(world, "x", "y", source="127.0.0.9")[0] == 401, "another address is not held up"


@pytest.mark.slow
def test_nodes_count_together_and_go_on_alone_when_redis_vanishes(tmp_path):
    port = free_port()
    redis = a_redis(tmp_path, port)
    limits = {"rate_limits": "address=60/day", "redis_url": f"redis://127.0.0.1:{port}/0"}
    with a_world(tmp_path / "home", **limits) as world:
        world.start()
        other = free_port()
        world.start(other)
        nodes = [world.issuer, f"http://127.0.0.1:{other}"]
        for _ in range(40):
            assert knock(nodes[0]).status_code == 405
        admitted = 0
        while knock(nodes[1]).status_code == 405:
            admitted += 1
            time.sleep(0.05)
        assert admitted < 40, "it learned of the other's forty"
        assert eventually(lambda: knock(nodes[0]).status_code == 429, "the first node learned of the second's")

        redis.shutdown(nosave=True)
        slowest = 0.0
        for number in range(60):
            began = time.monotonic()
            status, _ = ask(world, "x", "y", source=f"127.0.1.{number % 3 + 1}", port=(world.port, other)[number % 2])
            slowest = max(slowest, time.monotonic() - began)
            assert status in {401, 429}
        assert slowest < 2, "nobody waits for a Redis that is gone"
        log = (world.home / f"server-{world.port}.log").read_text
        eventually(lambda: "each node counts for itself" in log(), "it was said")

        redis = a_redis(tmp_path, port)
        ask(world, "x", "y", source="127.0.0.8")
        eventually(lambda: "nodes count together again" in log(), "it came back by itself")
        redis.shutdown(nosave=True)


def test_who_guesses_waits_and_the_customer_does_not(tmp_path):
    with a_world(tmp_path, rate_limits="address=5000/minute") as world:
        world.start()
        world.catalogue()
        made = world.credential()
        client_id = made["client_id"]
        for _ in range(FREE):
            assert ask(world, client_id, new_secret().reveal(), source="127.0.0.66")[0] == 401
        status, headers = ask(world, client_id, made["client_secret"], source="127.0.0.66")
        assert status == 429
        assert ask(world, client_id, made["client_secret"], source="127.0.0.7")[0] == 200
        time.sleep(int(headers["Retry-After"]))
        assert ask(world, client_id, made["client_secret"], source="127.0.0.66")[0] == 200
        lines = eventually(
            lambda: [line for line in world.audit_lines() if line["event"] == "request:limited"],
            "it is in the audit log",
        )
        assert lines[0]["address"] == "127.0.0.66"
        assert lines[0]["detail"]["reason"] == "failures"

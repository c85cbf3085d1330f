"""Requests whose bodies take their time: they outlive nobody's end, and stop neither the feed nor the probes."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from functools import partial

import requests

from tests.support.world import World, a_world, eventually


@contextlib.contextmanager
def half_sent(world: World, head: str, body: bytes) -> Iterator[socket.socket]:
    """A request of which everything is sent but the last bytes of its body."""
    with socket.create_connection(("127.0.0.1", world.port), timeout=20) as connection:
        connection.sendall(head.encode() + f"Host: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body[:1])
        yield connection


def test_a_caller_that_was_ended_while_its_body_was_on_its_way_changes_nothing(world):
    scopes = ["credentials:read", "credentials:write"]
    grants = [{"audience": "urn:tokenserver:admin", "access": "custom", "scopes": scopes}]
    thief = world.credential(roles=[], grants=grants)
    token = world.token(thief["client_id"], thief["client_secret"])
    body = json.dumps({"name": "survivor", "grants": grants, "expires_at": None}).encode()
    head = (
        f"POST /v1/credentials HTTP/1.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        "Connection: close\r\n"
    )
    with half_sent(world, head, body) as connection:
        world.manage("POST", f"/v1/credentials/{thief['client_id']}/revoke", {})
        connection.sendall(body[1:])
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.status == 401
    names = [item["name"] for item in world.manage("GET", "/v1/credentials?limit=200")["items"]]
    assert "survivor" not in names


def test_callers_whose_bodies_never_come_leave_the_feed_and_the_probes_alive(tmp_path):
    with a_world(tmp_path) as world, contextlib.ExitStack() as slow:
        world.start()
        head = "POST /oauth/token HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        for _ in range(80):
            slow.enter_context(half_sent(world, head, b"grant_type=client_credentials"))
        for path in ("/healthz", "/readyz", "/oauth/generations"):
            eventually(partial(_answers, world, path), f"{path} answers")
        slow.close()
        eventually(lambda: _asks(world) == 401, "the token endpoint answers again")


def _answers(world: World, path: str) -> bool:
    try:
        return requests.get(world.issuer + path, timeout=10).status_code == 200
    except requests.RequestException:
        return False


def _asks(world: World) -> int:
    try:
        return world.ask("tsc_0000000000000000000000", "nothing").status_code
    except requests.RequestException:
        return 0

"""Requests whose bodies take their time: they outlive nobody's end, and hold up nobody else."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator

import pytest
import requests

from tests.support.world import World, a_world


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


@pytest.mark.slow
def test_callers_whose_bodies_never_come_disturb_nobody_and_are_told_so_in_the_end(tmp_path):
    with a_world(tmp_path) as world, contextlib.ExitStack() as slow:
        world.start()
        head = "POST /oauth/token HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        waiting = [slow.enter_context(half_sent(world, head, b"grant_type=client_credentials")) for _ in range(300)]
        for path in ("/healthz", "/readyz", "/oauth/generations"):
            assert requests.get(world.issuer + path, timeout=5).status_code == 200
        assert world.ask("tsc_0000000000000000000000", "nothing").status_code == 401
        for connection in waiting:
            assert connection.recv(4096).startswith(b"HTTP/1.1 408 ")
            with contextlib.suppress(ConnectionError):  # closed, one way or the other
                while connection.recv(4096):
                    pass
        assert world.ask("tsc_0000000000000000000000", "nothing").status_code == 401

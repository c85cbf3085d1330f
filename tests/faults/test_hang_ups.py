"""Callers that leave in the middle, or say nothing at all: they keep nothing of the server, and nobody out."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import time
from base64 import urlsafe_b64decode

import psutil  # type: ignore[import-untyped]
import pytest
import requests

from tests.support.world import World, a_world, eventually

FORM = b"Host: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closing does not say good-bye, as when a machine loses its power."""


@pytest.fixture
def world(tmp_path):
    with a_world(tmp_path) as world:
        world.start()
        world.catalogue()
        yield world


def connect(world: World) -> socket.socket:
    return socket.create_connection(("127.0.0.1", world.port), timeout=60)


def stages(world: World) -> dict[str, bytes]:
    """What a caller has sent when it leaves."""
    made = world.credential()
    form = f"grant_type=client_credentials&client_id={made['client_id']}&client_secret={made['client_secret']}".encode()
    asked = b"POST /oauth/token HTTP/1.1\r\n" + FORM + b"Content-Length: %d\r\n\r\n" % len(form) + form
    statement = requests.get(f"{world.issuer}/oauth/generations", timeout=20).text.split(".")[1]
    seq = json.loads(urlsafe_b64decode(statement + "=="))["seq"]
    return {
        "nothing": b"",
        "half a head": asked[:30],
        "no body yet": asked[: -len(form)],
        "some of the body": asked[:-1],
        "some chunks": b"POST /oauth/token HTTP/1.1\r\n" + FORM + b"Transfer-Encoding: chunked\r\n\r\n5\r\ngr",
        "a request for a token": asked,
        "many at once": asked * 20,
        "a request that Flask works on": b"GET /oauth/generations HTTP/1.1\r\nHost: x\r\n\r\n",
        "one that waits for the feed": b"GET /oauth/generations?after=%d&wait=3 HTTP/1.1\r\nHost: x\r\n\r\n" % seq,
    }


def connections(world: World) -> list[str]:
    """Those that the server still holds, whatever their state."""
    everybody = psutil.Process(world.processes[0].pid).children(recursive=True)
    found = [one for process in everybody for one in process.net_connections(kind="tcp")]
    return [one.status for one in found if one.status != psutil.CONN_LISTEN]


@pytest.mark.slow
@pytest.mark.parametrize("abruptly", [False, True], ids=["closed", "reset"])
def test_callers_that_hang_up_at_any_stage_leave_nothing_behind(world, abruptly):
    for sent in stages(world).values():
        for _ in range(40):
            with contextlib.suppress(ConnectionError), connect(world) as connection:
                connection.sendall(sent)
                if abruptly:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    eventually(lambda: not connections(world), "every connection has ended")
    assert requests.get(f"{world.issuer}/readyz", timeout=20).status_code == 200
    assert world.credential()
    assert "whole" in world.shell("audit", "verify").stdout
    written = world.processes[0].log.read_text()
    assert "ERROR" not in written.upper()
    assert "Traceback" not in written


@pytest.mark.slow
@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"], ids=["nothing", "half a head"])
def test_a_connection_on_which_nothing_is_asked_does_not_last(world, sent):
    """As many as are served at a time would keep all others out for ever."""
    with connect(world) as connection:
        connection.sendall(sent)
        assert connection.recv(4096) == b""


@pytest.mark.slow
def test_a_body_that_trickles_ends_at_its_deadline_and_the_answer_has_all_our_headers(world):
    with connect(world) as connection:
        connection.sendall(b"POST /oauth/token HTTP/1.1\r\n" + FORM + b"Transfer-Encoding: chunked\r\n\r\n")
        connection.settimeout(0.2)
        answer = b""
        deadline = time.monotonic() + 60
        while not answer:
            assert time.monotonic() < deadline
            with contextlib.suppress(TimeoutError):
                connection.sendall(b"1\r\na\r\n")
                answer = connection.recv(4096)
    head = answer.decode().lower()
    assert head.startswith("http/1.1 408 ")
    assert "connection: close" in head
    assert "cache-control: no-store" in head
    assert "x-request-id: " in head


@pytest.mark.slow
@pytest.mark.parametrize("sent", ["nothing", "some of the body", "some chunks"])
def test_callers_that_say_no_more_do_not_hold_up_the_end(world, sent):
    (node,) = world.processes
    begun = stages(world)[sent]
    with contextlib.ExitStack() as waiting:
        for _ in range(8):
            waiting.enter_context(connect(world)).sendall(begun)
        eventually(lambda: len(connections(world)) >= 8, "they are connected")
        os.kill(node.pid, signal.SIGTERM)
        assert node._popen.wait(timeout=20) == 0

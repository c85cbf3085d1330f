"""The entrance over real HTTP: what a stranger can send that is no ordinary request, and what is answered."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from typing import Any

import pytest

from app.entrance import MOST_LARGE_BODIES, SMALL_BODY, Entrance
from tests.support.world import a_world, eventually
from tokenserver.clock import monotonic

FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client that knows that it speaks HTTP/2 begins with (RFC 9113 §3.4)."""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with a_world(tmp_path_factory.mktemp("served"), threads="4") as world:
        world.start()
        yield world


def received(connection) -> bytes:
    """Everything until the server closes."""
    answer = b""
    while chunk := connection.recv(65536):
        answer += chunk
    return answer


def ask(world, head, body=b"", *, hangs_up=False):
    """These very bytes; status, headers and body of the answer."""
    with socket.create_connection(("127.0.0.1", world.port), timeout=20) as connection:
        connection.sendall(head + b"Host: x\r\nConnection: close\r\n\r\n" + body)
        if hangs_up:
            connection.shutdown(socket.SHUT_WR)
        head, _, body = received(connection).partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").lower().split("\r\n")
    return int(first.split(" ")[1]), dict(line.split(": ", 1) for line in lines), body


def is_told_properly(headers) -> bool:
    """As every answer of ours: not to be kept, and found again in the log."""
    return headers["cache-control"] == "no-store" and len(headers["x-request-id"]) == 16


def test_http_2_is_not_spoken(world):
    """A few kilobytes of it can stand for thousands of long headers."""
    with socket.create_connection(("127.0.0.1", world.port), timeout=20) as connection:
        connection.sendall(PREFACE + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        assert connection.recv(4096) in {b"", b"HTTP/1.1 400 Bad Request\r\n"}


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/oauth/generations?after=ä", 400),
        ("/oauth/generations?after=€", 400),
        ("/oauth/generations?€=1", 200),
        ("/oauth/token?€=1", 405),
        ("/v1/roles?limit=ä", 401),
        ("/v1/roles?😀", 401),
        ("/v1/€", 404),
    ],
)
def test_text_that_is_not_ascii_in_an_address_is_as_good_as_the_same_text_encoded(world, target, status):
    found, _, body = ask(world, b"GET " + target.encode() + b" HTTP/1.1\r\n")
    assert found == status, body


@pytest.mark.parametrize("path", [b"/oauth/token", b"/v1/roles"])
def test_a_body_that_ends_before_its_length_is_refused_as_theirs_and_not_as_our_failure(world, path):
    head = b"POST " + path + b" HTTP/1.1\r\n" + FORM + b"Content-Length: 50\r\n"
    status, headers, body = ask(world, head, b"grant_type", hangs_up=True)
    assert (status, headers["connection"]) == (400, "close")
    assert is_told_properly(headers)
    assert "too early" in "".join(json.loads(body).values() if path == b"/oauth/token" else [json.loads(body)["title"]])


def test_people_are_told_by_a_page_what_nobody_has_asked_the_console_about(world):
    head = b"POST /console/sign-in HTTP/1.1\r\n" + FORM + b"Content-Length: 50\r\n"
    status, headers, body = ask(world, head, b"email=<b>", hangs_up=True)
    assert (status, headers["content-type"]) == (400, "text/html; charset=utf-8")
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert is_told_properly(headers)
    assert b"too early" in body
    assert headers["x-request-id"].encode() in body.lower()
    assert b"<b>" not in body


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"OPTIONS * HTTP/1.1\r\n", 404),
        (b"CONNECT evil.example:443 HTTP/1.1\r\n", 404),
        (b"GET http://evil.example/nowhere HTTP/1.1\r\n", 404),
        (b"BREW /healthz HTTP/1.1\r\n", 405),
        (
            b"GET /oauth/token HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n",
            405,
        ),
        (b"POST /oauth/token HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9000000\r\n", 413),
        (b"POST /oauth/token HTTP/1.1\r\nContent-Length: 1048576000000005\r\n", 413),
        (b"POST /oauth/token HTTP/1.1\r\nContent-Length: " + b"0" * 20 + b"9000000\r\n", 400),
    ],
)
def test_odd_requests_are_refused_by_us_with_all_our_headers(world, head, status):
    found, headers, body = ask(world, head.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\n" + FORM))
    assert found == status, body
    assert is_told_properly(headers)
    assert json.loads(body)
    assert "evil.example" not in str(headers) + body.decode()


def test_a_head_that_does_not_end_is_not_kept(world):
    a_reset = contextlib.suppress(ConnectionError)  # may overtake the answer
    with a_reset, socket.create_connection(("127.0.0.1", world.port), timeout=20) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 300_000)
        assert received(connection)[:13] in {b"", b"HTTP/1.1 431 "}


LARGE = b"x" * (SMALL_BODY + 1)
WITH_LENGTH = b"Content-Length: %d\r\n" % len(LARGE), LARGE
IN_CHUNKS = b"Transfer-Encoding: chunked\r\n", b"%x\r\n%b\r\n0\r\n\r\n" % (len(LARGE), LARGE)


@pytest.mark.parametrize(("header", "body"), [WITH_LENGTH, IN_CHUNKS], ids=["with a length", "in chunks"])
def test_of_large_bodies_only_so_many_are_held_at_a_time_and_small_ones_are_taken_all_the_same(world, header, body):
    """Nobody has to be known to send them."""
    head = b"POST /v1/roles HTTP/1.1\r\n" + header

    def status():
        with contextlib.suppress(OSError):  # it need not read what it refuses
            return ask(world, head, body)[0]

    with contextlib.ExitStack() as slow:
        for _ in range(MOST_LARGE_BODIES):
            connection = slow.enter_context(socket.create_connection(("127.0.0.1", world.port), timeout=20))
            connection.sendall(head + b"Host: x\r\n\r\n" + body[:-1])
        eventually(lambda: status() == 503, "there is no room for one more")
        for path in (b"/v1/roles", b"/oauth/token"):
            small = b"POST " + path + b" HTTP/1.1\r\n" + FORM + b"Content-Length: 1\r\n"
            assert ask(world, small, b"x")[0] in {400, 401}
    eventually(lambda: status() == 401, "there is room again")


def test_nothing_of_all_this_is_a_failure_of_ours(world):
    """The last of this file: what the server wrote meanwhile."""
    assert "ERROR" not in world.processes[0].log.read_text()
    assert "Traceback" not in world.processes[0].log.read_text()


# --- what must not happen at all ---


class Scope:
    path, method, query_string, scheme, http_version = "/v1/roles", "GET", "", "http", "1.1"
    client = "192.0.2.1:4711"
    headers: dict[str, str] = {}  # noqa: RUF012


class Proto:
    def __init__(self):
        self.answers: list[tuple[int, dict[str, str], bytes]] = []

    def response_bytes(self, status, headers, body):
        self.answers.append((status, dict(headers), body))


def test_what_goes_wrong_below_flask_is_logged_and_told_like_any_other_failure(caplog):
    def flask(*_: Any):
        raise RuntimeError("secret")

    proto = Proto()
    asyncio.run(Entrance(flask, {}, 1).__rsgi__(Scope(), proto))
    ((status, headers, body),) = proto.answers
    assert (status, headers["Content-Type"]) == (500, "application/problem+json")
    assert is_told_properly({name.lower(): value for name, value in headers.items()})
    assert json.loads(body)["code"] == "server_error"
    assert b"secret" not in body
    (line,) = caplog.records
    assert line.request_id == headers["X-Request-Id"]


def test_a_body_in_chunks_cannot_hide_its_deadline_behind_requests_that_came_later():
    async def swept() -> list[bool]:
        unused: Any = None
        entrance, loop = Entrance(unused, {}, 1), asyncio.get_running_loop()
        later, late = loop.create_future(), loop.create_future()
        entrance._receiving.update({later: monotonic() + 60, late: monotonic() - 1})
        entrance._sweep()
        return [later.cancelled(), late.cancelled()]

    assert asyncio.run(swept()) == [False, True]

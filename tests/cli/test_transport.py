"""Is every failure on the way one sentence and the right exit code, and does nothing leak to a wrong address?"""

from __future__ import annotations

import socket
import threading

import pytest

from tests.support.world import free_port
from tokenserver.cli import transport
from tokenserver.cli.failures import Failure


@pytest.fixture
def raw():
    """A server that says exactly these bytes to whoever connects, and remembers what it heard."""
    listening = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def says(content: bytes) -> str:
        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                heard.append(connection.recv(65536))
                connection.sendall(content)

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    yield says, heard
    listening.close()


UNREADABLE = {
    "nothing at all": b"",
    "no HTTP": b"220 smtp.example.com ESMTP\r\n",
    "half an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
    "a page": b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
    "another document": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
    "no token": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "deep nesting": b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"[" * 100_000,
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_an_answer_that_cannot_be_read_is_told(stranger, raw, content):
    says, _ = raw
    stranger.environment.update(
        TOKENSERVER_URL=says(content), TOKENSERVER_CLIENT_ID="x", TOKENSERVER_CLIENT_SECRET="tss_hidden"
    )
    told = stranger.refused(6, "role", "list")
    assert "tss_hidden" not in told
    assert len(told.splitlines()) == 1


def test_nobody_there_is_told_with_what_to_check(stranger):
    stranger.environment.update(
        TOKENSERVER_URL=f"http://127.0.0.1:{free_port()}", TOKENSERVER_CLIENT_ID="x", TOKENSERVER_CLIENT_SECRET="y"
    )
    assert "cannot be reached" in stranger.refused(6, "role", "list")
    stranger.environment["TOKENSERVER_URL"] = "https://nowhere.invalid"
    assert "Check the URL" in stranger.refused(6, "role", "list")


def test_a_server_that_does_not_answer_is_given_up(stub, monkeypatch):
    held = threading.Event()
    stub.before_answering = lambda: held.wait(60)
    monkeypatch.setattr(transport, "TIMEOUT", 0.2)
    with pytest.raises(Failure, match="not known") as failed:
        transport.send("GET", stub.url, {})
    held.set()
    assert failed.value.exit_code == 6


def test_a_redirect_is_not_followed_so_that_a_secret_goes_nowhere_else(at_the_stub, stub):
    stub.answer("POST", "/oauth/token", {}, 307, Location=stub.url + "/elsewhere")
    assert "redirect" in at_the_stub.refused(2, "role", "list")
    assert [path for _, path, _, _ in stub.asked] == ["/oauth/token"]


def test_a_certificate_that_nobody_vouches_for_is_refused(stranger, raw):
    says, _ = raw
    url = says(b"not TLS at all").replace("http:", "https:")
    stranger.environment.update(TOKENSERVER_URL=url, TOKENSERVER_CLIENT_ID="x", TOKENSERVER_CLIENT_SECRET="y")
    assert "TLS" in stranger.refused(6, "role", "list")


def test_a_proxy_of_the_environment_is_not_used_for_this_machine(at_the_stub, stub):
    stub.answer("GET", "/v1/roles", {"items": [], "next": None})
    at_the_stub.environment.update(http_proxy=f"http://127.0.0.1:{free_port()}", no_proxy="")
    assert at_the_stub.json("role", "list") == {"items": [], "next": None}


def test_a_body_that_has_no_end_is_not_read_to_its_end(stub, monkeypatch):
    monkeypatch.setattr(transport, "LONGEST_BODY", 10)
    stub.answer("GET", "/", b"x" * 11)
    with pytest.raises(Failure, match="too long"):
        transport.send("GET", stub.url + "/", {})

"""Receivers of webhooks on loopback, by real sockets: they accept, refuse, hang, drip, redirect, drop, never end."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import parse_headers
from typing import BinaryIO

Behaviour = Callable[[socket.socket, threading.Event], None]


@dataclass(frozen=True)
class Received:
    """One request, whole."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    behaviour: Behaviour
    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    received: list[Received] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._closed = threading.Event()
        self._listening = socket.create_server((self.host, 0), backlog=128)
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}/in"

    def close(self) -> None:
        self._closed.set()
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), contextlib.ExitStack() as closing:
            closing.callback(connection.close)
            connection.settimeout(30)
            if self.tls is not None:
                connection = closing.enter_context(self.tls.wrap_socket(connection, server_side=True))
            with connection.makefile("rb") as stream:
                self.received.append(_read(stream))
            self.behaviour(connection, self._closed)


def _read(stream: BinaryIO) -> Received:
    line = stream.readline().decode("ascii").strip()
    if not line:
        raise ValueError("no request")
    headers = {name.lower(): value for name, value in parse_headers(stream).items()}
    return Received(line, headers, stream.read(int(headers.get("content-length", 0))))


def answering(status: int = 204, *headers: str, body: bytes = b"") -> Behaviour:
    head = "\r\n".join([f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers, "", ""])

    def behave(connection: socket.socket, _: threading.Event) -> None:
        connection.sendall(head.encode("ascii") + body)

    return behave


def answering_in_turn(*statuses: int) -> Behaviour:
    """One status after the other; the last one stays."""
    left = list(statuses)

    def behave(connection: socket.socket, closed: threading.Event) -> None:
        answering(left.pop(0) if len(left) > 1 else left[0])(connection, closed)

    return behave


def hanging(_: socket.socket, closed: threading.Event) -> None:
    closed.wait(60)


def dropping(_connection: socket.socket, _: threading.Event) -> None:
    """It closes without a word."""


def saying(text: bytes) -> Behaviour:
    def behave(connection: socket.socket, _: threading.Event) -> None:
        connection.sendall(text)

    return behave


def repeating(start: bytes, more: bytes, pause: float = 0.0) -> Behaviour:
    """Without end."""

    def behave(connection: socket.socket, closed: threading.Event) -> None:
        connection.sendall(start)
        while not closed.wait(pause):
            connection.sendall(more)

    return behave


@contextlib.contextmanager
def a_receiver(
    behaviour: Behaviour | None = None, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> Iterator[Receiver]:
    receiver = Receiver(behaviour or answering(), tls, host)
    try:
        yield receiver
    finally:
        receiver.close()

"""How many requests are answered a second, and how long does each take? A closed loop over keep-alive connections.

One thread over non-blocking sockets, with requests whose bytes are ready and answers of which only what is needed is
looked at: the status, the length, and whether what was asked for is there. So it drives several times what one core of
any server here answers; its own share of its core is part of the result, so that one sees whether it was the limit.
"""

from __future__ import annotations

import gc
import itertools
import math
import re
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
TOKEN = b'"access_token"'
"""What an answer of a token endpoint holds."""
_SILENCE = 20.0
"""Seconds without any answer after which a server counts as broken."""
_SAMPLED_EVERY = 101
_MOST_BROKEN = 100


class Broken(RuntimeError):
    """The server does not answer, or not what it was asked for."""


@dataclass(frozen=True)
class Load:
    """What one run of the generator saw. Latencies are in seconds, sorted; `not_tokens` are all other answers."""

    connections: int
    answered: int
    not_tokens: int
    reconnected: int
    seconds: float
    own_share: float
    latencies: Sequence[float] = field(repr=False)
    bodies: Sequence[bytes] = field(repr=False, default=())
    an_odd_answer: bytes = b""

    @property
    def rate(self) -> float:
        return self.answered / self.seconds

    def latency(self, share: float) -> float:
        """The latency that `share` of the requests did not exceed; 1.0 is the longest."""
        return percentile(self.latencies, share)


def percentile(ordered: Sequence[float], share: float) -> float:
    """Of sorted values: the smallest that at least `share` of them do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def drive(port: int, requests: Sequence[bytes], connections: int, seconds: float, shows: bytes = TOKEN) -> Load:
    """Ask with `requests` in turn, over and over, for `seconds`; then wait for what is still under way.

    An answer counts if its status is 200 and it holds `shows`.
    """
    with selectors.DefaultSelector() as selector, _without_collector():
        loop = _Loop(port, itertools.cycle(requests), selector, shows)
        try:
            return loop.run(connections, seconds)
        finally:
            for key in list(selector.get_map().values()):
                key.data.socket.close()


class _Connection:
    __slots__ = ("received", "sent_at", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=_SILENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)  # noqa: FBT003  the name of the method says it
        self.received = b""
        self.sent_at = 0.0

    def ask(self, request: bytes) -> None:
        """Raises ConnectionError when the server has hung up."""
        self.sent_at = time.perf_counter()
        if self.socket.send(request) != len(request):
            raise Broken("a request did not fit into the socket's buffer")

    def answer(self) -> bytes | None:
        """The whole answer, or None while some of it is missing; raises ConnectionError when the server hung up."""
        try:
            found = self.socket.recv(65536)
        except BlockingIOError:
            return None
        if not found:
            raise ConnectionResetError
        whole = self.received + found if self.received else found
        head = whole.find(b"\r\n\r\n")
        length = _LENGTH.search(whole, 0, head) if head >= 0 else None
        if head >= 0 and length is None:
            raise Broken(f"an answer without a length: {whole[:300]!r}")
        if length is None or len(whole) < head + 4 + int(length[1]):
            self.received = whole
            return None
        self.received = b""
        return whole


class _Loop:
    def __init__(self, port: int, requests: Iterator[bytes], selector: selectors.BaseSelector, shows: bytes) -> None:
        self._port = port
        self._requests = requests
        self._selector = selector
        self._shows = shows
        self._latencies: list[float] = []
        self._bodies: list[bytes] = []
        self._odd = b""
        self._not_tokens = 0
        self._reconnected = 0

    def run(self, connections: int, seconds: float) -> Load:
        opened = [self._open() for _ in range(connections)]
        cpu, begun = time.thread_time(), time.perf_counter()
        for connection in opened:
            connection.ask(next(self._requests))
        self._until(begun + seconds, len(opened))
        took, cpu = time.perf_counter() - begun, time.thread_time() - cpu
        return Load(
            connections=connections,
            answered=len(self._latencies),
            not_tokens=self._not_tokens,
            reconnected=self._reconnected,
            seconds=took,
            own_share=cpu / took,
            latencies=sorted(self._latencies),
            bodies=self._bodies,
            an_odd_answer=self._odd,
        )

    def _until(self, deadline: float, under_way: int) -> None:
        now, note = time.perf_counter, self._note
        while under_way:
            events = self._selector.select(_SILENCE)
            if not events:
                raise Broken(f"no answer within {_SILENCE:.0f} s")
            for key, _ in events:
                connection: _Connection = key.data
                try:
                    answer = connection.answer()
                    if answer is None:
                        continue
                    moment = now()
                    note(answer, moment - connection.sent_at)
                    if moment < deadline:
                        connection.ask(next(self._requests))
                    else:
                        under_way -= 1
                except ConnectionError:
                    self._replace(connection).ask(next(self._requests))

    def _note(self, answer: bytes, latency: float) -> None:
        if answer.startswith(b"HTTP/1.1 200") and self._shows in answer:
            self._latencies.append(latency)
            if len(self._latencies) % _SAMPLED_EVERY == 1:
                self._bodies.append(answer.partition(b"\r\n\r\n")[2])
            return
        self._not_tokens += 1
        self._odd = answer

    def _open(self) -> _Connection:
        connection = _Connection(self._port)
        self._selector.register(connection.socket, selectors.EVENT_READ, connection)
        return connection

    def _replace(self, connection: _Connection) -> _Connection:
        self._reconnected += 1
        if self._reconnected > _MOST_BROKEN:
            raise Broken("the server hangs up over and over")
        self._selector.unregister(connection.socket)
        connection.socket.close()
        return self._open()


@contextmanager
def _without_collector() -> Iterator[None]:
    """Nothing here makes cycles, and a collection would count as the server's latency."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()

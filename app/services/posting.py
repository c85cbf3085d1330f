"""How is something posted to an address that a stranger chose? Once, quickly, and to nowhere that only we can reach.

1. The name is resolved, once, and each address judged (`Reach`); the connection is made to an address that was judged,
   so that a name which changes its mind meanwhile changes nothing.
2. TLS proves the name, with the authorities that the system trusts.
3. All of it has one deadline, to the last byte of the head: who sends a byte now and then is cut off as well.
4. The status decides. Redirects are not followed, and of a body next to nothing is read.

Proxies of the environment are not used: `http.client` knows none. Failures are told in our words, which hold nothing
that the receiver said. The name is resolved by the system, whose own patience is the only one we cannot cut short; a
thread that waits for it is one of a bounded number.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import ipaddress
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tokenserver.clock import Clock, monotonic
from tokenserver.domain.webhook_target import IpAddress, Reach, Target, UnfitTarget, read_target

CONNECT_SECONDS = 4.0
TOTAL_SECONDS = 10.0
LINGER_SECONDS = 1.0
"""How long the rest of an answer is listened to, so that a receiver does not find its words cut off."""
LARGEST_HEAD = 32 * 1024
LARGEST_REST = 16 * 1024
MOST_ADDRESSES = 3

Resolve = Callable[[str, int], Sequence[IpAddress]]


class NotPosted(Exception):
    """There was no answer; the text says why, in our words."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`error` None: it was accepted. `unverified_retry_after` is what the receiver said of when to come back."""

    status: int | None
    error: str | None
    duration_ms: int
    unverified_retry_after: str = field(default="", repr=False)

    @property
    def is_gone(self) -> bool:
        """The receiver says that nothing should come any more (410)."""
        return self.status == http.client.GONE


class Poster:
    """Used by many threads at once."""

    def __init__(
        self, reach: Reach, *, plain_http: bool, resolve: Resolve | None = None, ticks: Clock = monotonic
    ) -> None:
        self._reach = reach
        self._plain_http = plain_http
        self._resolve = resolve or resolved
        self._ticks = ticks

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Made with the first delivery: reading the system's certificates takes longer than wiring everything else."""
        return ssl.create_default_context()

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """What came of it. Raises nothing that the receiver or the network can bring about."""
        began = self._ticks()
        status, error, wish = None, None, ""
        try:
            status, wish = self._exchange(url, headers, body, began + TOTAL_SECONDS)
            error = _complaint(status)
        except NotPosted as fault:
            error = str(fault)
        return Outcome(status, error, int((self._ticks() - began) * 1000), wish)

    def _exchange(self, url: str, headers: Mapping[str, str], body: bytes, deadline: float) -> tuple[int, str]:
        try:
            target = read_target(url, plain_http=self._plain_http)
        except UnfitTarget as fault:
            raise NotPosted(f"The URL cannot be used: {fault}") from None
        addresses = self._addresses(target)
        with _in_our_words(), contextlib.closing(self._connect(addresses, target.port, deadline)) as plain:
            connection = self._secured(plain, target, deadline)
            with contextlib.closing(connection):
                return self._say(_Bounded(connection, deadline, self._ticks), target, headers, body)

    def _addresses(self, target: Target) -> Sequence[IpAddress]:
        try:
            found = [target.literal] if target.literal is not None else self._resolve(target.host, target.port)
        except (OSError, UnicodeError):
            raise NotPosted("The host name cannot be resolved.") from None
        admitted = [address for address in found if self._reach.admits(address)]
        if not admitted:
            raise NotPosted("The host is at an address that webhooks must not reach (private, local or reserved).")
        return admitted[:MOST_ADDRESSES]

    def _connect(self, addresses: Sequence[IpAddress], port: int, deadline: float) -> socket.socket:
        """To the first that answers."""
        until = min(deadline, self._ticks() + CONNECT_SECONDS)
        for place, address in enumerate(addresses, start=1):
            left = (until - self._ticks()) / (len(addresses) - place + 1)
            try:
                return socket.create_connection((str(address), port), timeout=max(left, 0.01))
            except OSError:
                if place == len(addresses):
                    raise
        raise NotPosted("There is no address.")

    def _secured(self, plain: socket.socket, target: Target, deadline: float) -> socket.socket:
        if target.scheme == "http":
            return plain
        plain.settimeout(max(deadline - self._ticks(), 0.01))  # bounds the handshake as a whole
        return self._tls.wrap_socket(plain, server_hostname=target.host)

    def _say(self, wire: _Bounded, target: Target, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        """The status, and what is said of when to come back."""
        talk = http.client.HTTPConnection(target.host, target.port)
        talk.sock = wire
        talk.request("POST", target.path, body, {**headers, "Host": _host(target), "Connection": "close"})
        answer = talk.getresponse()
        status, wish = answer.status, answer.getheader("Retry-After") or ""
        wire.linger()
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            answer.read(LARGEST_REST)
        return status, wish


def resolved(host: str, port: int) -> list[IpAddress]:
    """As the system resolves it, in its order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ipaddress.ip_address(str(place[0]).partition("%")[0]) for *_, place in found))


class _Bounded:
    """A socket as `http.client` uses it, with one deadline for everything and a bound to what is read."""

    def __init__(self, connection: socket.socket, deadline: float, ticks: Clock) -> None:
        self._connection = connection
        self._incoming = _Incoming(connection, deadline, ticks)
        self._left = self._incoming.left

    def sendall(self, data: Any) -> None:
        self._connection.settimeout(self._left())
        self._connection.sendall(data)

    def makefile(self, *_: object) -> io.BufferedReader:
        return io.BufferedReader(self._incoming)

    def linger(self) -> None:
        """The head is here: wait a little for the rest, and for little of it."""
        self._incoming.shorten(LINGER_SECONDS)

    def close(self) -> None:
        """`http.client` closes as soon as it has the head; who connected closes, after the rest."""


class _Incoming(io.RawIOBase):
    def __init__(self, connection: socket.socket, deadline: float, ticks: Clock) -> None:
        super().__init__()
        self._connection = connection
        self._deadline = deadline
        self._ticks = ticks
        self._room = LARGEST_HEAD
        self._lingers = False

    def left(self) -> float:
        left = self._deadline - self._ticks()
        if left <= 0:
            raise TimeoutError
        return left

    def shorten(self, seconds: float) -> None:
        self._deadline = min(self._deadline, self._ticks() + seconds)
        self._room, self._lingers = LARGEST_REST, True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if self._room <= 0 and self._lingers:
            return 0
        if self._room <= 0:
            raise NotPosted("The head of the answer was too long.")
        self._connection.settimeout(self.left())
        received = self._connection.recv_into(memoryview(buffer)[: self._room])
        self._room -= received
        return received


@contextlib.contextmanager
def _in_our_words() -> Any:
    try:
        yield
    except TimeoutError:
        raise NotPosted(f"There was no answer within {TOTAL_SECONDS:g} seconds.") from None
    except ssl.SSLCertVerificationError:
        raise NotPosted("The TLS certificate is not valid for this host, or not trusted.") from None
    except ssl.SSLError:
        raise NotPosted("No TLS connection could be made.") from None
    except ConnectionRefusedError:
        raise NotPosted("The connection was refused.") from None
    except (http.client.RemoteDisconnected, ConnectionError):
        raise NotPosted("The connection was closed before an answer came.") from None
    except OSError:
        raise NotPosted("No connection could be made.") from None
    except (http.client.HTTPException, ValueError):
        raise NotPosted("The answer was not HTTP.") from None


def _complaint(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return "It was answered by a redirect, which is not followed."
    return "It was answered with a status that does not mean success."


def _host(target: Target) -> str:
    return target.origin.partition("://")[2]

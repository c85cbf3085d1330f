"""How is a request sent? One connection each, bounded in time and size, by the standard library.

- TLS certificates are verified; redirects are not followed, since a secret goes where it was told to go. For a private
  CA or a client certificate pass `HttpTransport(context=…)`; for anything else, any callable like `Transport`.
- The proxies of the environment (`HTTPS_PROXY`, `NO_PROXY`) are used for https only, through a tunnel (`CONNECT`): the
  proxy passes on bytes that it cannot read. Plain http never goes through a proxy, which could.
- `timeout` bounds the whole answer and not only each read. What it does not bound is the resolver; whoever waits for a
  token is released by a bound of its own.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401  every connection needs it: a fork amid its import would leave the child without
import http.client
import ssl
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from tokenserver.clock import monotonic

LONGEST_ANSWER: Final = 256 * 1024
_CHUNK: Final = 64 * 1024


class Response(NamedTuple):
    status: int
    headers: Mapping[str, str]
    """By names in small letters."""
    body: bytes


Transport = Callable[[str, str, Mapping[str, str], bytes | None, float], tuple[int, Mapping[str, str], bytes]]
"""Method, URL, headers, body and a timeout in seconds to status, headers and body. It may raise whatever it likes."""


class HttpTransport:
    """The standard library's HTTP client within the rules above."""

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self._context = context

    def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout: float
    ) -> Response:
        deadline = monotonic() + timeout
        parts = urlsplit(url)
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        connection = self._connection(url, timeout)
        try:
            connection.connect()
            _hurry(connection, deadline)
            connection.request(method, target, body, dict(headers))
            answer = connection.getresponse()
            read = _read(connection, answer, deadline)
        finally:
            connection.close()
        return Response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, read)

    def _connection(self, url: str, timeout: float) -> http.client.HTTPConnection:
        parts = urlsplit(url)
        if parts.scheme == "http":
            return http.client.HTTPConnection(parts.netloc, timeout=timeout)
        if self._context is None:
            self._context = ssl.create_default_context()
        proxy = _proxy_for(parts.netloc)
        if proxy is None:
            return http.client.HTTPSConnection(parts.netloc, timeout=timeout, context=self._context)
        host, port, proving = proxy
        tunnelled = http.client.HTTPSConnection(host, port, timeout=timeout, context=self._context)
        tunnelled.set_tunnel(parts.hostname or "", parts.port or 443, proving)
        return tunnelled


def _proxy_for(netloc: str) -> tuple[str, int, dict[str, str]] | None:
    """Host, port and headers of the proxy that the environment names for https, if it does."""
    named = getproxies().get("https")
    if not named or proxy_bypass(netloc):
        return None
    parts = urlsplit(named if "://" in named else f"http://{named}")
    if parts.scheme != "http" or not parts.hostname:
        raise OSError("the proxy of the environment is not one that can be spoken to (http://host:port)")
    if parts.username is None:
        return parts.hostname, parts.port or 80, {}
    known_as = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return parts.hostname, parts.port or 80, {"Proxy-Authorization": f"Basic {b64encode(known_as.encode()).decode()}"}


def _read(connection: http.client.HTTPConnection, answer: http.client.HTTPResponse, deadline: float) -> bytes:
    """The whole body, or one byte more than the longest that is read."""
    pieces, length = [], 0
    while length <= LONGEST_ANSWER and (piece := answer.read1(_CHUNK)):
        pieces.append(piece)
        length += len(piece)
        _hurry(connection, deadline)
    return b"".join(pieces)[: LONGEST_ANSWER + 1]


def _hurry(connection: http.client.HTTPConnection, deadline: float) -> None:
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError
    if connection.sock is not None:
        connection.sock.settimeout(left)

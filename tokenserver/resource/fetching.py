"""How is something fetched over HTTP? One GET, bounded in time and size, from one origin.

- TLS certificates are verified. Redirects are not followed, cookies not kept, and the proxies of the environment
  (`http_proxy`) not used: whoever can set those should not be able to choose our keys. For a private CA pass
  `HttpFetch(context=…)`; for anything else, any callable of the same form as `fetch`.
- `timeout` bounds the whole answer and not only each read, so that an answer that drips is given up too. (What it does
  not bound is the resolver, and the headers byte by byte. Nothing but the background thread waits for either.)
- One connection per thread is kept open between polls. If the other side has closed it meanwhile, the request is sent
  once more on a new one. After a fork, parent and child do not share it.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import ssl
import threading
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from tokenserver import __version__
from tokenserver.clock import monotonic
from tokenserver.resource.forking import WHOLE, prepared
from tokenserver.resource.knowledge import NoNews
from tokenserver.tokens.statements import LONGEST_STATEMENT

LONGEST_BODY: Final = LONGEST_STATEMENT + 1024
_CHUNK: Final = 64 * 1024


class Response(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


Fetch = Callable[[str, Mapping[str, str], float], tuple[int, Mapping[str, str], bytes]]
"""URL, request headers and a timeout in seconds to status, headers and body. It may raise whatever it likes."""


def get(fetch: Fetch, url: str, timeout: float, *, longest: int = LONGEST_BODY, fresh: bool = False) -> Response:
    """The answer, if it is a 200 of at most `longest` bytes; raises NoNews on everything else, whatever `fetch` does.

    `fresh` asks caches on the way to look again.
    """
    headers = {"Accept": "application/json, application/jwt", "User-Agent": f"tokenserver-resource/{__version__}"}
    if fresh:
        headers["Cache-Control"] = "no-cache"
    try:
        status, found, body = fetch(url, headers, timeout)
    except TimeoutError:
        raise NoNews("the issuer did not answer in time") from None
    except ssl.SSLError:
        raise NoNews("no TLS connection to the issuer: its certificate, or ours to trust it") from None
    except OSError:
        raise NoNews("the issuer cannot be reached") from None
    except Exception as fault:  # noqa: BLE001  a transport of somebody else's may raise anything
        raise NoNews(f"the issuer's answer cannot be read ({type(fault).__name__})") from None
    lowered = {name.lower(): value for name, value in found.items()}
    if status != 200:
        raise NoNews(f"the issuer answered {status}", retry_after=_seconds(lowered.get("retry-after")))
    if len(body) > longest:
        raise NoNews("the issuer's answer is too long")
    return Response(status, lowered, body)


class HttpFetch:
    """The standard library's HTTP client within the rules above."""

    def __init__(self, *, context: ssl.SSLContext | None = None, longest: int = LONGEST_BODY) -> None:
        self._context = prepared(context)
        self._longest = longest
        self._mine = threading.local()

    def __call__(self, url: str, headers: Mapping[str, str], timeout: float) -> Response:
        deadline = monotonic() + timeout
        kept = self._kept_connection(url)
        if kept is not None:
            with contextlib.suppress(ConnectionError, ssl.SSLError, http.client.HTTPException):
                return self._ask(kept, url, headers, deadline)
        return self._ask(connected(url, self._context, timeout), url, headers, deadline)

    def _ask(
        self, connection: http.client.HTTPConnection, url: str, headers: Mapping[str, str], deadline: float
    ) -> Response:
        parts = urlsplit(url)
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        self._mine.kept = None
        try:
            hurry(connection, deadline)
            connection.request("GET", target, headers=dict(headers))
            response = connection.getresponse()
            body = read_within(connection, response, self._longest, deadline)
        except BaseException:
            connection.close()
            raise
        complete = response.isclosed() or response.length == 0
        response.close()  # the answer only; the connection is another thing
        if complete and not response.will_close:
            self._mine.kept = (os.getpid(), parts.scheme, parts.netloc, connection)
        else:
            connection.close()
        return Response(response.status, dict(response.getheaders()), body)

    def _kept_connection(self, url: str) -> http.client.HTTPConnection | None:
        parts = urlsplit(url)
        kept = getattr(self._mine, "kept", None)
        if kept is None or kept[:3] != (os.getpid(), parts.scheme, parts.netloc):
            return None
        connection: http.client.HTTPConnection = kept[3]
        return connection


def connected(url: str, context: ssl.SSLContext, timeout: float) -> http.client.HTTPConnection:
    """A new connection to where `url` is; raises OSError."""
    parts = urlsplit(url)
    if parts.scheme == "http":
        connection = http.client.HTTPConnection(parts.netloc, timeout=timeout)
        connection.connect()
        return connection
    connection = http.client.HTTPSConnection(parts.netloc, timeout=timeout, context=context)
    try:
        http.client.HTTPConnection.connect(connection)
        with WHOLE:
            connection.sock = context.wrap_socket(connection.sock, server_hostname=connection.host)
    except BaseException:
        connection.close()
        raise
    return connection


def read_within(
    connection: http.client.HTTPConnection, response: http.client.HTTPResponse, longest: int, deadline: float
) -> bytes:
    """The whole body, or one byte more than `longest` of it."""
    pieces, length = [], 0
    while length <= longest and (piece := response.read1(_CHUNK)):
        pieces.append(piece)
        length += len(piece)
        hurry(connection, deadline)
    return b"".join(pieces)[: longest + 1]


def hurry(connection: http.client.HTTPConnection, deadline: float) -> None:
    """Let the connection's next step take until `deadline` and no longer; raises TimeoutError."""
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError
    if connection.sock is not None:
        connection.sock.settimeout(left)


def _seconds(text: str | None) -> float | None:
    """`Retry-After` in seconds; a date is passed over."""
    return float(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else None

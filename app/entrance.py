"""How do requests come in? From granian, by RSGI, on one event loop: each is received whole before anybody works on it.

A request at a plain door (a token, an introspection, forward-auth) then waits on the loop, and costs no thread; all
others are Flask's, in a pool of threads, and so is what a plain door has no answer to. A body that comes slowly, or
never, holds neither: it has a deadline. There are libraries that put WSGI behind ASGI; they hand
over to the loop and back several times for each answer, and none speaks RSGI.

What WSGI cannot tell apart is told apart here. A header whose name holds an underscore is dropped, as nginx does:
`X_Forwarded_For` would pass for `X-Forwarded-For`. A header whose value is not ASCII is kept as one that nobody can
read, rather than as none: an `Authorization` must not vanish, nor what a proxy says about an address.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import math
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO, FileIO
from pathlib import Path
from typing import Any

from app.http import LARGEST_BODY, Environ, Headers, PlainDoor, Wsgi, failed, new_request_id
from tokenserver.clock import monotonic
from tokenserver.errors import InvalidRequest, Unavailable

SMALL_BODY = 64 * 1024
MOST_LARGE_BODIES = 32
"""That are received or worked on at a time. Nobody has to be known to send one, and a thousand would fill the memory of
a small machine; small ones are always taken."""
RECEIVING_SECONDS = 10.0
SENDING_SECONDS = 30.0
"""That a caller may take to fetch some of a long answer."""
_UNREADABLE = "\x80"


class TooSlow(InvalidRequest):
    status = 408
    public = "The body of the request did not arrive in time."


class CutShort(InvalidRequest):
    public = "The body of the request ended too early."


class Entrance:
    """An RSGI application. `plain` doors stand at paths, or at all paths below one that ends with a slash."""

    def __init__(
        self,
        flask: Wsgi,
        plain: Mapping[str, PlainDoor],
        threads: int,
        *,
        at_the_start: Callable[[], None] = lambda: None,
        before_the_end: Callable[[], None] = lambda: None,
        at_the_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._flask = flask
        self._at_the_start = at_the_start
        self._at_the_end = at_the_end
        self._before_the_end = before_the_end
        self._plain = plain
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="door")
        self._receiving: dict[Any, float] = {}
        self._large_bodies = 0
        self._sweeping = False

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """A signal begins granian's own end, which waits for all answers: those who wait for news get theirs now."""

        def before_the_end(*_: object) -> None:
            loop.call_soon_threadsafe(self._before_the_end)

        for number in (signal.SIGINT, signal.SIGTERM):  # beside the loop's own handlers, which granian has set
            signal.signal(number, before_the_end)
        self._at_the_start()  # here rather than when it is made: every fork has happened

    def __rsgi_del__(self, _: asyncio.AbstractEventLoop) -> None:
        """All answers are given."""
        self._at_the_end()

    async def __rsgi__(self, scope: Any, proto: Any) -> None:
        with contextlib.ExitStack() as held:
            try:
                status, headers, payload = await self._answer(scope, await self._body(scope, proto, held))
            except Exception as fault:  # noqa: BLE001  `failed` logs what is unexpected
                status, headers, payload = failed(fault, scope.path, new_request_id())
                if isinstance(fault, TooSlow | CutShort):  # what may still come of the body is no next request
                    headers.append(("Connection", "close"))
        if isinstance(payload, bytes):
            proto.response_bytes(status, headers, payload)
        else:
            await self._stream(proto, status, headers, payload)

    async def _stream(self, proto: Any, status: int, headers: Headers, body: Pieces) -> None:
        """Through a named pipe that granian reads as a file: its own streams take any amount from us, and keep in
        memory what a caller who reads slowly has not fetched yet. A piece is made when the one before has gone.
        """
        loop = asyncio.get_running_loop()
        try:
            with contextlib.suppress(OSError, TimeoutError), tempfile.TemporaryDirectory() as folder:
                path = str(Path(folder) / "answer")
                os.mkfifo(path, 0o600)
                proto.response_file(status, headers, path)
                with await _writing(path) as pipe:
                    pieces = iter(body)
                    while (piece := await loop.run_in_executor(self._threads, next, pieces, None)) is not None:
                        await _write(pipe, piece)
        finally:
            await loop.run_in_executor(self._threads, body.close)

    async def _answer(self, scope: Any, body: bytes) -> tuple[int, Headers, bytes | Pieces]:
        environ = environ_of(scope, body)
        door = self._plain.get(scope.path) or self._plain.get(_first_folder(scope.path))
        if door is not None:
            reply = await door(environ)
            if reply is not None:
                return reply
            environ["wsgi.input"].seek(0)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._by_flask, environ)

    async def _body(self, scope: Any, proto: Any, held: contextlib.ExitStack) -> bytes:
        """All of it; of one that is too large, nothing when its length was told, and else more than is allowed."""
        length = scope.headers.get("content-length")
        if length is None and "transfer-encoding" not in scope.headers and scope.http_version.startswith("1"):
            return b""
        deadline = monotonic() + RECEIVING_SECONDS
        if length is not None:
            # Without the zeros in front: granian takes any number of them, and twelve would hide what follows.
            size = int(length.lstrip("0")[:12] or 0) if length.isdecimal() else math.inf
            if size > LARGEST_BODY:
                return b""
            if size > SMALL_BODY:
                held.enter_context(self._place_of_a_large_body())
            return await self._in_time(proto(), deadline)
        found, chunks = bytearray(), aiter(proto)
        with contextlib.suppress(StopAsyncIteration):
            while len(found) <= SMALL_BODY:
                found += await self._in_time(anext(chunks), deadline)
            held.enter_context(self._place_of_a_large_body())
            while len(found) <= LARGEST_BODY:
                found += await self._in_time(anext(chunks), deadline)
        return bytes(found)

    @contextlib.contextmanager
    def _place_of_a_large_body(self) -> Iterator[None]:
        if self._large_bodies >= MOST_LARGE_BODIES:
            raise Unavailable(detail="no room for another large body")
        self._large_bodies += 1
        try:
            yield
        finally:
            self._large_bodies -= 1

    async def _in_time(self, coming: Any, deadline: float) -> bytes:
        """What is `coming`, an awaitable of granian's; raises TooSlow, CutShort. A timer for each would cost more."""
        self._receiving[coming] = deadline
        if not self._sweeping:
            self._sweep()
        try:
            received: bytes = await coming
        except asyncio.CancelledError:
            raise TooSlow from None
        except RuntimeError:  # granian: the connection is closed, or the caller's half of it
            raise CutShort from None
        finally:
            del self._receiving[coming]
        if monotonic() > deadline:
            raise TooSlow
        return received

    def _sweep(self) -> None:
        """Cancel what is late. Looks at all: a body in chunks comes in again with each, and keeps its deadline."""
        now = monotonic()
        for coming, deadline in list(self._receiving.items()):
            if deadline <= now:
                coming.cancel()
        self._sweeping = bool(self._receiving)
        if self._sweeping:
            asyncio.get_running_loop().call_later(1, self._sweep)

    def _by_flask(self, environ: Environ) -> tuple[int, Headers, bytes | Pieces]:
        """The body as bytes; where its length is not told, in pieces."""
        started: list[tuple[str, Headers]] = []

        def start_response(status: str, headers: Headers, _: object = None) -> Any:
            started.append((status, headers))

        chunks = self._flask(environ, start_response)
        close = getattr(chunks, "close", lambda: None)
        try:
            pieces = iter(chunks)
            first = next(pieces, b"")  # only then must an application have begun its answer (PEP 3333)
            status, headers = started[-1]
            if _is_long(headers, environ["REQUEST_METHOD"]):
                return int(status[:3]), headers, Pieces(first, pieces, close)
            payload = first + b"".join(pieces)
        except BaseException:
            close()
            raise
        close()
        return int(status[:3]), headers, payload


def _first_folder(path: str) -> str:
    """Such as `/forward-auth/`; empty where there is none."""
    return path[: path.find("/", 1) + 1]


@dataclass(frozen=True)
class Pieces:
    """A body that comes in pieces, and what ends it early or late."""

    first: bytes
    others: Iterator[bytes]
    close: Callable[[], None]

    def __iter__(self) -> Iterator[bytes]:
        yield self.first
        yield from self.others


def _is_long(headers: Headers, method: str) -> bool:
    """Whether it has a body of which nobody has said how long it is."""
    told = {name.lower() for name, _ in headers}
    return "content-type" in told and "content-length" not in told and method != "HEAD"


def environ_of(scope: Any, body: bytes) -> Environ:
    """A WSGI environment (PEP 3333) of an RSGI request."""
    environ: Environ = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string.encode().decode("latin-1"),
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "SERVER_NAME": "tokenserver",
        "SERVER_PORT": "0",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    headers = scope.headers
    for name, value in headers.items():
        key = _key(name)
        if key is not None:
            environ[key] = f"{environ[key]},{value}" if key in environ else value
    for name in headers.keys():  # noqa: SIM118  no mapping: the names of those, too, that `items` leaves out
        key = _key(name)
        if key is not None and key not in environ:
            environ[key] = _UNREADABLE
    return environ


@lru_cache(maxsize=512)
def _key(name: str) -> str | None:
    if "_" in name:
        return None
    key = name.upper().replace("-", "_")
    return key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"


async def _writing(path: str) -> FileIO:
    """The pipe, as soon as somebody reads from it; raises OSError when nobody does."""
    deadline = monotonic() + SENDING_SECONDS
    while True:
        try:
            return FileIO(os.open(path, os.O_WRONLY | os.O_NONBLOCK), "w")
        except OSError as fault:
            if fault.errno != errno.ENXIO or monotonic() > deadline:
                raise
        await asyncio.sleep(0.005)


async def _write(pipe: FileIO, piece: bytes) -> None:
    """All of it; raises OSError when the caller has gone, and TimeoutError when they have fallen asleep."""
    loop, left = asyncio.get_running_loop(), memoryview(piece)
    while left:
        written = pipe.write(left)
        if written is not None:
            left = left[written:]
            continue
        room = asyncio.Event()
        loop.add_writer(pipe.fileno(), room.set)
        try:
            await asyncio.wait_for(room.wait(), SENDING_SECONDS)
        finally:
            loop.remove_writer(pipe.fileno())

"""One request to a WSGI application exactly as a server would hand it over: bytes in, bytes out, nothing tidied up."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

PEER = "192.0.2.1"
FORM = "application/x-www-form-urlencoded"

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Header = tuple[str, str | bytes]


@dataclass(frozen=True)
class Answer:
    status: int
    line: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The one header of that name; more than one is a mistake of ours."""
        found = [value for other, value in self.headers if other.lower() == name.lower()]
        assert len(found) <= 1, found
        return found[0] if found else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def but_for_the_request_id(self) -> tuple[int, list[tuple[str, str]], bytes]:
        return self.status, sorted(h for h in self.headers if h[0] != "X-Request-Id"), self.body


def call(
    app: Application,
    method: str,
    path: str,
    body: bytes = b"",
    headers: Sequence[Header] = (),
    *,
    peer: str | None = PEER,
    length: int | str | None = -1,
) -> Answer:
    """`length` None: the body comes without one, in chunks. Values of headers are text in Latin-1, or bytes."""
    path, _, query = path.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if peer is not None:
        environ["REMOTE_ADDR"] = peer
    if length is not None:
        environ["CONTENT_LENGTH"] = str(len(body) if length == -1 else length)
    for name, value in headers:
        text = value if isinstance(value, str) else value.decode("latin-1")
        key = name.upper().replace("-", "_")
        key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
        environ[key] = f"{environ[key]},{text}" if key in environ and key != "CONTENT_LENGTH" else text
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, sent: list[tuple[str, str]], _exc_info: object = None) -> Callable[[bytes], None]:
        started.append((status, sent))
        return lambda _: None

    chunks = app(environ, start_response)
    try:
        content = b"".join(chunks)
    finally:
        getattr(chunks, "close", lambda: None)()
    ((line, sent),) = started
    for name, value in sent:
        assert name.isascii()
        assert value.isprintable(), "a header could be split"
    return Answer(int(line[:3]), line, sent, content)

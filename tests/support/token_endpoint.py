"""A token server over real HTTP whose answers a test decides, and which writes down how it was asked.

It issues opaque tokens, has metadata, and follows the contract of claiming a rotated secret.
"""

from __future__ import annotations

import json
import ssl
import threading
from base64 import b64decode
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus

CLIENT_ID = "an app"


@dataclass(frozen=True)
class Asked:
    path: str
    form: Mapping[str, list[str]]
    authorization: str | None

    @property
    def secret(self) -> str | None:
        """The secret that was sent, by whichever method."""
        if self.authorization is None:
            return self.form.get("client_secret", [None])[0]
        client_id, _, secret = b64decode(self.authorization.removeprefix("Basic ")).decode().partition(":")
        return unquote_plus(secret) if unquote_plus(client_id) == CLIENT_ID else None


@dataclass
class Answer:
    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class FakeTokenServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.issuer = f"{'http' if tls is None else 'https'}://127.0.0.1:{self.server_port}"
        self.token_endpoint = f"{self.issuer}/oauth/token"
        self.secrets = {"first"}
        self.token: dict[str, Any] = {"expires_in": 900}
        """Members of the answer beside the token and its type."""
        self.next: deque[Answer] = deque()
        """Answers to the next requests, whatever they are."""
        self.waiting: str | None = None
        """The secret that a rotation has made and that has not been used."""
        self.asked: list[Asked] = []
        self.issued = 0
        self.at_once = self.most_at_once = 0
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        self.metadata: dict[str, Any] = {"issuer": self.issuer, "token_endpoint": self.token_endpoint}
        self._lock = threading.Lock()

    @property
    def token_requests(self) -> list[Asked]:
        return [one for one in self.asked if one.path == "/oauth/token"]

    @property
    def claims(self) -> list[Asked]:
        return [one for one in self.asked if one.path == "/oauth/rotation/claim"]

    def answer(self, asked: Asked) -> Answer:
        with self._lock:
            self.asked.append(asked)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            scripted = self.next.popleft() if self.next else None
        self.entered.set()
        try:
            assert self.gate.wait(30)
            return scripted or self._answer(asked)
        finally:
            with self._lock:
                self.at_once -= 1

    def _answer(self, asked: Asked) -> Answer:
        if asked.path.startswith("/.well-known/"):
            return Answer(body=self.metadata)
        if asked.secret not in self.secrets:
            return Answer(401, {"error": "invalid_client", "error_description": "Client authentication failed."})
        with self._lock:
            if asked.path == "/oauth/rotation/claim":
                if self.waiting is None or asked.form:
                    return Answer(404, {"error": "no_rotation"})
                self.secrets.add(self.waiting)
                told = {"client_id": CLIENT_ID, "client_secret": self.waiting}
                return Answer(body={**told, "grace_expires_at": "2027-11-21T00:00:00Z"})
            if asked.secret == self.waiting:
                self.waiting = None
            self.issued += 1
            waits = {"rotation": "waiting"} if self.waiting is not None else {}
            token = {"access_token": f"token-{self.issued}", "token_type": "Bearer", **waits}
            return Answer(body={**token, **self.token})


class _Handler(BaseHTTPRequestHandler):
    server: FakeTokenServer

    def do_GET(self) -> None:
        self._reply(Asked(self.path, {}, self.headers["Authorization"]))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self._reply(Asked(self.path, parse_qs(body), self.headers["Authorization"]))

    def _reply(self, asked: Asked) -> None:
        answer = self.server.answer(asked)
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[FakeTokenServer]:
    server = FakeTokenServer(tls)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.gate.set()
        server.shutdown()
        server.server_close()

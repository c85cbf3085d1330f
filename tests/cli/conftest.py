"""A person at a terminal: the command in this process or in one of its own, against a real server or a stub of one."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.support.world import ROOT, World, a_world
from tokenserver.cli.root import cli


@dataclass
class Terminal:
    """Types commands with an environment of its own."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *typed: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """In this process: starting one takes longer than all the rest."""
        none = {name: None for name in os.environ if name.startswith("TOKENSERVER_")}
        with contextlib.chdir(self.home):
            done = CliRunner().invoke(cli, typed, input=stdin, env={**none, **self._all()})
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return subprocess.CompletedProcess(typed, done.exit_code, done.stdout, done.stderr)

    def process(self, *typed: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """In a process of its own."""
        command = [sys.executable, "-m", "tokenserver.cli", *typed]
        usual = {"cwd": self.home, "env": self.of_a_process(), "stdin": subprocess.DEVNULL, "timeout": 60}
        outputs = {} if {"stdout", "stderr"} & set(more) else {"capture_output": True}
        return subprocess.run(command, check=False, text=True, **{**usual, **outputs, **more})

    def of_a_process(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TOKENSERVER_")}
        return {**kept, "PYTHONPATH": str(ROOT), **self._all()}

    def ok(self, *typed: str, stdin: str = "") -> str:
        done = self.run(*typed, stdin=stdin)
        assert done.returncode == 0, done
        return done.stdout

    def json(self, *typed: str, stdin: str = "") -> Any:
        return json.loads(self.ok(*typed, "--output", "json", stdin=stdin))

    def refused(self, code: int, *typed: str, stdin: str = "") -> str:
        """What is told on standard error; never a traceback, and nothing on standard output."""
        done = self.run(*typed, stdin=stdin)
        assert (done.returncode, done.stdout) == (code, ""), done
        assert "Traceback" not in done.stderr
        assert "Unexpected" not in done.stderr
        return done.stderr

    def _all(self) -> dict[str, str]:
        return {"XDG_CONFIG_HOME": str(self.home / "config"), "HOME": str(self.home), **self.environment}


@pytest.fixture(scope="package")
def world(tmp_path_factory) -> Iterator[World]:
    """A real server with a catalogue."""
    with a_world(tmp_path_factory.mktemp("cli-world")) as world:
        world.start()
        world.catalogue()
        yield world


@pytest.fixture(scope="package")
def administrator(world) -> dict[str, str]:
    """The environment of somebody who may manage."""
    made = json.loads(world.shell("bootstrap", "--json", "--again").stdout)
    return {
        "TOKENSERVER_URL": world.issuer,
        "TOKENSERVER_CLIENT_ID": made["client_id"],
        "TOKENSERVER_CLIENT_SECRET": made["client_secret"],
    }


@pytest.fixture
def terminal(administrator, tmp_path) -> Terminal:
    return Terminal(tmp_path, dict(administrator))


@pytest.fixture
def stranger(tmp_path) -> Terminal:
    """Somebody who has configured nothing."""
    return Terminal(tmp_path)


@dataclass
class Stub:
    """A server that answers as a test says, and remembers what it was asked; it gives a token to everybody."""

    url: str = ""
    answers: dict[tuple[str, str], tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    before_answering: Callable[[], object] = field(default=lambda: None)

    def answer(self, method: str, path: str, body: Any, status: int = 200, **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers[method, path] = (status, headers, content)

    def bodies(self, method: str, path: str) -> list[Any]:
        return [json.loads(body) for m, p, _, body in self.asked if (m, p.partition("?")[0]) == (method, path)]

    def queries(self, path: str) -> list[str]:
        return [p.partition("?")[2] for _, p, _, _ in self.asked if p.partition("?")[0] == path]


@pytest.fixture
def stub() -> Iterator[Stub]:
    stub = Stub()
    stub.answer("POST", "/oauth/token", {"access_token": "a.b.c", "token_type": "Bearer", "expires_in": 900})

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            stub.asked.append((self.command, self.path, dict(self.headers.items()), body))
            stub.before_answering()
            nothing: tuple[int, dict[str, str], bytes] = (
                404,
                {},
                b'{"title": "There is nothing at this address.", "code": "not_found"}',
            )
            status, headers, content = stub.answers.get((self.command, self.path.partition("?")[0]), nothing)
            with contextlib.suppress(BrokenPipeError):  # a caller that was interrupted
                self.say(status, headers, content)

        def say(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815  the form of http.server

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    stub.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield stub
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def at_the_stub(stub, tmp_path) -> Terminal:
    """A terminal whose server is the stub."""
    return Terminal(
        tmp_path,
        {"TOKENSERVER_URL": stub.url, "TOKENSERVER_CLIENT_ID": "tsc_x", "TOKENSERVER_CLIENT_SECRET": "tss_hidden"},
    )

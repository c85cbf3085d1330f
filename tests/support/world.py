"""Real server processes, real resource servers, real HTTP: what the journeys are made of."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests

from tests.support.shell import in_this_process

ROOT = Path(__file__).resolve().parents[2]
AUDIENCE = "https://api.example.com"
PATIENCE = 40.0
"""Seconds after which a condition that was to come is called missing. Bounds no speed: machines are shared."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(condition: Callable[[], Any], what: str, *, seconds: float = PATIENCE) -> Any:
    """The first true value of `condition`, asked again and again."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.02)


class Process:
    """A process of ours with its log, in a session of its own, so that all of it can be killed at once."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                [sys.executable, *command], env=environment, stdout=output, stderr=output, start_new_session=True
            )
        self.pid = self._popen.pid

    def alive(self) -> bool:
        return self._popen.poll() is None

    def stop(self) -> None:
        if self.alive():
            self._popen.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(timeout=10)
        self.kill()

    def kill(self) -> None:
        """kill -9, master and workers alike."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait(timeout=10)


class World:
    """One installation in a folder: its nodes, its admin, and resource servers that believe it."""

    def __init__(self, home: Path, *, host: str = "127.0.0.1", **settings: str) -> None:
        self.home = home
        self.home.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.issuer = f"http://{host}:{self.port}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TOKENSERVER_")}
        self.environment = {
            **kept,
            "PYTHONPATH": str(ROOT),
            "TOKENSERVER_HOME": str(home),
            "TOKENSERVER_ISSUER": self.issuer,
            "TOKENSERVER_RATE_LIMITS": "off",  # journeys hurry, unless limits are what they are about
            **{f"TOKENSERVER_{name.upper()}": value for name, value in settings.items()},
        }
        self.processes: list[Process] = []
        self._admin_credential: tuple[str, str] | None = None
        self._admin_token = ""
        self._made = 0

    # --- processes ---

    def start(self, port: int | None = None) -> Process:
        """A node; the first one by default, another where a port is given."""
        port = port or self.port
        environment = {**self.environment, "TOKENSERVER_PORT": str(port)}
        node = Process(["-m", "app", "serve", "--host", "127.0.0.1"], environment, self.home / f"server-{port}.log")
        self.processes.append(node)
        self._wait_for(f"http://127.0.0.1:{port}/readyz", node, 200)
        return node

    def start_api(
        self,
        *,
        max_staleness: float = 30.0,
        wait: float = 0.0,
        kind: str = "wsgi",
        reports: dict[str, Any] | None = None,
        **more: Any,
    ) -> str:
        """A protected API in a process of its own, which is the last of `processes`; returns its base URL."""
        port = free_port()
        options: dict[str, Any] = {"issuer": self.issuer, "audience": AUDIENCE}
        options |= {"max_staleness": max_staleness, "wait": wait, "reports": reports, **more}
        command = ["-m", "tests.support.protected", kind, str(port), json.dumps(options)]
        process = Process(command, self.environment, self.home / f"api-{port}.log")
        self.processes.append(process)
        self._wait_for(f"http://127.0.0.1:{port}/any", process, 401)
        return f"http://127.0.0.1:{port}"

    def close(self) -> None:
        for process in reversed(self.processes):
            process.stop()

    def shell(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`python -m app …` beside the nodes."""
        done = in_this_process(command, self.environment)
        assert not check or done.returncode == 0, done.stderr
        return done

    def process(self, *command: str) -> subprocess.CompletedProcess[str]:
        """The same in a process of its own, for what may not come back."""
        return subprocess.run(
            [sys.executable, "-m", "app", *command],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def audit_lines(self) -> list[dict[str, Any]]:
        """Without the stubs and checkpoints between them."""
        lines = map(json.loads, self.shell("audit", "export").stdout.splitlines())
        return [line for line in lines if "event" in line]

    def _wait_for(self, url: str, process: Process, status: int) -> None:
        def answers() -> bool:
            assert process.alive(), process.log.read_text()
            try:
                return requests.get(url, timeout=5).status_code == status
            except requests.RequestException:
                return False

        eventually(answers, url)

    # --- the administrator ---

    def admin(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        """A call of the admin API, with a token that is fetched when there is none or it has ended."""
        for _ in range(2):
            answer = requests.request(
                method,
                self.issuer + path,
                json=body,
                headers={"Authorization": f"Bearer {self._admin_token}", **headers},
                timeout=20,
            )
            if answer.status_code != 401:
                break
            self._sign_in()
        return answer

    def manage(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The same, for calls that must succeed; returns the document."""
        answer = self.admin(method, path, body, **headers)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    @property
    def administrator(self) -> tuple[str, str]:
        """Client ID and secret of the administrator, who is one of the platform."""
        if self._admin_credential is None:
            made = json.loads(self.shell("bootstrap", "--json", "--again").stdout)
            self._admin_credential = (made["client_id"], made["client_secret"])
        return self._admin_credential

    def _sign_in(self) -> None:
        self._admin_token = self.token(*self.administrator)

    def catalogue(self) -> None:
        """An API with scopes, and two roles."""
        scopes = [
            {"name": "reports:read", "access": "read"},
            {"name": "reports:write", "access": "write"},
            {"name": "keys:write", "access": "write", "sensitive": True},
        ]
        self.manage("POST", "/v1/apis", {"audience": AUDIENCE, "name": "Example", "scopes": scopes})
        for role in ("reader", "cloud_admin"):
            self.manage("POST", "/v1/roles", {"name": role, "description": "", "audience": None})

    def credential(self, **terms: Any) -> dict[str, Any]:
        """A new credential with the role `reader` and every read scope, unless `terms` say otherwise."""
        self._made += 1
        body = {
            "name": f"credential {self._made}",
            "roles": ["reader"],
            "grants": [{"audience": AUDIENCE, "access": "all_read_write"}],
            **terms,
        }
        made: dict[str, Any] = self.manage("POST", "/v1/credentials", body)
        return made

    def patch(self, client_id: str, **changes: Any) -> dict[str, Any]:
        found = self.admin("GET", f"/v1/credentials/{client_id}")
        changed: dict[str, Any] = self.manage(
            "PATCH", f"/v1/credentials/{client_id}", changes, **{"If-Match": found.headers["ETag"]}
        )
        return changed

    # --- apps and their calls ---

    def ask(self, client_id: str, secret: str, *, node: str | None = None, **form: str) -> requests.Response:
        """What the token endpoint answers."""
        return requests.post(
            f"{node or self.issuer}/oauth/token",
            data={"grant_type": "client_credentials", **form},
            auth=(client_id, secret),
            timeout=20,
        )

    def token(self, client_id: str, secret: str, **form: str) -> str:
        answer = self.ask(client_id, secret, **form)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def call(self, api: str, token: str, path: str = "/any") -> int:
        """The status that a protected API answers."""
        return requests.get(api + path, headers={"Authorization": f"Bearer {token}"}, timeout=20).status_code


@contextlib.contextmanager
def a_world(home: Path, *, host: str = "127.0.0.1", **settings: str) -> Iterator[World]:
    world = World(home, host=host, **settings)
    try:
        yield world
    finally:
        world.close()

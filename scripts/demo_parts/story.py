"""The whole story: a credential, its token, a protected API, and one click that ends everything that is out.

Every step is a real call to a real process. A step that does not go as told ends the demo with exit code 1.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import requests
from oauthlib.oauth2 import BackendApplicationClient
from requests.adapters import HTTPAdapter
from requests_oauthlib import OAuth2Session

from scripts.demo_parts.processes import free_port, running, wait_until_answers

ROOT = Path(__file__).resolve().parents[2]
AUDIENCE = "https://api.example.com"
INSIDE, OUTSIDE = "127.0.0.1 - 127.0.0.9", "127.0.0.77"


class FromAddress(HTTPAdapter):
    """Calls that come from another address of this machine."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, source_address=(self._address, 0), **kwargs)


class Story:
    """Two servers and an administrator's session; each method is a chapter."""

    def __init__(self, home: Path, stack: ExitStack) -> None:
        self.issuer = f"http://127.0.0.1:{free_port()}"
        self.api = f"http://127.0.0.1:{free_port()}"
        self.environment = {**os.environ, "TOKENSERVER_HOME": str(home), "TOKENSERVER_ISSUER": self.issuer}
        self.environment |= {"TOKENSERVER_PORT": self.issuer.rpartition(":")[2], "PYTHONPATH": str(ROOT)}
        for name in ("TOKENSERVER_DATABASE_URL", "TOKENSERVER_HOST"):
            self.environment.pop(name, None)
        self.log = home / "demo.log"
        self._stack = stack
        self.admin = requests.Session()

    def start(self) -> None:
        say("1", "Start the token server and a protected API (two processes)")
        self._start(["-m", "app", "serve"], f"{self.issuer}/readyz")
        port = self.api.rpartition(":")[2]
        program = str(ROOT / "scripts/demo_parts/protected_api.py")
        self._start([program, self.issuer, AUDIENCE, port], f"{self.api}/reports")
        made = json.loads(self._shell("bootstrap", "--json"))
        self.admin.headers["Authorization"] = f"Bearer {self.token(made['client_id'], made['client_secret'])}"
        told("server", self.issuer)
        told("protected API", f"{self.api}/reports  (WSGI, tokenserver.resource.wsgi.TokenMiddleware)")

    def create(self) -> dict[str, Any]:
        say("2", "Create an API with scopes, two roles, and a credential restricted to an address range")
        scopes = [{"name": "reports:read", "access": "read"}, {"name": "reports:write", "access": "write"}]
        self._admin("POST", "/v1/apis", {"audience": AUDIENCE, "name": "Reports", "scopes": scopes})
        for role in ("report_reader", "cloud_admin"):
            self._admin("POST", "/v1/roles", {"name": role, "description": f"The role {role}", "audience": None})
        made = self._admin(
            "POST",
            "/v1/credentials",
            {
                "name": "nightly export",
                "roles": ["report_reader"],
                "allowed_ips": INSIDE,
                "grants": [{"audience": AUDIENCE, "access": "all_read"}],
            },
        )
        told("client_id", made["client_id"])
        told("allowed_ips", ", ".join(made["allowed_ips"]))
        told("secret", f"{made['secrets'][0]['hint']}  (shown once, kept as a keyed hash)")
        return made

    def token(self, client_id: str, secret: str) -> str:
        """With a stock OAuth 2 library, as any third-party app would."""
        session = OAuth2Session(client=BackendApplicationClient(client_id=client_id))
        answer = session.fetch_token(f"{self.issuer}/oauth/token", client_id=client_id, client_secret=secret)
        return str(answer["access_token"])

    def call(self, token: str, path: str = "/reports", source: str | None = None) -> requests.Response:
        with requests.Session() as session:
            if source is not None:
                session.mount("http://", FromAddress(source))
            return session.get(self.api + path, headers={"Authorization": f"Bearer {token}"}, timeout=10)

    def use(self, made: dict[str, Any]) -> str:
        say("3", "Fetch a token with requests-oauthlib and call the API")
        token = self.token(made["client_id"], made["client_secret"])
        expect(200, self.call(token), "GET /reports")
        expect(403, self.call(token, "/admin"), "GET /admin, which requires the role cloud_admin")
        expect(403, self.call(token, source=OUTSIDE), f"GET /reports from {OUTSIDE}, outside the range")
        return token

    def regenerate(self, made: dict[str, Any], token: str) -> str:
        say("4", "Regenerate the secret: everything that is out ends")
        fresh = self._admin("POST", f"/v1/credentials/{made['client_id']}/regenerate")
        clicked = time.monotonic()
        answer = self.call(token)
        while answer.status_code == 200 and time.monotonic() - clicked < 10:
            time.sleep(0.005)
            answer = self.call(token)
        milliseconds = (time.monotonic() - clicked) * 1000
        expect(401, answer, f"GET /reports with the old token, {milliseconds:.0f} ms after the reply")
        self._expect_old_secret_refused(made)
        token = self.token(made["client_id"], fresh["client_secret"])
        expect(200, self.call(token), f"GET /reports with a new token, generation {fresh['generation']}")
        return str(fresh["client_secret"])

    def rotate(self, made: dict[str, Any], old_secret: str) -> None:
        say("5", "Rotate with a grace period of an hour: nothing ends early")
        rotated = self._admin("POST", f"/v1/credentials/{made['client_id']}/rotate", {"grace_seconds": 3600})
        for which, secret in (("old", old_secret), ("new", rotated["client_secret"])):
            answer = self.call(self.token(made["client_id"], secret))
            expect(200, answer, f"GET /reports with a token of the {which} secret")
        told("grace ends", rotated["grace_expires_at"])

    def prove(self) -> None:
        say("6", "What happened, from the audit log")
        exported = map(json.loads, self._shell("audit", "export").splitlines())
        lines = [line for line in exported if "event" in line]  # the others are signed statements about them
        for line in sorted(lines, key=lambda line: line["at"]):
            print(f"    {line['at']}  {line['event']:<27} {line['outcome']:<8} {line['actor']}")
        told("audit verify", self._shell("audit", "verify").strip())

    def _expect_old_secret_refused(self, made: dict[str, Any]) -> None:
        answer = requests.post(
            f"{self.issuer}/oauth/token",
            data={"grant_type": "client_credentials"},
            auth=(made["client_id"], made["client_secret"]),
            timeout=10,
        )
        expect(401, answer, "POST /oauth/token with the old secret")

    def _start(self, command: list[str], url: str) -> None:
        process = self._stack.enter_context(running(command, self.environment, self.log))
        wait_until_answers(url, process, self.log)

    def _shell(self, *command: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "app", *command], env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            sys.exit(f"python -m app {command[0]} failed:\n{done.stderr}")
        return done.stdout

    def _admin(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self.admin.request(method, self.issuer + path, json=body, timeout=10)
        if not answer.ok:
            sys.exit(f"{method} {path} answered {answer.status_code}: {answer.text}")
        document: dict[str, Any] = answer.json()
        return document


def say(number: str, chapter: str) -> None:
    print(f"\n{number}. {chapter}", flush=True)


def told(name: str, value: str) -> None:
    print(f"    {name:<14} {value}", flush=True)


def expect(status: int, answer: requests.Response, what: str) -> None:
    """Show the answer; end the demo when it is not what was told."""
    reason = f"  {answer.json()['error']}" if answer.status_code >= 400 else ""
    print(f"    {answer.status_code}{reason:<24} {what}", flush=True)
    if answer.status_code != status:
        sys.exit(f"expected {status}: {answer.text}")


def main() -> None:
    argparse.ArgumentParser(prog="scripts/demo", description=__doc__).parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # the demo stays on this machine
    with tempfile.TemporaryDirectory() as home, ExitStack() as stack:
        story = Story(Path(home), stack)
        story.start()
        made = story.create()
        token = story.use(made)
        secret = story.regenerate(made, token)
        story.rotate(made, secret)
        story.prove()
        print("\nNothing is left running.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)

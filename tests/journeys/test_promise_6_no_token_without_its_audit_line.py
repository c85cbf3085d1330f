"""Promise 6: no token leaves the server without its audit line on disk. If the line cannot be written, the token is
refused."""

from __future__ import annotations

import base64
import contextlib
import json
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import requests

from tests.support.world import a_world, eventually


def token_id(token: str) -> str:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["jti"]


def test_every_token_that_was_handed_out_has_its_line_after_a_crash(tmp_path):
    with a_world(tmp_path) as world:
        node = world.start()
        world.catalogue()
        made = world.credential()
        issued: list[str] = []
        stopped = threading.Event()

        def fetch() -> None:
            with contextlib.suppress(requests.RequestException):
                while not stopped.is_set():
                    issued.append(world.token(made["client_id"], made["client_secret"]))

        with ThreadPoolExecutor(8) as apps:
            for _ in range(8):
                apps.submit(fetch)
            eventually(lambda: len(issued) >= 100, "tokens are issued")
            node.kill()
            stopped.set()
        world.start()
        written = {line["detail"]["jti"] for line in world.audit_lines() if line["event"] == "token:issued"}
        assert {token_id(token) for token in issued} <= written
        assert "whole" in world.shell("audit", "verify").stdout


def test_a_token_is_withheld_while_its_line_cannot_be_written_and_service_resumes(tmp_path):
    with a_world(tmp_path) as world:
        world.start()
        world.catalogue()
        made = world.credential()
        with sqlite3.connect(tmp_path / "tokenserver.db", isolation_level=None) as stranger:
            stranger.execute("BEGIN IMMEDIATE")
            with ThreadPoolExecutor(6) as apps:
                answers = list(apps.map(lambda _: world.ask(made["client_id"], made["client_secret"]), range(6)))
            stranger.execute("ROLLBACK")
        for answer in answers:
            assert answer.status_code == 503
            assert answer.json()["error"] == "temporarily_unavailable"
            assert int(answer.headers["Retry-After"]) >= 1
        assert world.ask(made["client_id"], made["client_secret"]).status_code == 200
        assert "whole" in world.shell("audit", "verify").stdout
        assert requests.get(f"{world.issuer}/readyz", timeout=20).status_code == 200

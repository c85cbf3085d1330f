"""`python -m app serve` as a real process: does it start, say so, end in time, and leave nothing behind?"""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
import requests

from tests.support.world import a_world, eventually, free_port


@pytest.fixture
def world(tmp_path):
    with a_world(tmp_path) as world:
        yield world


def family(node) -> list[psutil.Process]:
    """The master and its workers."""
    master = psutil.Process(node.pid)
    return [master, *master.children(recursive=True)]


def gone(processes) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


def is_taken(port) -> bool:
    """Whether anybody listens there: without the permission to share a port, binding it fails."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


def get(world, path, **more):
    return requests.get(world.issuer + path, timeout=20, **more)


def test_a_node_is_alive_and_ready_and_says_where_it_serves(world):
    node = world.start()
    assert get(world, "/healthz").json() == {"status": "alive"}
    assert get(world, "/readyz").json() == {"status": "ready"}
    assert world.issuer in node.log.read_text()
    assert "tss_" not in node.log.read_text(), "no credential is made that nobody sees"


def test_a_node_whose_database_went_away_is_alive_but_not_ready_until_it_is_back(world):
    world.start()
    database = world.home / "tokenserver.db"
    with sqlite3.connect(database, isolation_level=None) as stranger:
        stranger.execute("ALTER TABLE counter RENAME TO hidden")
        answer = get(world, "/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "temporarily_unavailable")
        assert int(answer.headers["Retry-After"]) >= 1
        assert get(world, "/healthz").status_code == 200
        stranger.execute("ALTER TABLE hidden RENAME TO counter")
    assert get(world, "/readyz").status_code == 200


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_a_signal_ends_it_in_time_with_exit_code_0_and_frees_the_port(world, how):
    node = world.start()
    everybody = family(node)
    began = time.monotonic()
    node._popen.send_signal(how)
    assert node._popen.wait(timeout=20) == 0
    assert time.monotonic() - began < 10
    assert gone(everybody)
    assert not is_taken(world.port)
    assert "Traceback" not in node.log.read_text()


@pytest.mark.slow
def test_requests_that_wait_for_the_feed_are_answered_when_the_server_ends(world):
    node = world.start()
    with ThreadPoolExecutor(3) as threads:
        waiting = [threads.submit(get, world, "/oauth/generations", params={"wait": 25, "after": 0}) for _ in range(3)]
        eventually(lambda: _open_requests(world) >= 3, "they wait")
        node._popen.send_signal(signal.SIGTERM)
        assert node._popen.wait(timeout=20) == 0
        assert [answer.result(timeout=20).status_code for answer in waiting] == [200, 200, 200]


def _open_requests(world) -> int:
    connections = psutil.net_connections(kind="tcp")
    return sum(1 for one in connections if one.status == "ESTABLISHED" and one.laddr and one.laddr[1] == world.port)


def test_a_master_that_is_killed_takes_its_workers_along(world):
    """kill -9: nobody is told. A worker that went on would hold the port and the database."""
    node = world.start()
    everybody = family(node)
    assert len(everybody) > 1
    os.kill(node.pid, signal.SIGKILL)
    eventually(lambda: gone(everybody[1:]), "the workers end")
    eventually(lambda: not is_taken(world.port), "the port is free")
    world.start()
    assert get(world, "/readyz").status_code == 200


def test_a_worker_that_is_killed_is_replaced(world):
    node = world.start()
    (worker, *_) = [process for process in family(node)[1:] if "resource_tracker" not in " ".join(process.cmdline())]
    worker.kill()
    eventually(lambda: _answers(world) and worker.pid not in {p.pid for p in family(node)}, "another one serves")


def _answers(world) -> bool:
    try:
        return get(world, "/readyz").status_code == 200
    except requests.RequestException:
        return False


def start_another(world, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {**world.environment, "TOKENSERVER_HOME": str(home), **environment}
    return subprocess.run(
        [sys.executable, "-m", "app", "serve"],
        env={**kept, "TOKENSERVER_PORT": str(world.port)},
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_a_second_server_on_the_same_port_is_refused_and_says_so(world, tmp_path):
    """Linux would let them share it, and every other request would meet another database."""
    world.start()
    other = start_another(world, tmp_path / "other")
    assert other.returncode != 0
    assert str(world.port) in other.stderr
    assert "Traceback" not in other.stderr
    assert [get(world, "/readyz").status_code for _ in range(10)] == [200] * 10


def test_an_address_that_is_not_ours_is_refused_and_says_so(world, tmp_path):
    other = start_another(world, tmp_path / "other", TOKENSERVER_HOST="192.0.2.1")
    assert other.returncode != 0
    assert "192.0.2.1" in other.stderr
    assert "Traceback" not in other.stderr


def test_options_of_the_command_line_win(tmp_path):
    port = free_port()
    with a_world(tmp_path) as world:
        del world.environment["TOKENSERVER_ISSUER"]
        log = tmp_path / "serve.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "app", "serve", "--host", "127.0.0.1", "--port", str(port)],
                env={**world.environment, "TOKENSERVER_PORT": "1"},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            world.issuer = f"http://127.0.0.1:{port}"
            eventually(lambda: _answers(world), "it answers")
            assert get(world, "/.well-known/oauth-authorization-server").json()["issuer"] == world.issuer
        finally:
            process.terminate()
            process.wait(timeout=20)


def test_log_lines_are_json_one_a_line(tmp_path):
    with a_world(tmp_path, token_log_sample="1", log_level="INFO") as world:
        node = world.start()
        for _ in range(3):
            world.ask("nobody", "nothing\r\n\x85\x1b[31m")
        node.stop()
        lines = [line for line in node.log.read_text().splitlines() if line.startswith("{")]
        events = [json.loads(line) for line in lines]
        asked = [event for event in events if event["event"] == "token request"]
        assert len(asked) == 3
        for event in asked:
            assert (event["level"], event["status"]) == ("info", 401)
            assert len(event["request_id"]) == 16
        assert all(line.isascii() for line in lines)


@pytest.mark.slow
def test_several_workers_serve_one_installation(tmp_path):
    with a_world(tmp_path, workers="2") as world:
        world.start()
        world.catalogue()
        made = world.credential()
        answers = [world.ask(made["client_id"], made["client_secret"]).status_code for _ in range(60)]
        assert set(answers) == {200}
        lines = [line for line in world.audit_lines() if line["event"] == "token:issued"]
        assert len(lines) >= 60
        assert "whole" in world.shell("audit", "verify").stdout

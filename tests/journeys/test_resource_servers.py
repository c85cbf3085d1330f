"""Every framework's guide runs as it is printed, under its usual server with two processes, against a real token
server; and what is regenerated is refused by each of them."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import aiohttp
import grpc
import pytest
import requests

from tests.support.guides import read_guide
from tests.support.world import AUDIENCE, Process, World, eventually, free_port

ISSUER = "https://auth.example.com"
HTTP = [
    (name, at) for name in ("flask", "fastapi", "django", "wsgi-asgi") for at in range(len(read_guide(name).commands))
]
PRELOADED = [
    pytest.param("flask", "api:app", marks=pytest.mark.slow),
    pytest.param("django", "my_site:application", marks=pytest.mark.slow),
    ("wsgi-asgi", "api:app"),  # what forks is the same under all of them
]


@pytest.fixture
def place(world, tmp_path):
    """Where a guide's program is set up and run."""
    running: list[Process] = []

    def start(name: str, command: list[str]) -> Process:
        for file, text in read_guide(name).files.items():
            assert AUDIENCE in text or "Verifier(" not in text
            (tmp_path / file).write_text(text.replace(ISSUER, world.issuer), encoding="utf-8")
        environment = {**world.environment, "PYTHONPATH": f"{tmp_path}{os.pathsep}{world.environment['PYTHONPATH']}"}
        running.append(Process(command, environment, tmp_path / "log"))
        return running[-1]

    yield start
    for process in running:
        process.stop()


def get(url: str, token: str = "", **headers: str) -> requests.Response:
    proof = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.get(url, headers={**headers, **proof, "Connection": "close"}, timeout=20)


def told(url: str, token: str, **headers: str) -> requests.Response:
    """The answer of a process that knows: each hears of keys and endings by itself, and says 503 until it has."""
    answers = (get(url, token, **headers) for _ in range(1000))
    found: list[requests.Response] = eventually(
        lambda: [answer for answer in [next(answers)] if answer.status_code != 503], "each process has heard"
    )
    return found[0]


def up(url: str, process: Process) -> bool:
    assert process.alive(), process.log.read_text()
    try:
        return get(url).ok
    except requests.RequestException:
        return False


def the_story(world: World, base: str) -> None:
    """Refused, let in, refused for the want of a role, and ended."""
    made = world.credential()
    token = world.token(made["client_id"], made["client_secret"])
    assert get(f"{base}/reports").status_code == 401
    assert get(f"{base}/reports").headers["WWW-Authenticate"].startswith("Bearer ")
    assert told(f"{base}/reports", token).json() == {"hello": made["client_id"]}
    assert told(f"{base}/admin", token).status_code == 403
    admin = world.credential(roles=["cloud_admin"])
    assert told(f"{base}/admin", world.token(admin["client_id"], admin["client_secret"])).status_code == 200

    here = world.credential(allowed_ips="127.0.0.0/8")
    held = world.token(here["client_id"], here["client_secret"])
    said = {"X-Forwarded-For": "198.51.100.7", "Forwarded": "for=198.51.100.7", "X-Real-IP": "198.51.100.7"}
    assert told(f"{base}/reports", held, **said).status_code == 200, "nobody has said that a proxy is to be believed"

    fresh = world.manage("POST", f"/v1/credentials/{made['client_id']}/regenerate")

    def refused_by_all() -> bool:
        return {told(f"{base}/reports", token).status_code for _ in range(12)} == {401}

    eventually(refused_by_all, "every process refuses the old token")
    assert told(f"{base}/reports", world.token(made["client_id"], fresh["client_secret"])).status_code == 200
    assert refused_by_all(), "they stay refused"


@pytest.mark.parametrize(("name", "at"), HTTP, ids=[f"{name}-{at}" for name, at in HTTP])
def test_the_guide_of_a_framework_runs_as_it_is_printed(name, at, world, place):
    port = free_port()
    program, *options = read_guide(name).commands[at]
    process = place(name, ["-m", program, *options, "--host", "127.0.0.1", "--port", str(port)])
    base = f"http://127.0.0.1:{port}"
    eventually(lambda: up(f"{base}/healthz", process), f"{program} serves")
    the_story(world, base)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.parametrize(("name", "app"), PRELOADED)
def test_an_app_that_was_loaded_and_asked_before_the_fork_hears_of_endings_in_each_process(name, app, world, place):
    port = free_port()
    process = place(name, ["-m", "tests.support.preforked", app, str(port)])
    base = f"http://127.0.0.1:{port}"
    eventually(lambda: up(f"{base}/healthz", process), "it serves")
    the_story(world, base)
    workers = eventually(
        lambda: len(found := {get(f"{base}/healthz").headers["X-Worker"] for _ in range(12)}) > 1 and found,
        "both processes answer",
    )
    assert len(workers) == 2


def test_the_guide_for_grpc_runs_as_it_is_printed(world, place, tmp_path):
    port = free_port()
    python, file, _ = read_guide("grpc").commands[0]
    assert python == "python"
    process = place("grpc", [str(tmp_path / file), str(port)])
    made = world.credential()
    token = world.token(made["client_id"], made["client_secret"])

    def call(token: str) -> Any:
        assert process.alive(), process.log.read_text()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            try:
                read: Any = channel.unary_unary("/reports.Reports/Read")
                return read(b"", metadata=[("authorization", f"Bearer {token}")] if token else [], timeout=20)
            except grpc.RpcError as fault:
                return fault.code()

    eventually(lambda: call(token) == made["client_id"].encode(), "the caller is let in")
    assert call("") is grpc.StatusCode.UNAUTHENTICATED
    world.manage("POST", f"/v1/credentials/{made['client_id']}/regenerate")
    eventually(lambda: call(token) is grpc.StatusCode.UNAUTHENTICATED, "the old token is refused")


def test_an_open_websocket_ends_with_its_token(world, place):
    port = free_port()
    program, *options = read_guide("wsgi-asgi").commands[1]
    process = place("wsgi-asgi", ["-m", program, *options, "--host", "127.0.0.1", "--port", str(port)])
    base = f"http://127.0.0.1:{port}"
    eventually(lambda: up(f"{base}/healthz", process), f"{program} serves")
    made = world.credential()
    token = world.token(made["client_id"], made["client_secret"])
    eventually(lambda: get(f"{base}/reports", token).status_code == 200, "it has heard of the keys")

    async def talk() -> int | None:
        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{base}/live", headers=headers) as socket:
            await socket.send_str("hello")
            assert (await socket.receive()).data == f"{made['client_id']} says hello"
            await asyncio.to_thread(world.manage, "POST", f"/v1/credentials/{made['client_id']}/regenerate")
            for _ in range(2000):
                await socket.send_str("still there?")
                if (await socket.receive(timeout=20)).type is not aiohttp.WSMsgType.TEXT:
                    return socket.close_code
                await asyncio.sleep(0.02)
        return None

    assert asyncio.run(talk()) == 1008

    async def refused() -> int:
        async with aiohttp.ClientSession() as session:
            try:
                await session.ws_connect(f"{base}/live")
            except aiohttp.WSServerHandshakeError as fault:
                return fault.status
        return 101

    assert asyncio.run(refused()) in {401, 403}

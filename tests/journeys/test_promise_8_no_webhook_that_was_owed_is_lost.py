"""Promise 8, second half: kill -9 between a change and its delivery loses no webhook that was owed."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import requests
from standardwebhooks import Webhook

from app.services.clockwork import LEASE_SECONDS
from tests.support.receivers import a_receiver, answering, hanging
from tests.support.world import Process, World, a_world, eventually, free_port

ON_LOOPBACK = {"webhook_allowed_networks": "127.0.0.0/8", "webhook_plain_http": "true"}


def listen(world: World, url: str, *events: str) -> Any:
    return world.manage("POST", "/v1/webhooks", {"url": url, "events": list(events)})


def told(receiver, type_: str) -> set[str]:
    """The IDs of the events of a type that a receiver has seen."""
    bodies = [(one.headers["webhook-id"], one.body) for one in list(receiver.received)]
    return {event_id for event_id, body in bodies if f'"type":"{type_}"'.encode() in body}


@pytest.mark.slow
@pytest.mark.parametrize("after", [2, 11])
def test_kill_9_in_a_stream_of_changes_loses_no_webhook_of_a_confirmed_one(tmp_path, after):
    with a_world(tmp_path, **ON_LOOPBACK) as world, a_receiver() as receiver:
        node = world.start()
        world.catalogue()
        secret = listen(world, receiver.url, "credential.created")["secret"]
        confirmed: list[str] = []

        def create_without_end() -> None:
            try:
                while True:
                    name = f"number {len(confirmed)}"
                    confirmed.append(world.manage("POST", "/v1/credentials", {"name": name})["client_id"])
            except requests.RequestException:
                return

        stream = threading.Thread(target=create_without_end)
        stream.start()
        eventually(lambda: len(confirmed) > after, "credentials are created")
        node.kill()
        stream.join()

        world.start()

        def believed() -> set[str]:
            return {
                Webhook(secret).verify(one.body, one.headers)["data"]["credential"] for one in list(receiver.received)
            }

        eventually(lambda: believed() >= set(confirmed), "every confirmed change is told, and signed", seconds=90)


@pytest.mark.slow
def test_kill_9_while_a_receiver_hangs_has_it_told_again_under_the_same_id(tmp_path):
    with a_world(tmp_path, **ON_LOOPBACK) as world, a_receiver(hanging) as receiver:
        node = world.start()
        listen(world, receiver.url, "webhook.created")
        eventually(lambda: told(receiver, "webhook.created"), "it is being told")
        node.kill()
        receiver.behaviour = answering()
        before = told(receiver, "webhook.created")
        world.start()
        eventually(lambda: len(receiver.received) >= 2, "it is told again when its claim has run out", seconds=110)
        assert told(receiver, "webhook.created") == before


@pytest.mark.slow
def test_of_two_nodes_one_delivers_each_event_once_and_at_its_end_the_other_takes_over(tmp_path):
    with a_world(tmp_path, **ON_LOOPBACK) as world, a_receiver() as receiver:
        first = world.start()
        listen(world, receiver.url, "role.created")
        port = free_port()
        world.start(port)
        for number in range(20):
            world.manage("POST", "/v1/roles", {"name": f"role_{number}"})
        eventually(lambda: len(told(receiver, "role.created")) == 20, "all are told")
        assert len(receiver.received) == 20, "each once"
        report = world.shell("jobs", "list").stdout
        assert "webhooks every 1 s, last ran" in report
        before = report.rpartition("Process ")[2]

        first.stop()

        make: dict[str, Any] = {
            "json": {"name": "one_more"},
            "headers": {"Authorization": f"Bearer {world._admin_token}"},
        }
        assert requests.post(f"http://127.0.0.1:{port}/v1/roles", timeout=20, **make).status_code == 201
        eventually(lambda: len(told(receiver, "role.created")) == 21, "the other one tells", seconds=LEASE_SECONDS - 3)
        assert world.shell("jobs", "list").stdout.rpartition("Process ")[2] != before
        assert len(receiver.received) == 21


@pytest.mark.slow
def test_the_work_of_the_clock_can_be_done_by_a_process_of_its_own(tmp_path):
    with a_world(tmp_path, **ON_LOOPBACK) as world, a_receiver() as receiver:
        node = world.start()
        listen(world, receiver.url, "role.created")
        node.stop()
        alone = Process(["-m", "app", "jobs", "run"], world.environment, tmp_path / "jobs.log")
        world.processes.append(alone)
        eventually(lambda: "Process" in world.shell("jobs", "list").stdout, "it does the work of the clock")
        world.start()
        world.manage("POST", "/v1/roles", {"name": "role"})
        eventually(lambda: told(receiver, "role.created"), "it is told")
        alone.stop()
        assert "Traceback" not in alone.log.read_text()

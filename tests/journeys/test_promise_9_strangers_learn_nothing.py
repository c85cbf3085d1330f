"""Promise 9: unknown client and wrong secret get the same bytes in the same time."""

from __future__ import annotations

import http.client
import statistics
import time
from base64 import b64encode

import pytest

from tests.support.world import World
from tokenserver.domain.secret import new_client_id, new_secret


def exchange(connection: http.client.HTTPConnection, client_id: str, secret: str) -> tuple[float, bytes]:
    """Seconds, and the whole answer but for its date and request ID."""
    headers = {
        "Authorization": "Basic " + b64encode(f"{client_id}:{secret}".encode()).decode(),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    began = time.perf_counter()
    connection.request("POST", "/oauth/token", "grant_type=client_credentials", headers)
    answer = connection.getresponse()
    body = answer.read()
    took = time.perf_counter() - began
    told = sorted((name, value) for name, value in answer.getheaders() if name.lower() not in {"date", "x-request-id"})
    return took, repr((answer.status, told, body)).encode()


def strangers(world: World) -> dict[str, tuple[str, str]]:
    made, disabled, gone = world.credential(), world.credential(), world.credential()
    world.manage("POST", f"/v1/credentials/{disabled['client_id']}/disable")
    world.manage("DELETE", f"/v1/credentials/{gone['client_id']}")
    return {
        "an unknown client": (new_client_id(), new_secret().reveal()),
        "a wrong secret": (made["client_id"], new_secret().reveal()),
        "a wrong secret of a disabled credential": (disabled["client_id"], new_secret().reveal()),
        "the right secret of a deleted credential": (gone["client_id"], gone["client_secret"]),
        "a secret with a typo": (made["client_id"], made["client_secret"][:-1] + "!"),
        "a client ID of another form": ("admin", new_secret().reveal()),
    }


def test_all_of_them_get_the_same_bytes(world):
    connection = http.client.HTTPConnection("127.0.0.1", world.port, timeout=20)
    answers = {name: exchange(connection, *who)[1] for name, who in strangers(world).items()}
    assert len(set(answers.values())) == 1, answers


@pytest.mark.slow
def test_unknown_client_and_wrong_secret_take_the_same_time(world):
    """Interleaved, and by medians, so that whatever else this machine does meets both alike."""
    connection = http.client.HTTPConnection("127.0.0.1", world.port, timeout=20)
    made = world.credential()
    unknown, wrong = [], []
    for _ in range(400):
        unknown.append(exchange(connection, new_client_id(), new_secret().reveal())[0])
        wrong.append(exchange(connection, made["client_id"], new_secret().reveal())[0])
    ratio = statistics.median(unknown) / statistics.median(wrong)
    assert 0.8 < ratio < 1.25

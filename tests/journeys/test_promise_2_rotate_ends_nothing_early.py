"""Promise 2: with *rotate*, the old secret and its tokens work until the grace period ends, to the second, and not
after it, on every node and every resource server, with no job having to run at that moment."""

from __future__ import annotations

import time
from datetime import datetime

from tests.support.world import eventually


def test_the_old_secret_and_its_tokens_work_to_the_second_and_not_after(world, wsgi_api, asgi_api):
    made = world.credential()
    client_id, old_secret = made["client_id"], made["client_secret"]
    old_token = world.token(client_id, old_secret)
    rotated = world.manage("POST", f"/v1/credentials/{client_id}/rotate", {"grace_seconds": 4})
    ends = datetime.fromisoformat(rotated["grace_expires_at"]).timestamp()
    new_token = world.token(client_id, rotated["client_secret"])

    def seen() -> dict[str, int]:
        return {
            "the old secret": world.ask(client_id, old_secret).status_code,
            "its token at WSGI": world.call(wsgi_api, old_token),
            "its token at ASGI": world.call(asgi_api, old_token),
        }

    looks = 0
    while True:
        began = time.time()
        statuses = seen()
        if time.time() < ends:
            assert set(statuses.values()) == {200}, statuses
            looks += 1
        elif began >= ends:
            assert set(statuses.values()) == {401}, statuses
            break
    assert looks, "the grace period was long enough to be seen"
    assert world.call(wsgi_api, new_token) == world.call(asgi_api, new_token) == 200
    assert world.ask(client_id, rotated["client_secret"]).status_code == 200


def test_a_token_of_the_retiring_secret_never_outlives_the_grace_period(world):
    made = world.credential()
    world.manage("POST", f"/v1/credentials/{made['client_id']}/rotate", {"grace_seconds": 30})
    assert world.ask(made["client_id"], made["client_secret"]).json()["expires_in"] <= 31


def test_a_second_rotation_is_refused_with_what_to_do_instead(world):
    made = world.credential()
    world.manage("POST", f"/v1/credentials/{made['client_id']}/rotate", {"grace_seconds": 3600})
    again = world.admin("POST", f"/v1/credentials/{made['client_id']}/rotate", {"grace_seconds": 3600})
    assert again.status_code == 409
    assert "finish or cancel" in again.json()["title"]


def test_finishing_early_ends_the_old_secret_and_its_tokens_and_nothing_else(world, api):
    made = world.credential()
    old_token = world.token(made["client_id"], made["client_secret"])
    rotated = world.manage("POST", f"/v1/credentials/{made['client_id']}/rotate", {"grace_seconds": 3600})
    new_token = world.token(made["client_id"], rotated["client_secret"])
    assert world.call(api, old_token) == world.call(api, new_token) == 200
    world.manage("POST", f"/v1/credentials/{made['client_id']}/rotation/finish")
    assert world.ask(made["client_id"], made["client_secret"]).status_code == 401
    eventually(lambda: world.call(api, old_token) == 401, "the old token is refused")
    assert world.call(api, new_token) == 200


def test_cancelling_withdraws_the_new_secret_and_the_old_one_goes_on(world, api):
    made = world.credential()
    rotated = world.manage("POST", f"/v1/credentials/{made['client_id']}/rotate", {"grace_seconds": 3600})
    new_token = world.token(made["client_id"], rotated["client_secret"])
    assert world.call(api, new_token) == 200
    world.manage("POST", f"/v1/credentials/{made['client_id']}/rotation/cancel")
    assert world.ask(made["client_id"], rotated["client_secret"]).status_code == 401
    eventually(lambda: world.call(api, new_token) == 401, "the withdrawn secret's token is refused")
    assert world.call(api, world.token(made["client_id"], made["client_secret"])) == 200

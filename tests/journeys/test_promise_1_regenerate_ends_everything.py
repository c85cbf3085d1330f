"""Promise 1: after the reply to *regenerate*, no node accepts the old secret, and every resource server refuses every
token that was issued before, within the feed interval. One whose feed is too old refuses rather than guesses."""

from __future__ import annotations

import requests

from tests.support.world import a_world, eventually


def test_every_resource_server_refuses_every_token_that_was_out(world, wsgi_api, asgi_api):
    made = world.credential()
    tokens = [world.token(made["client_id"], made["client_secret"]) for _ in range(3)]
    apis = [wsgi_api, asgi_api, world.start_api()]
    assert all(world.call(api, token) == 200 for api in apis for token in tokens)

    fresh = world.manage("POST", f"/v1/credentials/{made['client_id']}/regenerate")

    def refused_everywhere() -> bool:
        return all(world.call(api, token) == 401 for api in apis for token in tokens)

    eventually(refused_everywhere, "every old token is refused")
    assert fresh["generation"] == 2
    token = world.token(made["client_id"], fresh["client_secret"])
    assert all(world.call(api, token) == 200 for api in apis)
    assert refused_everywhere(), "they stay refused"


def test_the_old_secret_is_refused_from_the_reply_on(world):
    made = world.credential()
    for _ in range(5):
        fresh = world.manage("POST", f"/v1/credentials/{made['client_id']}/regenerate")
        assert world.ask(made["client_id"], made["client_secret"]).status_code == 401
        assert world.ask(made["client_id"], fresh["client_secret"]).status_code == 200
        made["client_secret"] = fresh["client_secret"]


def test_a_restarted_resource_server_still_refuses_what_was_ended(world):
    made = world.credential()
    old = world.token(made["client_id"], made["client_secret"])
    world.manage("POST", f"/v1/credentials/{made['client_id']}/regenerate")
    assert world.call(world.start_api(), old) == 401


def test_a_resource_server_whose_feed_is_too_old_refuses_rather_than_guesses(tmp_path):
    with a_world(tmp_path) as world:
        node = world.start()
        world.catalogue()
        api = world.start_api(max_staleness=2.0)
        made = world.credential()
        token = world.token(made["client_id"], made["client_secret"])
        assert world.call(api, token) == 200
        node.kill()
        eventually(lambda: world.call(api, token) == 503, "a stale feed refuses")
        answer = requests.get(f"{api}/any", headers={"Authorization": f"Bearer {token}"}, timeout=20)
        assert int(answer.headers["Retry-After"]) >= 1
        world.start()
        eventually(lambda: world.call(api, token) == 200, "it goes on when the feed is fresh again")

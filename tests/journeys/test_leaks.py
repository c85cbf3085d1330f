"""A secret that somebody found is dead everywhere, tokens included, without anybody being told a new one."""

from __future__ import annotations

import requests

from tests.support.world import eventually


def test_whoever_finds_a_secret_ends_it_everywhere(world, api):
    made = world.credential()
    client_id, secret = made["client_id"], made["client_secret"]
    token = world.token(client_id, secret)
    assert world.call(api, token) == 200
    found = {"secret": secret, "url": "https://paste.example.com/1", "source": "paste"}
    told = requests.post(f"{world.issuer}/oauth/leaked", data=found, timeout=20)
    assert told.status_code == 200
    assert world.ask(client_id, secret).status_code == 401
    eventually(lambda: world.call(api, token) == 401, "the protected API refuses the token")
    assert world.manage("GET", f"/v1/credentials/{client_id}")["secrets"][0]["state"] == "ended"
    again = requests.post(f"{world.issuer}/oauth/leaked", data={"secret": "tss_nobodys"}, timeout=20)
    assert (again.status_code, again.content) == (told.status_code, told.content)
    lines = [line for line in world.audit_lines() if line["event"] == "secret:leaked"]
    assert client_id in {line["credential"] for line in lines}
    fresh = world.manage("POST", f"/v1/credentials/{client_id}/regenerate")["client_secret"]
    assert world.call(api, world.token(client_id, fresh)) == 200

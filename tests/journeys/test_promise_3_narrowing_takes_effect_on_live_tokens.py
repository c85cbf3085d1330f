"""Promise 3: removing a role, scope or address range, disabling, revoking, deleting and expiring end what was issued
under wider terms. Widening disturbs nobody."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from tests.support.world import AUDIENCE, eventually

GRANT = {"audience": AUDIENCE, "access": "custom", "scopes": ["reports:read", "reports:write"]}
WIDE = {
    "roles": ["reader", "cloud_admin"],
    "allowed_ips": "127.0.0.0/8, 192.0.2.0/24",
    "grants": [GRANT],
    "token_lifetime": 900,
}
NARROWINGS = {
    "removing a role": {"roles": ["reader"]},
    "removing a scope": {"grants": [{**GRANT, "scopes": ["reports:read"]}]},
    "removing an address range": {"allowed_ips": "127.0.0.0/8"},
    "a shorter lifetime": {"token_lifetime": 60},
    "an expiry": {"expires_at": "2099-01-01T00:00:00Z"},
}
ENDINGS = {
    "disabling": ("POST", "/disable"),
    "revoking": ("POST", "/revoke"),
    "deleting": ("DELETE", ""),
}


@pytest.mark.parametrize("change", NARROWINGS.values(), ids=NARROWINGS.keys())
def test_narrowing_ends_the_tokens_that_are_out(world, wsgi_api, change):
    made = world.credential(**WIDE, expires_at=None)
    token = world.token(made["client_id"], made["client_secret"])
    assert world.call(wsgi_api, token) == 200
    assert world.patch(made["client_id"], **change)["generation"] == 2
    eventually(lambda: world.call(wsgi_api, token) == 401, "the token of wider terms is refused")
    assert world.call(wsgi_api, world.token(made["client_id"], made["client_secret"])) == 200


@pytest.mark.parametrize(("method", "action"), ENDINGS.values(), ids=ENDINGS.keys())
def test_ending_a_credential_ends_its_tokens(world, api, method, action):
    made = world.credential()
    token = world.token(made["client_id"], made["client_secret"])
    assert world.call(api, token) == 200
    world.manage(method, f"/v1/credentials/{made['client_id']}{action}", {} if method == "POST" else None)
    assert world.ask(made["client_id"], made["client_secret"]).status_code == 401
    eventually(lambda: world.call(api, token) == 401, "its token is refused")


def test_enabling_does_not_bring_back_the_tokens_of_before(world, wsgi_api):
    made = world.credential()
    old = world.token(made["client_id"], made["client_secret"])
    world.manage("POST", f"/v1/credentials/{made['client_id']}/disable")
    world.manage("POST", f"/v1/credentials/{made['client_id']}/enable")
    eventually(lambda: world.call(wsgi_api, old) == 401, "the token of before is refused")
    assert world.call(wsgi_api, world.token(made["client_id"], made["client_secret"])) == 200


def test_a_credential_that_expires_ends_with_its_tokens_at_that_second(world, wsgi_api):
    ends = int(time.time()) + 4
    made = world.credential(expires_at=datetime.fromtimestamp(ends, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    token = world.token(made["client_id"], made["client_secret"])
    while True:
        began = time.time()
        statuses = {world.call(wsgi_api, token), world.ask(made["client_id"], made["client_secret"]).status_code}
        if time.time() < ends:
            assert statuses == {200}
        elif began >= ends:
            assert statuses == {401}
            return


def test_widening_disturbs_nobody(world, api):
    made = world.credential(roles=["reader"], allowed_ips="127.0.0.0/8", token_lifetime=600)
    token = world.token(made["client_id"], made["client_secret"])
    wider = world.patch(
        made["client_id"], roles=["reader", "cloud_admin"], allowed_ips=None, token_lifetime=900, expires_at=None
    )
    assert wider["generation"] == made["generation"] == 1
    marker = world.credential()
    told = world.token(marker["client_id"], marker["client_secret"])
    world.manage("POST", f"/v1/credentials/{marker['client_id']}/regenerate")
    eventually(lambda: world.call(api, told) == 401, "the feed has moved past the widening")
    assert world.call(api, token) == 200


def test_deleting_a_role_with_cascade_takes_it_from_live_tokens(world, wsgi_api):
    role = world.manage("POST", "/v1/roles", {"name": "short_lived", "description": "", "audience": None})
    made = world.credential(roles=["reader", "short_lived"])
    token = world.token(made["client_id"], made["client_secret"])
    assert world.call(wsgi_api, token) == 200
    refused = world.admin("DELETE", f"/v1/roles/{role['id']}")
    assert refused.status_code == 409
    assert refused.json()["client_ids"] == [made["client_id"]]
    world.manage("DELETE", f"/v1/roles/{role['id']}?cascade=true")
    eventually(lambda: world.call(wsgi_api, token) == 401, "the token with the deleted role is refused")

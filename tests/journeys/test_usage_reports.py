"""An end is proven: each resource server tells that it has applied it, and what it saw of the credential before."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.support.world import AUDIENCE, World, a_world, eventually

ADMIN = "urn:tokenserver:admin"


@pytest.fixture
def own_world(tmp_path):
    with a_world(tmp_path / "world") as world:
        world.start()
        world.catalogue()
        yield world


def at(world: World, url: str) -> Any:
    return world.manage("GET", url.removeprefix(world.issuer))


def test_two_apis_prove_within_seconds_that_a_regeneration_has_arrived_and_one_that_is_killed_is_silent(own_world):
    world = own_world
    reporter = world.manage(
        "POST",
        "/v1/credentials",
        {"name": "reporter", "grants": [{"audience": ADMIN, "access": "custom", "scopes": ["usage:write"]}]},
    )
    given = {"client_id": reporter["client_id"], "secret": reporter["client_secret"], "interval": 0.5}
    apis = [world.start_api(kind=kind, reports={**given, "instance": f"api-{kind}"}) for kind in ("wsgi", "asgi")]
    made = world.credential()
    token = world.token(made["client_id"], made["client_secret"])
    assert [world.call(api, token) for api in apis for _ in range(3)] == [200] * 6

    usage = f"/v1/credentials/{made['client_id']}/usage"
    found = eventually(lambda: (seen := at(world, usage))["count"] == 6 and seen, "every call is told")
    assert [api["audience"] for api in found["apis"]] == [AUDIENCE]
    assert [one["address"] for one in found["addresses"]] == ["127.0.0.1"]

    done = world.manage("POST", f"/v1/credentials/{made['client_id']}/regenerate")
    (proof,) = done["proofs"]
    shown = eventually(lambda: (seen := at(world, proof))["applied"] == 2 and seen, "both have applied it")
    assert shown["total"] == 2
    assert shown["summary"].startswith(f"2 of 2 have applied change {done['feed_seq']}, ")
    assert [world.call(api, token) for api in apis] == [401, 401]

    world.processes[-1].kill()
    shown = eventually(lambda: (seen := at(world, proof))["silent"] == 1 and seen, "the killed one is silent")
    assert [one["instance"] for one in shown["instances"] if one["silent"]] == ["api-asgi"]
    later = world.manage("POST", f"/v1/credentials/{made['client_id']}/disable")
    (proof,) = later["proofs"]
    shown = eventually(lambda: (seen := at(world, proof))["applied"] == 1 and seen, "the living one has applied it")
    assert shown["summary"] == f"1 of 2 have applied change {later['feed_seq']}; 1 silent."


def test_what_is_not_used_and_what_a_narrower_credential_would_have_been_refused_is_known_before(own_world):
    world = own_world
    reporter = world.manage(
        "POST",
        "/v1/credentials",
        {"name": "reporter", "grants": [{"audience": ADMIN, "access": "custom", "scopes": ["usage:write"]}]},
    )
    given = {"client_id": reporter["client_id"], "secret": reporter["client_secret"], "interval": 0.5}
    api = world.start_api(reports={**given, "instance": "api-1"})
    made = world.credential(roles=["reader", "cloud_admin"])
    token = world.token(made["client_id"], made["client_secret"])
    assert [world.call(api, token, path) for path in ("/reader", "/reader", "/write")] == [200] * 3
    path = f"/v1/credentials/{made['client_id']}"
    found = eventually(lambda: (seen := at(world, f"{path}/usage"))["count"] == 3 and seen, "every call is told")
    assert (found["unused_roles"], found["unused_scopes"]) == (
        ["cloud_admin"],
        [{"audience": AUDIENCE, "scopes": ["reports:read"]}],
    )
    foreseen = world.manage("POST", f"{path}/preview", {"roles": ["cloud_admin"], "allowed_ips": "127.0.0.0/8"})
    assert (foreseen["ends_tokens"], foreseen["calls"], foreseen["refused"]) == (True, 3, 2)
    assert foreseen["reasons"] == [{"reason": "role", "audience": AUDIENCE, "what": "reader", "count": 2}]
    assert world.call(api, token, "/reader") == 200, "nothing has changed"


def test_in_a_grace_period_each_call_moves_the_last_use_of_the_secret_behind_its_token(own_world):
    world = own_world
    reporter = world.manage(
        "POST",
        "/v1/credentials",
        {"name": "reporter", "grants": [{"audience": ADMIN, "access": "custom", "scopes": ["usage:write"]}]},
    )
    given = {"client_id": reporter["client_id"], "secret": reporter["client_secret"], "interval": 0.5}
    api = world.start_api(reports={**given, "instance": "api-1"})
    made = world.credential()
    path = f"/v1/credentials/{made['client_id']}"
    old = world.token(made["client_id"], made["client_secret"])
    rotated = world.manage("POST", f"{path}/rotate", {"grace_seconds": 3600})
    new = world.token(made["client_id"], rotated["client_secret"])

    def last_uses() -> dict[str, str]:
        return {secret["state"]: secret["last_used_at"] for secret in at(world, path)["secrets"]}

    def is_moved_by(token: str, state: str) -> bool:
        calls.append(world.call(api, token))
        return last_uses()[state] > fetched[state]

    def is_all_told() -> bool:
        return bool(at(world, f"{path}/usage")["count"] == len(calls))

    calls: list[int] = []
    fetched = last_uses()
    for token, state, other in ((old, "retiring", "current"), (new, "current", "retiring")):
        before = last_uses()
        eventually(partial(is_moved_by, token, state), f"the {state} secret is known to be used")
        eventually(is_all_told, "every call is told")
        assert last_uses()[other] == before[other], "and of the other one nothing is said"
    assert set(calls) == {200}


def test_a_reporter_without_a_server_lets_requests_pass(own_world):
    world = own_world
    given = {"client_id": "tsc_nobody", "secret": "tss_wrong", "interval": 0.5, "instance": "api-1"}
    api = world.start_api(reports=given)
    made = world.credential()
    token = world.token(made["client_id"], made["client_secret"])
    assert world.call(api, token) == 200
    log = world.processes[-1].log
    eventually(lambda: "no token for the reporter" in log.read_text(), "it is said why nothing is told")
    assert "tss_wrong" not in log.read_text()
    assert world.call(api, token) == 200

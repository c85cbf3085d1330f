"""Promise 4: restrictions hold at the token endpoint and at every resource server, from claims in the token."""

from __future__ import annotations

import pytest
import requests

from tests.support.world import AUDIENCE, a_world


def test_a_role_that_is_missing_is_refused_at_the_resource_server(world, api):
    made = world.credential(roles=["reader"])
    token = world.token(made["client_id"], made["client_secret"])
    assert world.call(api, token, "/reader") == 200
    assert world.call(api, token, "/admin") == 403


def test_a_scope_that_was_not_granted_is_refused_in_both_places(world, api):
    read_only = world.credential(grants=[{"audience": AUDIENCE, "access": "all_read"}])
    refused = world.ask(read_only["client_id"], read_only["client_secret"], scope="reports:write")
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")
    token = world.token(read_only["client_id"], read_only["client_secret"])
    assert world.call(api, token, "/write") == 403


def test_a_token_asked_for_with_less_scope_can_do_less(world, api):
    made = world.credential()
    token = world.token(made["client_id"], made["client_secret"], scope="reports:read")
    assert world.call(api, token, "/write") == 403
    assert world.call(api, world.token(made["client_id"], made["client_secret"]), "/write") == 200


def test_a_sensitive_scope_is_not_part_of_all(world):
    made = world.credential()
    assert "keys:write" not in world.ask(made["client_id"], made["client_secret"]).json()["scope"].split()


CALLS = {
    "an address inside the range": ("192.0.2.77", 200),
    "the last address of the range": ("192.0.3.254", 200),
    "an IPv4 address in IPv6 clothing": ("::ffff:192.0.2.1", 200),
    "the address after the range": ("192.0.3.255", 403),
    "an IPv6 address": ("2001:db8::1", 403),
    "no address at all": ("unknown", 403),
}


@pytest.mark.parametrize(("address", "status"), CALLS.values(), ids=CALLS.keys())
def test_addresses_are_checked_at_every_resource_server(world, api, address, status):
    token = world.ranged_token
    headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": address}
    assert requests.get(f"{api}/any", headers=headers, timeout=20).status_code == status


@pytest.fixture(autouse=True, scope="module")
def _ranged_token(world):
    """Fetched from inside, used from everywhere."""
    made = world.credential(allowed_ips="192.0.2.1 - 192.0.3.254, 127.0.0.1")
    world.ranged_token = world.token(made["client_id"], made["client_secret"])


@pytest.mark.parametrize(("address", "status"), CALLS.values(), ids=CALLS.keys())
def test_addresses_are_checked_at_the_token_endpoint(proxied_world, address, status):
    world, made = proxied_world
    answer = requests.post(
        f"{world.issuer}/oauth/token",
        data={"grant_type": "client_credentials"},
        auth=(made["client_id"], made["client_secret"]),
        headers={"X-Forwarded-For": address},
        timeout=20,
    )
    assert answer.status_code == (200 if status == 200 else 400)
    if status != 200:
        assert answer.json()["error"] == "unauthorized_client"


@pytest.fixture(scope="module")
def proxied_world(tmp_path_factory):
    """A server behind a proxy on this machine."""
    with a_world(tmp_path_factory.mktemp("proxied"), trusted_proxies="127.0.0.0/8") as world:
        world.start()
        world.catalogue()
        yield world, world.credential(allowed_ips="192.0.2.1 - 192.0.3.254")


def test_forwarding_headers_mean_nothing_where_no_proxy_is_trusted(world):
    made = world.credential(allowed_ips="192.0.2.1")
    answer = requests.post(
        f"{world.issuer}/oauth/token",
        data={"grant_type": "client_credentials"},
        auth=(made["client_id"], made["client_secret"]),
        headers={"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.1"},
        timeout=20,
    )
    assert answer.status_code == 400


def test_a_list_too_long_for_a_token_is_carried_by_reference_and_holds_just_so(world, api):
    ranges = [f"198.18.{i}.{j}" for i in range(20) for j in range(0, 250, 2)]
    made = world.credential(allowed_ips=["127.0.0.1", *ranges])
    token = world.token(made["client_id"], made["client_secret"])
    assert len(token) < 4096

    def call(address: str) -> int:
        headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": address}
        return requests.get(f"{api}/any", headers=headers, timeout=20).status_code

    assert [call("198.18.7.10"), call("198.18.7.11"), call("127.0.0.1")] == [200, 403, 200]

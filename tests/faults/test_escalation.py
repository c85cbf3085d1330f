"""Nobody raises their own rights through another credential, nor reaches one that holds more."""

from __future__ import annotations

import pytest
import requests

from tests.support.world import AUDIENCE

ADMIN = "urn:tokenserver:admin"


def scopes(*names: str) -> list[dict[str, object]]:
    return [{"audience": ADMIN, "access": "custom", "scopes": list(names)}]


@pytest.fixture
def act_as(world):
    """Calls of the admin API with the rights of a credential made for it."""

    def made(*names, **terms):
        credential = world.credential(roles=[], grants=scopes(*names), **terms)
        headers = {"Authorization": f"Bearer {world.token(credential['client_id'], credential['client_secret'])}"}

        def call(method, path, body=None, **more):
            url = world.issuer + path
            return requests.request(method, url, json=body, headers={**headers, **more}, timeout=20).status_code

        return credential, call

    return made


def test_a_credential_with_more_admin_scopes_than_ones_own_is_out_of_reach(world, act_as):
    _, call = act_as("credentials:read", "credentials:write")
    strong, _ = act_as("credentials:read", "credentials:write", "roles:write")
    path = f"/v1/credentials/{strong['client_id']}"
    for action in ("/regenerate", "/rotate", "/disable", "/revoke"):
        assert call("POST", path + action, {}) == 403
    assert call("DELETE", path) == 403
    assert call("PATCH", path, {"name": "mine"}, **{"If-Match": "*"}) == 403
    assert call("POST", "/v1/credentials", {"name": "x", "grants": scopes("roles:write")}) == 403


def test_an_administrator_does_not_lift_its_own_address_restriction(act_as):
    own, call = act_as("credentials:read", "credentials:write", allowed_ips="127.0.0.0/8")
    path = f"/v1/credentials/{own['client_id']}"
    assert call("PATCH", path, {"allowed_ips": None}, **{"If-Match": "*"}) == 403
    wider = {"name": "wider", "grants": scopes("credentials:write"), "allowed_ips": "0.0.0.0/0"}
    assert call("POST", "/v1/credentials", wider) == 403
    assert call("PATCH", path, {"allowed_ips": "127.0.0.1"}, **{"If-Match": "*"}) == 200


def test_a_cascade_does_not_reach_a_credential_that_holds_more(world, act_as):
    role = world.manage("POST", "/v1/roles", {"name": "held_high", "description": "", "audience": None})
    strong = world.credential(roles=["held_high"], grants=scopes("credentials:write"))
    token = world.token(strong["client_id"], strong["client_secret"])
    _, call = act_as("roles:read", "roles:write")
    assert call("DELETE", f"/v1/roles/{role['id']}?cascade=true") == 403
    found = world.manage("GET", f"/v1/credentials/{strong['client_id']}")
    assert found["generation"] == 1
    assert token


def test_a_role_of_one_api_is_told_to_no_other(world, wsgi_api):
    other = "https://other.example.com"
    world.manage("POST", "/v1/apis", {"audience": other, "name": "Other", "scopes": []})
    world.manage("POST", "/v1/roles", {"name": "admin_of_other", "description": "", "audience": other})
    grants = [{"audience": at, "access": "custom", "scopes": []} for at in (AUDIENCE, other)]
    made = world.credential(roles=["reader", "admin_of_other"], grants=grants)
    here = world.token(made["client_id"], made["client_secret"], resource=AUDIENCE)
    there = world.token(made["client_id"], made["client_secret"], resource=other)
    assert _roles(here) == ["reader"]
    assert _roles(there) == ["admin_of_other", "reader"]
    assert world.call(wsgi_api, here, "/reader") == 200


def _roles(token: str) -> list[str]:
    import jwt

    roles: list[str] = jwt.decode(token, options={"verify_signature": False})["roles"]
    return roles

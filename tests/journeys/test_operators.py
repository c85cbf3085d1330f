"""A personal credential follows its owner: what the owner loses ends its tokens at every resource server, what the
owner gains disturbs nobody, and it dies with the owner.
"""

from __future__ import annotations

import pytest

from tests.support.tenant import READ
from tests.support.world import AUDIENCE, eventually

WRITE = {**READ, "scopes": ["reports:read", "reports:write"]}
LESS = {
    "a role": {"roles": ["reader"]},
    "a scope": {"grants": [READ]},
    "a permission": {"role": "member"},
}
MORE = {
    "all roles": {"roles": None},
    "all scopes": {"grants": None},
    "more permissions": {"role": "owner"},
}


def owned(tenant, role="admin", **rights):
    """An operator with these rights, and a personal credential of theirs that asks for all of them."""
    person, _ = tenant.operator(role)
    if rights:
        tenant.platform.change("operator", person["id"], **rights)
    made = tenant.platform.create(
        "credential", name="personal", owner=person["id"], grants=[WRITE], roles=["cloud_admin", "reader"]
    )
    return person, made


@pytest.fixture
def bounded(tenant):
    return owned(tenant, roles=["cloud_admin", "reader"], grants=[WRITE])


@pytest.mark.parametrize("less", LESS.values(), ids=LESS.keys())
def test_what_an_owner_loses_their_tokens_lose_at_every_resource_server(tenant, wsgi_api, less):
    person, made = owned(tenant)
    token = tenant.token(made)
    eventually(lambda: tenant.world.call(wsgi_api, token, "/admin") == 200, "the owner has the role")
    assert tenant.world.call(wsgi_api, token, "/write") == 200

    tenant.platform.change("operator", person["id"], **less)

    eventually(lambda: tenant.world.call(wsgi_api, token) == 401, "the token of before has ended")
    fresh = tenant.token(made)
    assert tenant.world.call(wsgi_api, fresh, "/reader") == 200
    assert tenant.world.call(wsgi_api, fresh, "/admin") == (403 if "roles" in less else 200)
    assert tenant.world.call(wsgi_api, fresh, "/write") == (403 if "grants" in less else 200)


@pytest.mark.parametrize("more", MORE.values(), ids=MORE.keys())
def test_what_an_owner_gains_disturbs_no_token(tenant, wsgi_api, bounded, more):
    person, made = bounded
    token = tenant.token(made)
    tenant.platform.change("operator", person["id"], **more)
    marker = tenant.platform.create("credential", name="marker", grants=[READ])
    told = tenant.token(marker)
    tenant.platform.act("credential", marker["client_id"], "regenerate")
    eventually(lambda: tenant.world.call(wsgi_api, told) == 401, "the feed has moved past the change")
    assert tenant.world.call(wsgi_api, token, "/admin") == 200


def test_what_was_taken_comes_back_with_the_next_token_and_not_to_an_old_one(tenant, wsgi_api):
    person, made = owned(tenant)
    old = tenant.token(made)
    tenant.platform.change("operator", person["id"], roles=["reader"])
    lesser = tenant.token(made)
    tenant.platform.change("operator", person["id"], roles=None)
    eventually(lambda: tenant.world.call(wsgi_api, old) == 401, "the token of before has ended")
    assert tenant.world.call(wsgi_api, lesser, "/admin") == 403
    assert tenant.world.call(wsgi_api, tenant.token(made), "/admin") == 200


def test_an_owner_who_leaves_takes_personal_credentials_along_and_nothing_else(tenant, api):
    person, made = owned(tenant)
    lasting = tenant.platform.create("credential", name="of the organization", grants=[WRITE])
    token, other = tenant.token(made), tenant.token(lasting)
    eventually(lambda: tenant.world.call(api, token) == 200, "the owner may")
    tenant.platform.delete("operator", person["id"])
    answer = tenant.world.ask(made["client_id"], made["client_secret"], resource=AUDIENCE)
    assert answer.status_code == 401
    eventually(lambda: tenant.world.call(api, token) == 401, "the token has ended")
    assert tenant.world.call(api, other) == 200
    (line,) = (line for line in tenant.lines(made) if line["action"] == "credential:revoked")
    assert line["actor"].startswith("credential:")

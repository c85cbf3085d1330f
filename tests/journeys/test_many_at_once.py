"""Many credentials are disabled, revoked or rotated at once: shown before, done to all of them or to none, and refused
at a resource server like one.
"""

from __future__ import annotations

import pytest

from tests.support.hands import ByApi, Document
from tests.support.tenant import READ, Tenant
from tests.support.world import eventually

BULK = "/v1/bulk/credentials"


class Billing(Tenant):
    """With a project that has three credentials, and one credential beside it."""

    many: list[Document]
    other: Document


@pytest.fixture
def tenant(world, tmp_path) -> Billing:
    tenant = Billing(world, ByApi, tmp_path)
    tenant.admin.create("project", name="billing")
    tenant.many = [
        tenant.admin.create("credential", name=f"app {number}", project="billing", grants=[READ]) for number in range(3)
    ]
    tenant.other = tenant.admin.create("credential", name="beside", grants=[READ])
    return tenant


def bulk(tenant, action, **more):
    body = {"action": action, "filter": {"project": "billing"}, **more}
    return tenant.world.manage("POST", BULK, body, **{"Tokenserver-Organization": tenant.id})


@pytest.mark.parametrize("action", ["disable", "revoke"])
def test_a_project_ends_at_once_after_a_look_at_what_will_end(tenant, wsgi_api, action):
    tokens = [tenant.token(made) for made in tenant.many]
    eventually(lambda: {tenant.world.call(wsgi_api, token) for token in tokens} == {200}, "they are let in")
    looked = bulk(tenant, action, dry_run=True)
    assert {one["client_id"] for one in looked["credentials"]} == {made["client_id"] for made in tenant.many}
    assert (looked["count"], looked["dry_run"]) == (3, True)
    assert all(tenant.works(made) for made in tenant.many)

    assert bulk(tenant, action)["count"] == 3

    assert not any(tenant.works(made) for made in tenant.many)
    eventually(lambda: {tenant.world.call(wsgi_api, token) for token in tokens} == {401}, "their tokens have ended")
    assert tenant.works(tenant.other)


def test_a_project_is_rotated_at_once_and_nothing_of_it_ends_early(tenant, wsgi_api):
    tokens = [tenant.token(made) for made in tenant.many]
    done = bulk(tenant, "rotate", grace_seconds=600)
    assert {one["client_id"] for one in done["credentials"]} == {made["client_id"] for made in tenant.many}
    assert all(tenant.works(made) for made in [*tenant.many, *done["credentials"]])
    eventually(lambda: {tenant.world.call(wsgi_api, token) for token in tokens} == {200}, "tokens of before live")

"""What DataRecs' customers do with API keys, in the order of its page: by the API, and by command."""

from __future__ import annotations

import pytest

from tests.support.hands import Refused
from tests.support.tenant import READ
from tests.support.world import eventually
from tokenserver.cli.failures import Exit
from tokenserver.clock import rfc3339, utc_now

WRITE = {**READ, "scopes": ["reports:read", "reports:write"]}
ACTIONS = {
    "credential:created": lambda hands, own: None,
    "credential:updated": lambda hands, own: hands.change("credential", own, description="Of the pipeline."),
    "credential:disabled": lambda hands, own: hands.act("credential", own, "disable"),
    "credential:enabled": lambda hands, own: hands.act("credential", own, "enable"),
    "credential:deleted": lambda hands, own: hands.delete("credential", own),
}


def test_a_key_takes_on_roles_of_the_tenant(tenant, wsgi_api):
    made = tenant.admin.create("credential", name="pipeline", grants=[READ], roles=["cloud_admin"])
    eventually(lambda: tenant.world.call(wsgi_api, tenant.token(made), "/admin") == 200, "it has the role")
    assert tenant.world.call(wsgi_api, tenant.token(made), "/reader") == 403


def test_a_key_is_restricted_to_one_workspace(tenant, wsgi_api):
    for name in ("billing", "support"):
        tenant.admin.create("project", name=name)
    anywhere = tenant.admin.create("credential", name="tenant", grants=[READ], roles=["reader"])
    billing, support = (
        tenant.admin.create("credential", name=name, grants=[READ], roles=["reader"], project=name)
        for name in ("billing", "support")
    )
    eventually(lambda: tenant.world.call(wsgi_api, tenant.token(billing), "/billing") == 200, "it is of this project")
    for made in (anywhere, support):
        assert tenant.world.call(wsgi_api, tenant.token(made), "/billing") == 403
        assert tenant.world.call(wsgi_api, tenant.token(made), "/reader") == 200
    assert [one["name"] for one in tenant.admin.all("credential", project="billing")] == ["billing"]


def test_a_key_has_name_description_maker_last_use_and_is_seen_once(tenant):
    made = tenant.admin.create("credential", name="pipeline", description="Runs at night.", grants=[READ])
    assert tenant.works(made)
    (row,) = tenant.admin.all("credential", q="pipeline")
    assert (row["name"], row["description"], row["status"]) == ("pipeline", "Runs at night.", "active")
    assert row["created_by"] == made["created_by"]
    assert row["last_used_at"] >= made["created_at"]
    assert made["client_secret"] not in str([row, *tenant.lines(made)])


def test_a_key_is_replaced_by_another_one_and_then_disabled_and_deleted(tenant, wsgi_api):
    old = tenant.admin.create("credential", name="pipeline 2026", grants=[READ])
    token = tenant.token(old)
    new = tenant.admin.create("credential", name="pipeline 2027", grants=[READ])
    eventually(lambda: tenant.world.call(wsgi_api, token) == 200, "the old key works beside the new one")
    assert tenant.works(new)
    tenant.admin.act("credential", old["client_id"], "disable")
    assert not tenant.works(old)
    tenant.admin.delete("credential", old["client_id"])
    eventually(lambda: tenant.world.call(wsgi_api, token) == 401, "its token has ended")
    assert tenant.works(new)


def test_a_key_is_disabled_for_a_while_without_being_deleted(tenant, wsgi_api):
    made = tenant.admin.create("credential", name="pipeline", grants=[READ])
    own, token = made["client_id"], tenant.token(made)
    eventually(lambda: tenant.world.call(wsgi_api, token) == 200, "it works")
    assert tenant.admin.act("credential", own, "disable")["status"] == "disabled"
    assert not tenant.works(made)
    eventually(lambda: tenant.world.call(wsgi_api, token) == 401, "its token has ended")
    assert tenant.admin.act("credential", own, "enable")["status"] == "active"
    assert tenant.works(made)
    assert tenant.world.call(wsgi_api, token) == 401, "a token of before does not come back"


def test_the_audit_log_has_every_change_and_every_use_of_a_key(tenant):
    made = tenant.admin.create("credential", name="pipeline", grants=[READ])
    assert tenant.works(made)
    for act in ACTIONS.values():
        act(tenant.admin, made["client_id"])
    assert not tenant.works(made)
    found = [line["action"] for line in tenant.lines(made)]
    assert [action for action in found if action.startswith("credential:")] == list(ACTIONS)
    assert found.count("token:issued") == 1


def test_in_an_incident_the_key_is_ended_its_deeds_are_read_and_it_is_replaced(tenant, wsgi_api):
    made = tenant.admin.create("credential", name="leaked", grants=[WRITE])
    other = tenant.admin.create("credential", name="with broad access", grants=[WRITE])
    token = tenant.token(made)
    tenant.admin.act("credential", made["client_id"], "disable")
    eventually(lambda: tenant.world.call(wsgi_api, token) == 401, "its token has ended")
    (deed,) = tenant.admin.all("audit", credential=made["client_id"], action="token:issued")
    assert (deed["address"], deed["detail"]["scopes"]) == ("127.0.0.1", ["reports:read", "reports:write"])
    replacement = tenant.admin.create("credential", name="in its place", grants=[READ])
    assert tenant.works(replacement)
    fresh = tenant.admin.act("credential", other["client_id"], "rotate", grace_seconds=600)
    assert tenant.works(other)
    assert tenant.works(fresh)


def test_a_key_is_rotated_every_ninety_days(tenant):
    schedule = {"interval_days": 90, "grace_seconds": 86400}
    made = tenant.admin.create("credential", name="pipeline", grants=[READ], rotation_schedule=schedule)
    assert schedule.items() <= made["rotation_schedule"].items()
    assert made["rotation_schedule"]["next_at"] > made["created_at"]


def test_a_key_that_nobody_uses_is_found(tenant):
    used, unused = (tenant.admin.create("credential", name=name, grants=[READ]) for name in ("used", "unused"))
    eventually(lambda: rfc3339(utc_now()) > unused["created_at"], "a later second")
    assert tenant.works(used)
    (row,) = tenant.admin.all("credential", q=used["client_id"])
    found = {one["client_id"] for one in tenant.admin.all("credential", unused_since=row["last_used_at"])}
    assert unused["client_id"] in found
    assert used["client_id"] not in found
    tenant.admin.delete("credential", unused["client_id"])


def test_a_key_that_is_not_copied_exactly_is_unauthorized(tenant):
    made = tenant.admin.create("credential", name="pipeline", grants=[READ])
    for secret in (made["client_secret"].swapcase(), made["client_secret"][:-1], made["client_secret"] + "x"):
        assert tenant.world.ask(made["client_id"], secret).status_code == 401
    assert tenant.works(made)


def test_who_may_not_create_keys_is_told_to_ask(tenant):
    _, auditor = tenant.operator("auditor")
    with pytest.raises(Refused) as told:
        auditor.create("credential", name="pipeline")
    assert (told.value.code, "scope" in str(told.value)) == (Exit.REFUSED, True)


def test_a_quota_is_reached_and_a_key_less_makes_room(tenant):
    here = len(tenant.admin.all("credential"))
    tenant.platform.change("organization", tenant.id, credential_quota=here + 1)
    last = tenant.admin.create("credential", name="the last one")
    with pytest.raises(Refused, match=rf"as many credentials as it may have \({here + 1}\)") as told:
        tenant.admin.create("credential", name="one too many")
    assert told.value.code == Exit.CONFLICT
    tenant.admin.delete("credential", last["client_id"])
    assert tenant.admin.create("credential", name="one too many")
    tenant.platform.change("organization", tenant.id, credential_quota=None)
    assert tenant.admin.create("credential", name="as many as we like")


def test_a_key_that_was_forgotten_is_generated_anew_and_not_retrieved(tenant):
    made = tenant.admin.create("credential", name="pipeline", grants=[READ])
    assert "client_secret" not in tenant.admin.show("credential", made["client_id"])
    fresh = tenant.admin.act("credential", made["client_id"], "regenerate")
    assert tenant.works(fresh)
    assert not tenant.works(made)

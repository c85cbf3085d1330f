"""What Strait's customers do with the API keys of a project, in the order of its page: by the API, and by command.
Every field of its answers has its place in ours.
"""

from __future__ import annotations

import json
import time
from datetime import datetime

import pytest

from tests.support.hands import Refused
from tests.support.tenant import READ, Tenant
from tests.support.world import eventually
from tokenserver.cli.failures import Exit

SCHEDULE = {"interval_days": 90, "grace_seconds": 86400}
OF_A_KEY = {  # Strait's field: where it is in a credential of ours
    "id": ("client_id",),
    "project_id": ("project",),
    "name": ("name",),
    "key_prefix": ("secrets", 0, "hint"),
    "scopes": ("grants", 0, "scopes"),
    "expires_at": ("expires_at",),
    "last_used_at": ("last_used_at",),
    "created_at": ("created_at",),
    "revoked_at": ("revoked_at",),
    "replaced_by_key_id": ("rotation", "new_secret_id"),
    "grace_expires_at": ("rotation", "grace_expires_at"),
    "environment_id": ("environment",),
    "rotation_interval_days": ("rotation_schedule", "interval_days"),
    "next_rotation_at": ("rotation_schedule", "next_at"),
}
OF_A_ROTATION = {  # Strait's field: where it is in our answer to a rotation
    "old_key_id": ("old_secret_id",),
    "new_key_id": ("new_secret_id",),
    "project_id": ("credential", "project"),
    "name": ("credential", "name"),
    "key": ("client_secret",),
    "key_prefix": ("credential", "secrets", 0, "hint"),
    "scopes": ("credential", "grants", 0, "scopes"),
    "expires_at": ("credential", "expires_at"),
    "created_at": ("credential", "secrets", 0, "created_at"),
    "grace_expires_at": ("grace_expires_at",),
}


def read(document, place):
    """What is at that place; None where there is nothing on the way."""
    for step in place:
        document = None if document is None else document[step]
    return document


def as_strait(document, places):
    return {field: read(document, place) for field, place in places.items()}


@pytest.fixture
def tenant(tenant) -> Tenant:
    """With two projects."""
    for name in ("billing", "support"):
        tenant.admin.create("project", name=name)
    return tenant


def of_billing(tenant, **members):
    named = {"name": "pipeline", "project": "billing", "environment": "production", "grants": [READ], **members}
    return tenant.admin.create("credential", **named)


def test_a_key_that_was_created_tells_every_field(tenant):
    made = of_billing(tenant, rotation_schedule=SCHEDULE)
    told = as_strait(made, OF_A_KEY)
    assert told == {
        "id": made["client_id"],
        "project_id": "billing",
        "name": "pipeline",
        "key_prefix": f"tss_…{made['client_secret'][-4:]}",
        "scopes": ["reports:read"],
        "expires_at": made["expires_at"],
        "last_used_at": None,
        "created_at": made["created_at"],
        "revoked_at": None,
        "replaced_by_key_id": None,
        "grace_expires_at": None,
        "environment_id": "production",
        "rotation_interval_days": 90,
        "next_rotation_at": made["rotation_schedule"]["next_at"],
    }
    assert told["created_at"] < told["next_rotation_at"] < told["expires_at"]


def test_keys_are_listed_by_project_with_every_field(tenant):
    made = of_billing(tenant, rotation_schedule=SCHEDULE)
    tenant.admin.create("credential", name="elsewhere", project="support")
    assert tenant.works(made)
    (listed,) = tenant.admin.all("credential", project="billing")
    told = as_strait(listed, OF_A_KEY)
    assert told == {**as_strait(made, OF_A_KEY), "last_used_at": told["last_used_at"]}
    assert told["last_used_at"] >= told["created_at"]
    assert "client_secret" not in listed
    assert [one["name"] for one in tenant.admin.all("credential", project="support")] == ["elsewhere"]
    assert tenant.admin.all("credential", project="nowhere") == []


def test_a_key_is_of_one_environment_and_moving_it_ends_its_tokens(tenant, wsgi_api):
    made = of_billing(tenant)
    token = tenant.token(made)
    eventually(lambda: tenant.world.call(wsgi_api, token, "/production") == 200, "it is of this environment")
    tenant.admin.change("credential", made["client_id"], environment="staging")
    eventually(lambda: tenant.world.call(wsgi_api, token, "/production") == 401, "its token has ended")
    assert tenant.world.call(wsgi_api, tenant.token(made), "/production") == 403
    assert tenant.world.call(wsgi_api, tenant.token(made), "/billing") == 200


def test_a_key_needs_a_name_and_a_project_that_is_there(tenant):
    for members in ({"project": "nowhere"}, {"name": ""}):
        with pytest.raises(Refused) as told:
            of_billing(tenant, **members)
        assert told.value.code == Exit.USAGE


def test_whoever_is_to_be_told_of_rotations_is_told_at_a_url(tenant):
    made = tenant.admin.create("webhook", url="https://hooks.example.com/rotation", events=["secret.rotated"])
    (listed,) = tenant.admin.all("webhook")
    assert (listed["id"], listed["url"]) == (made["id"], "https://hooks.example.com/rotation")
    assert (listed["events"], listed["enabled"]) == (["secret.rotated"], True)


def test_a_revoked_key_ends_with_its_tokens_and_tells_when(tenant, wsgi_api):
    made = of_billing(tenant)
    token = tenant.token(made)
    eventually(lambda: tenant.world.call(wsgi_api, token, "/billing") == 200, "it is of the project")
    tenant.admin.act("credential", made["client_id"], "revoke")
    eventually(lambda: tenant.world.call(wsgi_api, token, "/billing") == 401, "its token has ended")
    assert not tenant.works(made)
    told = as_strait(tenant.admin.show("credential", made["client_id"]), OF_A_KEY)
    assert told["revoked_at"] >= made["created_at"]


def test_a_rotation_with_grace_tells_every_field_and_ends_nothing_before_its_time(tenant, wsgi_api):
    made = of_billing(tenant)
    old_token = tenant.token(made)
    eventually(lambda: tenant.world.call(wsgi_api, old_token) == 200, "it works")

    rotated = tenant.admin.act("credential", made["client_id"], "rotate", grace_seconds=5)

    told = as_strait(rotated, OF_A_ROTATION)
    assert told["old_key_id"] == made["secrets"][0]["id"] != told["new_key_id"]
    assert (told["project_id"], told["name"], told["scopes"]) == ("billing", "pipeline", ["reports:read"])
    assert told["key"] != made["client_secret"]
    assert told["key_prefix"] == f"tss_…{told['key'][-4:]}"
    assert (told["expires_at"], told["created_at"] >= made["created_at"]) == (made["expires_at"], True)
    ends = datetime.fromisoformat(told["grace_expires_at"]).timestamp()
    assert ends - time.time() <= 6, "five seconds, to the next whole one"
    shown = as_strait(tenant.admin.show("credential", made["client_id"]), OF_A_KEY)
    assert shown["replaced_by_key_id"] == told["new_key_id"]
    assert shown["grace_expires_at"] == told["grace_expires_at"]

    both = {tenant.works(made), tenant.works(rotated), tenant.world.call(wsgi_api, old_token) == 200}
    assert both == {True} or time.time() >= ends, "both keys work within the grace period"
    eventually(lambda: not tenant.works(made), "the grace period is over")
    assert time.time() >= ends
    eventually(lambda: tenant.world.call(wsgi_api, old_token) == 401, "the old token has ended")
    assert tenant.world.call(wsgi_api, tenant.token(rotated)) == 200
    (line,) = (line for line in tenant.lines(made) if line["action"] == "secret:rotated")
    assert told["key"] not in json.dumps(line)


def test_without_a_word_the_grace_is_a_day(tenant):
    made = of_billing(tenant)
    rotated = tenant.admin.act("credential", made["client_id"], "rotate")
    grace = datetime.fromisoformat(rotated["grace_expires_at"]) - datetime.fromisoformat(made["created_at"])
    assert 86400 <= grace.total_seconds() < 86400 + 60
    assert tenant.works(made)
    assert tenant.works(rotated)

"""What Drata's customers do with an API key, in the order of its page: by the API, and by command. (Its limit of 500
requests a minute has a journey of its own.)
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
import requests

from tests.support.hands import Document, Refused
from tests.support.tenant import READ, SCOPES, Tenant
from tests.support.world import AUDIENCE, eventually
from tokenserver.cli.failures import Exit

ALL_READ, ALL_READ_WRITE = ({"audience": AUDIENCE, "access": access} for access in ("all_read", "all_read_write"))


@pytest.fixture
def tenant(tenant) -> Tenant:
    """Names of keys cannot be changed."""
    tenant.platform.change("organization", tenant.id, names_are_fixed=True)
    return tenant


def moment(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def days_until(text: str) -> float:
    return (datetime.fromisoformat(text) - datetime.now(UTC)) / timedelta(days=1)


def test_the_full_key_is_shown_once(tenant):
    made = tenant.admin.create("credential", name="nightly export", grants=[READ])
    assert tenant.works(made)
    shown = tenant.admin.show("credential", made["client_id"])
    assert "client_secret" not in shown
    assert made["client_secret"] not in str([shown, *tenant.admin.all("credential"), *tenant.lines(made)])
    assert shown["secrets"][0]["hint"].endswith(made["client_secret"][-4:])


def test_a_key_ends_after_twelve_months_never_or_on_a_date(tenant):
    usual = tenant.admin.create("credential", name="usual")
    never = tenant.admin.create("credential", name="never", expires_at=None)
    dated = tenant.admin.create("credential", name="dated", expires_at="2099-12-31T00:00:00Z")
    assert 364 < days_until(usual["expires_at"]) < 367
    assert (never["expires_at"], dated["expires_at"]) == (None, "2099-12-31T00:00:00Z")


def test_a_key_is_bound_to_as_many_addresses_as_one_likes_or_to_none(tenant, wsgi_api):
    free = tenant.admin.create("credential", name="from anywhere", grants=[READ])
    assert free["allowed_ips"] is None
    addresses = ", ".join(["127.0.0.1", *(f"192.0.2.{last}" for last in range(1, 255, 2))])
    bound = tenant.admin.create("credential", name="bound", grants=[READ], allowed_ips=addresses)
    assert len(bound["allowed_ips"]) == 128

    def call(made: Document, address: str) -> int:
        headers = {"Authorization": f"Bearer {tenant.token(made)}", "X-Forwarded-For": address}
        return requests.get(f"{wsgi_api}/any", headers=headers, timeout=20).status_code

    eventually(lambda: call(free, "192.0.2.78") == 200, "it is let in")
    assert (call(free, "192.0.2.77"), call(bound, "192.0.2.77"), call(bound, "192.0.2.78")) == (200, 200, 403)
    away = tenant.admin.create("credential", name="away", grants=[READ], allowed_ips="192.0.2.1")
    assert not tenant.works(away)


def test_access_is_what_is_listed_or_all_there_is_and_will_be(tenant):
    listed, reading, writing = (
        tenant.admin.create("credential", name=name, grants=[grant])
        for name, grant in (("custom", READ), ("all read", ALL_READ), ("all", ALL_READ_WRITE))
    )
    assert scopes(tenant, listed) == scopes(tenant, reading) == {"reports:read"}
    assert scopes(tenant, writing) == {"reports:read", "reports:write"}
    more = [{"name": f"users:{kind}", "access": kind, "sensitive": False} for kind in ("read", "write")]
    preview = tenant.admin.act("api", tenant.api["id"], "preview", scopes=[*SCOPES, *more])
    assert {one["client_id"]: one["gains"] for one in preview["credentials"]} == {
        reading["client_id"]: ["users:read"],
        writing["client_id"]: ["users:read", "users:write"],
    }
    assert scopes(tenant, writing) == {"reports:read", "reports:write"}, "a preview changes nothing"
    tenant.platform.change("api", tenant.api["id"], scopes=[*SCOPES, *more])
    assert scopes(tenant, listed) == {"reports:read"}
    assert scopes(tenant, reading) == {"reports:read", "users:read"}
    assert scopes(tenant, writing) == {"reports:read", "reports:write", "users:read", "users:write"}


def scopes(tenant, made):
    return set(tenant.world.ask(made["client_id"], made["client_secret"]).json()["scope"].split())


def test_the_table_tells_name_status_maker_last_use_and_expiry(tenant):
    made = tenant.admin.create("credential", name="nightly export", grants=[READ])
    (other,) = (one for one in tenant.admin.all("credential") if one["client_id"] != made["client_id"])
    assert made["last_used_at"] is None
    assert tenant.works(made)
    (row,) = tenant.admin.all("credential", q="nightly")
    assert (row["name"], row["status"], row["expires_at"]) == ("nightly export", "active", made["expires_at"])
    assert row["created_by"] == f"credential:{other['client_id']}"
    assert (row["last_used_from"], row["last_used_at"] >= row["created_at"]) == ("127.0.0.1", True)
    if hasattr(tenant.admin, "table"):
        table = tenant.admin.table("credential", "list")
        for told in ("nightly export", "active", row["created_by"], row["last_used_at"], row["expires_at"]):
            assert told in table


def test_a_key_is_active_expires_soon_has_expired_or_was_revoked(tenant, wsgi_api):
    active = tenant.admin.create("credential", name="active", grants=[READ], expires_at=moment(40 * 86400))
    soon = tenant.admin.create("credential", name="soon", grants=[READ], expires_at=moment(29 * 86400))
    revoked = tenant.admin.create("credential", name="revoked", grants=[READ])
    ending = tenant.admin.create("credential", name="ending", grants=[READ], expires_at=moment(4))
    token = tenant.token(ending)
    tenant.admin.act("credential", revoked["client_id"], "revoke")
    eventually(lambda: not tenant.works(ending), "it has expired")
    for made, status, usable in (
        (active, "active", True),
        (soon, "expires_soon", True),
        (ending, "expired", False),
        (revoked, "revoked", False),
    ):
        assert tenant.admin.show("credential", made["client_id"])["status"] == status
        assert [
            one["client_id"] for one in tenant.admin.all("credential", status=status) if one["name"] == made["name"]
        ]
        assert tenant.works(made) is usable
    assert tenant.world.call(wsgi_api, token) == 401


@pytest.mark.parametrize("status", ["expired", "revoked"])
def test_what_has_ended_never_becomes_active_again(tenant, status):
    ends = moment(2) if status == "expired" else None
    made = tenant.admin.create("credential", name="ending", grants=[READ], expires_at=ends)
    own = made["client_id"]
    if status == "revoked":
        tenant.admin.act("credential", own, "revoke")
    eventually(lambda: tenant.admin.show("credential", own)["status"] == status, status)
    for attempt in (
        lambda: tenant.admin.act("credential", own, "enable"),
        lambda: tenant.admin.act("credential", own, "regenerate"),
        lambda: tenant.admin.act("credential", own, "rotate"),
        lambda: tenant.admin.change("credential", own, expires_at="2099-12-31T00:00:00Z"),
        lambda: tenant.admin.change("credential", own, grants=[ALL_READ]),
    ):
        with pytest.raises(Refused) as told:
            attempt()
        assert told.value.code == Exit.CONFLICT
    assert not tenant.works(made)
    assert tenant.admin.show("credential", own)["status"] == status


def test_scopes_and_the_rest_are_edited_at_any_time_but_neither_name_nor_key(tenant, wsgi_api):
    made = tenant.admin.create("credential", name="nightly export", grants=[READ])
    own, token = made["client_id"], tenant.token(made)
    eventually(lambda: tenant.world.call(wsgi_api, token, "/write") == 403, "it may not write")
    tenant.admin.change("credential", own, grants=[ALL_READ_WRITE])
    assert tenant.world.call(wsgi_api, tenant.token(made), "/write") == 200
    edited = tenant.admin.change(
        "credential", own, expires_at=None, allowed_ips="127.0.0.1", description="Of the night."
    )
    assert (edited["expires_at"], edited["allowed_ips"], edited["description"]) == (
        None,
        ["127.0.0.1"],
        "Of the night.",
    )
    with pytest.raises(Refused) as told:
        tenant.admin.change("credential", own, name="daily export")
    assert told.value.code == Exit.CONFLICT
    assert tenant.works(made), "its secret is the same"


def test_revoking_is_asked_about_cannot_be_undone_and_leaves_the_details_readable(tenant, wsgi_api):
    made = tenant.admin.create("credential", name="nightly export", grants=[READ], roles=["reader"])
    own, token = made["client_id"], tenant.token(made)
    eventually(lambda: tenant.world.call(wsgi_api, token) == 200, "it is let in")
    if hasattr(tenant.admin, "table"):
        with pytest.raises(Refused, match="cannot be undone"):
            tenant.admin.table("credential", "revoke", own)
        assert tenant.works(made), "nobody has confirmed it"

    tenant.admin.act("credential", own, "revoke", reason="The archive has moved.")

    assert not tenant.works(made)
    eventually(lambda: tenant.world.call(wsgi_api, token) == 401, "its token has ended")
    shown = tenant.admin.show("credential", own)
    assert (shown["status"], shown["revoked_reason"]) == ("revoked", "The archive has moved.")
    assert {name: shown[name] for name in ("name", "roles", "grants", "created_by", "expires_at")} == {
        name: made[name] for name in ("name", "roles", "grants", "created_by", "expires_at")
    }
    assert own in {one["client_id"] for one in tenant.admin.all("credential")}
    assert time.time() > datetime.fromisoformat(shown["revoked_at"]).timestamp()

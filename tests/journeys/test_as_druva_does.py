"""What Druva's customers do with API credentials, in the order of its page: by the API, and by command."""

from __future__ import annotations

import pytest
import requests

from tests.support.hands import Refused
from tests.support.tenant import READ
from tests.support.world import AUDIENCE, eventually
from tokenserver.cli.failures import Exit

INSIDE = ("192.0.2.1", "192.0.2.123", "192.0.3.254", "192.0.7.1", "192.100.0.1", "192.100.0.254")
OUTSIDE = ("192.0.2.0", "192.0.3.255", "192.0.7.0", "192.0.7.2", "192.100.0.0", "192.100.0.255")
RANGES = {
    "one address": ("192.0.2.123", ["192.0.2.123"]),
    "a range with a hyphen": ("192.0.2.1 - 192.0.3.254", ["192.0.2.1-192.0.3.254"]),
    "several, with commas and over two lines": (
        "192.0.2.1 - 192.0.3.254, 192.0.7.1,\n192.100.0.1 - 192.100.0.254",
        ["192.0.2.1-192.0.3.254", "192.0.7.1", "192.100.0.1-192.100.0.254"],
    ),
}


def call_from(api: str, token: str, address: str, path: str = "/any") -> int:
    headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": address}
    return requests.get(api + path, headers=headers, timeout=20).status_code


def refused(tenant, made) -> bool:
    """Told as to anybody who has not proven to know the secret."""
    answer = tenant.world.ask(made["client_id"], made["client_secret"])
    return (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_only_administrators_create_and_manage_credentials(tenant):
    made = tenant.admin.create("credential", name="of the organization", grants=[READ])
    for role in ("auditor", "member"):
        _, hands = tenant.operator(role)
        for attempt in (
            lambda hands=hands: hands.act("credential", made["client_id"], "regenerate"),
            lambda hands=hands: hands.change("credential", made["client_id"], name="mine"),
            lambda hands=hands: hands.delete("credential", made["client_id"]),
        ):
            with pytest.raises(Refused) as told:
                attempt()
            assert told.value.code == (Exit.REFUSED if role == "auditor" else Exit.NOT_FOUND)
    assert tenant.works(made)


def test_a_new_credential_is_an_id_and_a_secret_that_get_a_token_and_leave_a_trail(tenant, wsgi_api):
    made = tenant.admin.create("credential", name="backup tool", grants=[READ])
    eventually(lambda: tenant.world.call(wsgi_api, tenant.token(made)) == 200, "it is let in")
    created, *issued = tenant.lines(made)
    (administrator,) = tenant.admin.all("credential", q="administrator")
    assert (created["action"], created["actor"]) == ("credential:created", f"credential:{administrator['client_id']}")
    for line in issued:
        assert (line["action"], line["outcome"], line["address"]) == ("token:issued", "success", "127.0.0.1")
        assert line["credential"] == made["client_id"]
        assert (line["detail"]["audience"], line["detail"]["secret"]) == (AUDIENCE, made["secrets"][0]["id"])
        assert line["at"] >= created["at"]
    assert issued


@pytest.mark.parametrize(("typed", "normal"), RANGES.values(), ids=RANGES.keys())
def test_addresses_are_written_alone_as_ranges_and_as_several_ranges(tenant, typed, normal):
    made = tenant.admin.create("credential", name="backup tool", grants=[READ])
    assert tenant.admin.change("credential", made["client_id"], allowed_ips=typed)["allowed_ips"] == normal
    answer = tenant.world.ask(made["client_id"], made["client_secret"])
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client"), "we ask from elsewhere"


def test_a_network_restriction_holds_for_every_call_and_can_be_lifted(tenant, wsgi_api):
    typed = f"{RANGES['several, with commas and over two lines'][0]}, 127.0.0.1"
    made = tenant.admin.create("credential", name="backup tool", grants=[READ], allowed_ips=typed)
    token = tenant.token(made)
    eventually(lambda: call_from(wsgi_api, token, INSIDE[0]) == 200, "it is let in")
    assert {call_from(wsgi_api, token, address) for address in INSIDE} == {200}
    assert {call_from(wsgi_api, token, address) for address in OUTSIDE} == {403}
    assert tenant.admin.change("credential", made["client_id"], allowed_ips=None)["allowed_ips"] is None
    assert call_from(wsgi_api, tenant.token(made), OUTSIDE[0]) == 200


def test_what_an_application_can_do_is_what_its_role_can_do(tenant, wsgi_api):
    for product in ("insync", "phoenix"):
        tenant.admin.create("role", name=f"product_admin:{product}")
    made = tenant.admin.create("credential", name="backup tool", grants=[READ], roles=["cloud_admin"])
    old = tenant.token(made)
    eventually(lambda: tenant.world.call(wsgi_api, old, "/admin") == 200, "a cloud administrator is let in")
    roles = ["product_admin:insync", "product_admin:phoenix"]
    changed = tenant.admin.change("credential", made["client_id"], roles=roles)
    assert changed["roles"] == roles
    assert tenant.world.call(wsgi_api, tenant.token(made), "/admin") == 403
    eventually(
        lambda: tenant.world.call(wsgi_api, old, "/admin") == 401, "the token of a cloud administrator has ended"
    )


def test_a_new_secret_ends_the_old_one_and_all_its_tokens(tenant, wsgi_api):
    made = tenant.admin.create("credential", name="backup tool", grants=[READ])
    tokens = [tenant.token(made) for _ in range(3)]
    eventually(lambda: tenant.world.call(wsgi_api, tokens[0]) == 200, "it is let in")

    fresh = tenant.admin.act("credential", made["client_id"], "regenerate")

    assert fresh["client_id"] == made["client_id"]
    assert fresh["client_secret"] != made["client_secret"]
    assert refused(tenant, made)
    eventually(lambda: {tenant.world.call(wsgi_api, token) for token in tokens} == {401}, "its tokens have ended")
    assert tenant.world.call(wsgi_api, tenant.token(fresh)) == 200
    assert [line["action"] for line in tenant.lines(made)].count("secret:regenerated") == 1


def test_renaming_disturbs_nobody(tenant, wsgi_api):
    made = tenant.admin.create("credential", name="backup tool", grants=[READ])
    token = tenant.token(made)
    renamed = tenant.admin.change("credential", made["client_id"], name="archive tool")
    assert (renamed["name"], renamed["generation"]) == ("archive tool", made["generation"])
    assert [one["name"] for one in tenant.admin.all("credential", q="tool")] == ["archive tool"]
    eventually(lambda: tenant.world.call(wsgi_api, token) == 200, "its token lives")
    assert tenant.works(made)
    (line,) = (line for line in tenant.lines(made) if line["action"] == "credential:updated")
    assert line["detail"]["changed"]["name"] == ["backup tool", "archive tool"]


def test_deleting_ends_all_its_tokens_and_every_later_call_is_unauthorized(tenant, wsgi_api):
    made = tenant.admin.create("credential", name="backup tool", grants=[READ])
    token = tenant.token(made)
    eventually(lambda: tenant.world.call(wsgi_api, token) == 200, "it is let in")

    tenant.admin.delete("credential", made["client_id"])

    assert refused(tenant, made)
    eventually(lambda: tenant.world.call(wsgi_api, token) == 401, "its token has ended")
    assert tenant.admin.all("credential", q="backup tool") == []
    with pytest.raises(Refused) as told:
        tenant.admin.show("credential", made["client_id"])
    assert told.value.code == Exit.NOT_FOUND
    assert "credential:deleted" in {line["action"] for line in tenant.lines(made)}

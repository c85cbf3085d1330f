"""An organization is suspended, resumed, and ends everything in an incident: one bump and one line in the feed, however
many credentials it has, and refused at every resource server.
"""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
import requests

from tests.support.crowd import crowd
from tests.support.hands import ByApi, ByCommand, Refused
from tests.support.tenant import READ, Tenant
from tests.support.world import AUDIENCE, eventually
from tokenserver.cli.failures import Exit
from tokenserver.domain.liveness import reference

MANY = 20_000
INTERVAL = 1.0
"""Seconds from one look at the feed to the next, of a resource server that says nothing else."""


def feed(world: Any, after: int | None = None) -> Any:
    """What the feed says, read without a check."""
    query = "" if after is None else f"?after={after}"
    payload = requests.get(f"{world.issuer}/oauth/generations{query}", timeout=20).text.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def live_in(tenant, api, count=3):
    """Credentials with a token each that is let in."""
    found = []
    for number in range(count):
        made = tenant.admin.create("credential", name=f"app {number}", grants=[READ])
        found.append((made, tenant.token(made)))
    eventually(lambda: statuses(tenant, api, found) == {200}, "they are let in")
    return found


def statuses(tenant, api, found):
    return {tenant.world.call(api, token) for _, token in found}


def test_a_suspended_organization_is_refused_everywhere_until_it_is_resumed(tenant, wsgi_api):
    found = live_in(tenant, wsgi_api)
    suspended = tenant.platform.act("organization", tenant.id, "suspend")
    assert suspended["suspended_at"]
    assert not any(tenant.works(made) for made, _ in found)
    with pytest.raises(Refused) as told:
        tenant.admin.all("credential")
    assert told.value.code == Exit.REFUSED
    eventually(lambda: statuses(tenant, wsgi_api, found) == {401}, "every token has ended")

    assert tenant.platform.act("organization", tenant.id, "resume")["suspended_at"] is None
    assert all(tenant.works(made) for made, _ in found)
    assert {tenant.world.call(wsgi_api, tenant.token(made)) for made, _ in found} == {200}
    assert statuses(tenant, wsgi_api, found) == {401}, "tokens of before do not come back"


def test_ending_everything_in_an_incident_ends_tokens_and_no_secret(tenant, wsgi_api):
    found = live_in(tenant, wsgi_api)
    neighbours = Tenant(tenant.world, tenant._how, tenant._home)
    theirs = live_in(neighbours, wsgi_api, 1)
    tenant.admin.act("organization", tenant.id, "end-everything")
    eventually(lambda: statuses(tenant, wsgi_api, found) == {401}, "every token has ended")
    assert {tenant.world.call(wsgi_api, tenant.token(made)) for made, _ in found} == {200}
    assert statuses(neighbours, wsgi_api, theirs) == {200}, "the neighbours are not disturbed"


@pytest.mark.parametrize("action", ["suspend", "end-everything"])
def test_twenty_thousand_live_credentials_end_by_one_line_of_the_feed(world, api, tmp_path, action):
    tenant = Tenant(world, ByApi, tmp_path)
    found = live_in(tenant, api)
    assert crowd(world.home, found[0][0]["client_id"], MANY) > MANY
    before = feed(world)["seq"]

    begun = time.monotonic()
    tenant.platform.act("organization", tenant.id, action)
    answered = time.monotonic()

    said = eventually(lambda: (told := feed(world, before))["floors"] and told, "the feed tells of it")
    assert said["seq"] == before + 1
    assert [line[0] for line in said["floors"]] == [reference(tenant.id)]
    eventually(lambda: statuses(tenant, api, found) == {401}, "every token has ended")
    refused = time.monotonic()
    # Generous for machines that are busy; what a line for each of them would take is more than that.
    assert answered - begun < 10 * INTERVAL
    assert refused - answered < 10 * INTERVAL


def test_a_stranger_of_another_organization_finds_nothing_by_command(world, tmp_path):
    ours, theirs = (Tenant(world, ByCommand, tmp_path) for _ in range(2))
    made = ours.admin.create("credential", name="ours", grants=[{"audience": AUDIENCE, "access": "all_read"}])
    for attempt in (
        lambda: theirs.admin.show("credential", made["client_id"]),
        lambda: theirs.admin.act("credential", made["client_id"], "disable"),
        lambda: theirs.admin.show("organization", ours.id),
        lambda: ours.hands_of(made).all("credential"),
    ):
        with pytest.raises(Refused) as told:
            attempt()
        assert told.value.code in {Exit.NOT_FOUND, Exit.USAGE}
    assert made["client_id"] not in {one["client_id"] for one in theirs.admin.all("credential")}

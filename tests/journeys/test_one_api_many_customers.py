"""One API, and an organization for each customer: registered once and shared, used by all, and none sees another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
import requests

from tests.support.hands import ByApi, Document, Hands, Refused
from tests.support.world import AUDIENCE, World, a_world, eventually
from tokenserver.cli.failures import Exit

ADMIN = "urn:tokenserver:admin"
READ, WRITE = {"name": "reports:read", "access": "read"}, {"name": "reports:write", "access": "write"}
INTROSPECT = {"name": "tokens:introspect", "access": "read", "sensitive": True}


def granted(*scopes: str, audience: str = AUDIENCE) -> list[Document]:
    return [{"audience": audience, "access": "custom", "scopes": list(scopes)}]


class Vendor:
    """Shares its API, and runs one resource server, which reports."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.hands: Hands = ByApi(world.issuer, *world.administrator, world.home)
        scopes = [READ, WRITE, INTROSPECT]
        self.api = self.hands.create("api", audience=AUDIENCE, name="Example", scopes=scopes, shared=True)
        self.hands.create("role", name="reader", shared=True)
        reporter = self.hands.create("credential", name="reports", grants=granted("usage:write", audience=ADMIN))
        given = {"client_id": reporter["client_id"], "secret": reporter["client_secret"], "interval": 0.5}
        self.server = world.start_api(reports={**given, "instance": "api-1"})

    def calls(self, token: str, *paths: str) -> list[int]:
        return [self.world.call(self.server, token, path) for path in paths]

    def has_ended(self, token: str) -> bool:
        return bool(eventually(lambda: self.calls(token, "/any") == [401], "the token has ended"))


class Customer:
    """An organization whose administrator has nothing to do with the platform's."""

    def __init__(self, vendor: Vendor, name: str, *scopes: str) -> None:
        world = self.world = vendor.world
        self.id: str = vendor.hands.create("organization", name=name)["id"]
        inside = ByApi(world.issuer, *world.administrator, world.home, self.id)
        grants = [{"audience": ADMIN, "access": "all_read_write"}]
        made = inside.create("credential", name="administrator", grants=grants)
        self.admin: Hands = ByApi(world.issuer, made["client_id"], made["client_secret"], world.home)
        self.app = self.admin.create("credential", name="export", roles=["reader"], grants=granted(*scopes))
        self.client_id, self.secret = str(self.app["client_id"]), str(self.app["client_secret"])

    def token(self) -> str:
        return self.world.token(self.client_id, self.secret)

    def count(self) -> int:
        """Calls of its app, as it sees them itself."""
        return int(self.admin.show("credential", f"{self.client_id}/usage")["count"])

    def lines(self) -> list[Document]:
        return self.admin.all("audit", credential=self.client_id)

    def introspects(self, token: str) -> bool:
        return is_active(self.world, (self.client_id, self.secret), token)


@pytest.fixture(scope="module")
def vendor(tmp_path_factory) -> Iterator[Vendor]:
    with a_world(tmp_path_factory.mktemp("vendor")) as world:
        world.start()
        yield Vendor(world)


def is_active(world: World, asker: tuple[str, str], token: str) -> bool:
    answer = requests.post(f"{world.issuer}/oauth/introspect", {"token": token}, auth=asker, timeout=20)
    return bool(answer.json()["active"])


def refused(attempt: Callable[[], object]) -> int:
    with pytest.raises(Refused) as told:
        attempt()
    return int(told.value.code)


def test_one_resource_server_serves_every_customer_and_each_sees_its_own_calls_only(vendor):
    acme, globex = Customer(vendor, "Acme", "reports:read"), Customer(vendor, "Globex", "reports:read")
    assert vendor.calls(acme.token(), "/reader", "/any") == [200, 200]
    assert vendor.calls(globex.token(), "/reader", "/any", "/any") == [200, 200, 200]
    eventually(lambda: (acme.count(), globex.count()) == (2, 3), "every call is told to whose it is")
    assert refused(lambda: acme.admin.show("credential", f"{globex.client_id}/usage")) == Exit.NOT_FOUND
    assert refused(lambda: acme.admin.show("credential", globex.client_id)) == Exit.NOT_FOUND
    changes: list[Document] = [{"scopes": [READ]}, {"name": "Ours"}, {"shared": False}]
    for change in changes:
        assert refused(partial(acme.admin.change, "api", vendor.api["id"], **change)) == Exit.CONFLICT


def test_the_vendor_introspects_for_every_customer_and_a_customer_for_itself(vendor):
    asker = vendor.hands.create("credential", name="asks", grants=granted("tokens:introspect"))
    acme, globex = (Customer(vendor, name, "reports:read", "tokens:introspect") for name in ("Acme", "Globex"))
    ours, theirs = acme.token(), globex.token()
    for token in (ours, theirs):
        assert is_active(vendor.world, (asker["client_id"], asker["client_secret"]), token)
    assert [acme.introspects(ours), acme.introspects(theirs)] == [True, False]


def test_what_one_customer_regenerates_ends_its_own_tokens_and_the_vendors_server_proves_it(vendor):
    acme, globex = Customer(vendor, "Acme", "reports:read"), Customer(vendor, "Globex", "reports:read")
    ours, theirs = acme.token(), globex.token()
    eventually(lambda: [*vendor.calls(ours, "/any"), *vendor.calls(theirs, "/any")] == [200, 200], "both are let in")
    done = acme.admin.act("credential", acme.client_id, "regenerate")
    assert vendor.has_ended(ours)
    assert vendor.calls(theirs, "/any") == [200]
    (proof,) = done["proofs"]
    instances = proof.removeprefix(f"{vendor.world.issuer}/v1/apis/")
    shown = eventually(lambda: (seen := acme.admin.show("api", instances))["applied"] and seen, "it has applied it")
    assert [one["instance"] for one in shown["instances"]] == ["api-1"]


def test_a_scope_that_the_vendor_takes_away_goes_from_every_customer_or_from_none(vendor):
    acme, globex = (Customer(vendor, name, "reports:read", "reports:write") for name in ("Acme", "Globex"))
    tokens = [one.token() for one in (acme, globex)]
    eventually(lambda: all(vendor.calls(token, "/write") == [200] for token in tokens), "they may write")
    api, less = vendor.api["id"], {"scopes": [READ, INTROSPECT]}
    assert refused(lambda: vendor.hands.change("api", api, **less)) == Exit.CONFLICT
    assert [vendor.calls(token, "/write") for token in tokens] == [[200], [200]]
    vendor.world.manage("PATCH", f"/v1/apis/{api}?cascade=true", less, **{"If-Match": '"1"'})
    for customer, token in zip((acme, globex), tokens, strict=True):
        assert vendor.has_ended(token)
        assert vendor.calls(customer.token(), "/reader", "/write") == [200, 403]
        assert [one["action"] for one in customer.lines()].count("credential:updated") == 1

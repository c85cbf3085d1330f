"""A resource server that is cut off from the feed, and asks about each token; then from introspection as well."""

from __future__ import annotations

import contextlib

import pytest
import requests

from tests.support.weir import Weir
from tests.support.world import AUDIENCE, a_world, eventually

FEED, INTROSPECTION = "/oauth/generations", "/oauth/introspect"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A token server that is known by the address of a weir in front of it, and the credential of an API."""
    with contextlib.ExitStack() as stack:
        world = stack.enter_context(a_world(tmp_path_factory.mktemp("world")))
        weir = stack.enter_context(Weir(world.port))
        world.issuer = world.environment["TOKENSERVER_ISSUER"] = weir.url
        world.start()
        scopes = [{"name": name, "access": "read"} for name in ("reports:read", "tokens:introspect")]
        world.manage("POST", "/v1/apis", {"audience": AUDIENCE, "name": "Example", "scopes": scopes})
        asker = world.credential(
            roles=[], grants=[{"audience": AUDIENCE, "access": "custom", "scopes": ["tokens:introspect"]}]
        )
        yield world, weir, (asker["client_id"], asker["client_secret"])


def answer(api: str, token: str) -> requests.Response:
    return requests.get(f"{api}/any", headers={"Authorization": f"Bearer {token}"}, timeout=20)


@pytest.mark.fault(
    "an app is cut off from the feed only, and `on_stale` is `introspect`",
    "the token server says of each token whether it is good",
)
@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_the_issuer_decides_about_each_token_and_silence_refuses(kind, place):
    world, weir, credential = place
    weir.shut = frozenset()
    api = world.start_api(kind=kind, max_staleness=1.5, on_stale="introspect", credential=credential)
    one, other = (world.credential(roles=[]) for _ in range(2))
    ended, good = (world.token(made["client_id"], made["client_secret"]) for made in (one, other))
    eventually(lambda: {world.call(api, token) for token in (ended, good)} == {200}, "both are good")

    weir.shut = frozenset({FEED, INTROSPECTION})
    eventually(lambda: world.call(api, good) == 503, "too old, and nobody answers")
    assert int(answer(api, good).headers["Retry-After"]) >= 1

    weir.shut = frozenset({FEED})
    eventually(lambda: world.call(api, good) == 200, "the issuer is asked, and says that it is good")
    world.manage("POST", f"/v1/credentials/{one['client_id']}/regenerate")
    eventually(lambda: world.call(api, ended) == 401, "the issuer is asked, and says that it has ended")
    assert world.call(api, good) == 200

    fresh = {world.token(other["client_id"], other["client_secret"]) for _ in range(3)}
    eventually(lambda: {world.call(api, token) for token in fresh} == {200}, "tokens never seen before as well")

    weir.shut = frozenset({FEED, INTROSPECTION})
    eventually(lambda: world.call(api, good) == 503, "silence refuses again")
    assert "tss_" not in world.processes[-1].log.read_text()

    weir.shut = frozenset()
    eventually(lambda: (world.call(api, good), world.call(api, ended)) == (200, 401), "the feed is back")

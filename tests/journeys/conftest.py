"""One installation for the journeys of a test process: each journey makes credentials of its own in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.hands import ByApi, ByCommand
from tests.support.tenant import Tenant
from tests.support.world import World, a_world


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> Iterator[World]:
    """A running server with a catalogue."""
    with a_world(tmp_path_factory.mktemp("world")) as world:
        world.start()
        world.catalogue()
        yield world


@pytest.fixture(scope="session")
def wsgi_api(world) -> str:
    return world.start_api(kind="wsgi")


@pytest.fixture(scope="session")
def asgi_api(world) -> str:
    return world.start_api(kind="asgi")


@pytest.fixture(params=["wsgi", "asgi"])
def api(request) -> str:
    """A protected API, once behind each middleware."""
    return request.getfixturevalue(f"{request.param}_api")


@pytest.fixture(params=[ByApi, ByCommand], ids=["by the API", "by command"])
def tenant(request, world, tmp_path) -> Tenant:
    """An organization of the journey's own; the journey goes once by each way to manage it."""
    return Tenant(world, request.param, tmp_path)

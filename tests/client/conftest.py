"""A token server whose answers a test decides, a clock that moves when it is told to, and sources between the two.

Beside them our own server, with a protected API.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.token_endpoint import CLIENT_ID, FakeTokenServer, serving
from tests.support.world import World, a_world
from tokenserver.client import TokenSource
from tokenserver.resource.testing import FakeClock


class SleepingClock(FakeClock):
    """Whoever sleeps by it makes time pass, and is written down."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)


Make = Callable[..., TokenSource]


@pytest.fixture
def clock() -> SleepingClock:
    return SleepingClock()


@pytest.fixture
def tokens() -> Iterator[FakeTokenServer]:
    with serving() as server:
        yield server


@pytest.fixture
def make(tokens, clock) -> Make:
    """A source of the app's tokens, with other arguments where they are given."""

    def make(**settings: object) -> TokenSource:
        if "issuer" not in settings:
            settings["token_endpoint"] = tokens.token_endpoint
        given = {"client_id": CLIENT_ID, "client_secret": "first", **settings}
        time = {"clock": clock, "monotonic": clock.monotonic, "sleep": clock.sleep}
        return TokenSource(**{**time, **given})

    return make


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> Iterator[World]:
    """Our own server, with a catalogue."""
    with a_world(tmp_path_factory.mktemp("world")) as world:
        world.start()
        world.catalogue()
        yield world


@pytest.fixture(scope="session")
def protected(world) -> str:
    """An API that believes it."""
    return world.start_api(wait=5.0)

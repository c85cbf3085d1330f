"""One browser and one server for the journeys at the console; each journey makes what it needs in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.chromium import COMPLAINTS, Person, chromium, person
from tests.support.world import World, a_world


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.parent == here:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> Iterator[World]:
    """A running server with a catalogue, known by a name: an address cannot have passkeys."""
    with a_world(tmp_path_factory.mktemp("console"), host="localhost") as world:
        world.start()
        world.catalogue()
        yield world


@pytest.fixture(scope="session")
def first(world, browser) -> Iterator[Person]:
    """The first operator, a platform admin, who has followed the link that bootstrap printed."""
    link = json.loads(world.shell("bootstrap", "--json", "--again").stdout)["setup_url"]
    someone = person(browser, world, "admin@localhost")
    someone.set_up(link)
    yield someone
    someone.context.close()


@pytest.fixture(autouse=True)
def no_complaint() -> Iterator[None]:
    """No page breaks its policy, asks another host for anything, fails in its script, or opens a dialog."""
    COMPLAINTS.clear()
    yield
    assert not COMPLAINTS, COMPLAINTS

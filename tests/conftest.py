"""Fixtures for every test: a server in this process (see `support/server.py`), a PostgreSQL (`support/postgres.py`)."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tests.support.server import Installed, Server, install, serving
from tests.support.statements import share_compiled_statements

pytest_plugins = ["tests.support.postgres"]
share_compiled_statements()


def pytest_collection_finish() -> None:
    """What was collected stays to the end: looking through it for garbage all the time took a quarter of the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def installed(tmp_path_factory) -> Installed:
    """Made once, copied for each server."""
    return install(tmp_path_factory.mktemp("installed"))


@pytest.fixture
def server(installed, tmp_path) -> Iterator[Server]:
    """A server of this test's own."""
    with serving(installed, tmp_path) as server:
        yield server

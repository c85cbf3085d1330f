"""The admin API of a server of the test's own, with every answer checked against `/openapi.json`."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.contract import Api, Contract
from tests.support.server import serving


@pytest.fixture(scope="session")
def contract(installed, tmp_path_factory) -> Contract:
    """What the server says of its admin API."""
    with serving(installed, tmp_path_factory.mktemp("described")) as server:
        return Contract(server.app.test_client().get("/openapi.json").get_json())


@pytest.fixture
def api(server, contract) -> Api:
    return Api(server, contract)


@pytest.fixture
def stocked(api) -> Api:
    """With an API of three scopes, and two roles."""
    api.catalogue()
    return api


@pytest.fixture(scope="module")
def refusing(installed, contract, tmp_path_factory) -> Iterator[Api]:
    """As `stocked`, shared by the tests of a module whose requests are all refused: nothing changes."""
    with serving(installed, tmp_path_factory.mktemp("refusing")) as server:
        api = Api(server, contract)
        api.catalogue()
        yield api


@pytest.fixture
def claims_of():
    """What a token says, read without a check."""

    def read(token: str) -> Any:
        payload = token.split(".")[1]
        return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))

    return read

"""The admin API of a server of the test's own, with every answer checked against `/openapi.json`."""

from __future__ import annotations

import pytest

from tests.support.contract import Api


@pytest.fixture
def api(server) -> Api:
    return Api(server)


@pytest.fixture
def stocked(api) -> Api:
    """With an API of three scopes, and two roles."""
    api.catalogue()
    return api

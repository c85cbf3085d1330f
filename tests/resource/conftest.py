"""An issuer in memory and a verifier that believes it; time passes when a test says so."""

from __future__ import annotations

import pytest

from tests.support.callers import CALLS
from tokenserver.resource.testing import FakeIssuer


@pytest.fixture
def issuer():
    return FakeIssuer()


@pytest.fixture
def clock(issuer):
    return issuer.clock


@pytest.fixture
def verifier(issuer):
    return issuer.verifier()


@pytest.fixture(params=list(CALLS.values()), ids=list(CALLS))
def call(request):
    """One of the two middlewares."""
    return request.param

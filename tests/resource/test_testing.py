"""The issuer in memory is an issuer: the example in its documentation holds, and it follows the real rules."""

from __future__ import annotations

import pytest

from tests.support.callers import ANYBODY, Request, by_wsgi
from tokenserver.errors import InvalidToken
from tokenserver.resource import Require
from tokenserver.resource.testing import FakeClock, FakeIssuer


def test_regenerating_the_secret_ends_the_token(issuer, verifier):
    """The example of the module's documentation."""
    require = Require(roles={"cloud_admin"})

    def get(headers):
        return by_wsgi(verifier, require, Request((headers["Authorization"],))).status

    headers = issuer.authorization(roles={"cloud_admin"})
    assert get(headers) == 200
    issuer.regenerate()
    issuer.clock.advance(1)
    assert get(headers) == 401
    assert get(issuer.authorization(roles={"cloud_admin"})) == 200


def test_refreshing_learns_at_once_and_needs_no_time(issuer, verifier):
    token = issuer.token()
    assert verifier.verify(token, ANYBODY)
    issuer.regenerate()
    verifier.refresh()
    with pytest.raises(InvalidToken):
        verifier.verify(token, ANYBODY)


def test_a_retiring_secret_mints_tokens_that_end_with_its_grace_period(issuer, verifier, clock):
    issuer.rotate(grace_seconds=100)
    old, new = issuer.token(retiring=True), issuer.token()
    assert (verifier.verify(old, ANYBODY).generation, verifier.verify(new, ANYBODY).generation) == (1, 2)
    assert verifier.verify(old, ANYBODY).expires_at == clock() + 100
    clock.advance(100)
    with pytest.raises(InvalidToken):
        verifier.verify(old, ANYBODY)
    assert verifier.verify(new, ANYBODY)


def test_two_issuers_do_not_believe_each_other():
    one, two = FakeIssuer(), FakeIssuer()
    with pytest.raises(InvalidToken):
        one.verifier().verify(two.token(), ANYBODY)


def test_a_clock_can_be_shared_and_set():
    clock = FakeClock(1_900_000_000)
    issuer = FakeIssuer(clock=clock)
    assert issuer.verifier().verify(issuer.token(lifetime=60), ANYBODY).expires_at == 1_900_000_060
    clock.step(-10)
    assert clock() == 1_899_999_990


def test_what_was_fetched_is_counted(issuer, verifier):
    verifier.refresh()
    verifier.refresh()
    assert issuer.fetches == {"metadata": 1, "keys": 1, "feed": 2}

"""A developer is told which check failed; nobody is, in production."""

from __future__ import annotations

import json

import pytest

from tests.support.callers import CALLS, Request
from tests.support.forgeries import FORGERIES
from tokenserver.resource import Policy, Require, Verifier
from tokenserver.resource.wsgi import TokenMiddleware

READ = Require(scopes={"reports:read"})


@pytest.fixture(params=list(CALLS.values()), ids=list(CALLS))
def explain(request, issuer, verifier):
    def ask(authorization, require=READ, peer="192.0.2.1"):
        answer = request.param(verifier, require, Request(authorization, peer=peer), explain=True)
        return json.loads(answer.body)["explanation"]

    return ask


def test_the_failing_check_and_the_reason_are_told(explain, issuer, clock):
    ended, expired = issuer.token(client_id="tsc_ended"), issuer.token(lifetime=60)
    restricted = issuer.token(scopes={"reports:read"}, allowed_ips="198.51.100.0/24")
    issuer.regenerate("tsc_ended")
    clock.advance(61)
    told = {
        "nothing": explain(()),
        "malformed": explain(("Bearer a b",)),
        "ended": explain((f"Bearer {ended}",)),
        "expired": explain((f"Bearer {expired}",)),
        "elsewhere": explain((f"Bearer {restricted}",)),
        "lacking": explain((f"Bearer {issuer.token()}",)),
        "closed": explain((f"Bearer {issuer.token()}",), Policy([("GET", "/other", READ)])),
        "unrestricted": explain((f"Bearer {issuer.token(audience='https://other.example.com')}",)),
    }
    assert {how: (one["check"][0], one["reason"]) for how, one in told.items()} == {
        "nothing": ("1", "An access token is required."),
        "malformed": ("1", "not one token68"),
        "ended": ("2", "generation below the floor"),
        "expired": ("2", "expired"),
        "elsewhere": ("3", "The access token may not be used from this address."),
        "lacking": ("4", "lacks the scope reports:read"),
        "closed": ("4", "nobody may pass here: no rule takes this method and path"),
        "unrestricted": ("2", "another audience"),
    }


def test_old_news_is_told_as_what_it_is(explain, issuer, clock):
    explain(())
    issuer.goes_down()
    clock.advance(60)
    assert explain((f"Bearer {issuer.token()}",))["check"].startswith("what is known")


def test_no_explanation_holds_anything_of_the_request(explain, issuer):
    for forge in FORGERIES.values():
        token = forge(issuer)
        reason = explain((f"Bearer {token}",))["reason"]
        assert len(reason) < 100
        assert not any(part in reason for part in token.split(".") if len(part) > 8)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_nothing_is_told_unless_asked_for(call, issuer, verifier):
    assert "explanation" not in json.loads(call(verifier, READ, Request()).body)


@pytest.mark.parametrize(
    "issuer_name",
    ["https://auth.example.org", "https://auth.test", "http://127.0.0.1:8000", "http://localhost", "http://[::1]:8000"],
)
def test_a_development_issuer_may_be_explained(issuer_name):
    TokenMiddleware(lambda *_: [], Verifier(issuer=issuer_name, audience="urn:api"), READ, explain=True)


@pytest.mark.parametrize(
    "issuer_name",
    ["https://auth.acme.com", "https://example.com.acme.net", "https://notexample.com", "https://10.0.0.7"],
)
def test_a_production_issuer_may_not(issuer_name):
    with pytest.raises(ValueError, match="explain=True is for development"):
        TokenMiddleware(lambda *_: [], Verifier(issuer=issuer_name, audience="urn:api"), READ, explain=True)

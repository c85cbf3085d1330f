"""The verifier is hard to misuse, tells how it is, and costs little to import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.callers import ANYBODY
from tokenserver.errors import InvalidInput
from tokenserver.resource import Verifier
from tokenserver.resource.testing import FakeIssuer

ROOT = Path(__file__).parents[2]
GOOD: dict[str, Any] = {"issuer": "https://auth.example.com", "audience": "https://api.example.com"}

MISTAKES = {
    "no address": ({"issuer": "auth.example.com"}, "https address"),
    "http to another machine": ({"issuer": "http://auth.example.com"}, "allow_http=True"),
    "an address that only begins like this machine's": ({"issuer": "http://127.0.0.1.example.com"}, "allow_http"),
    "a user in the address": ({"issuer": "https://a:b@auth.example.com"}, "without user"),
    "a query": ({"issuer": "https://auth.example.com/?a=b"}, "query"),
    "a fragment": ({"issuer": "https://auth.example.com/#a"}, "fragment"),
    "a space": ({"issuer": "https://auth.example.com/a b"}, "foreign characters"),
    "no audience": ({"audience": ""}, "audience"),
    "an audience that breaks out of its quotation marks": ({"audience": 'a", error="b'}, "audience"),
    "no interval": ({"poll_interval": 0}, "poll_interval"),
    "an interval beyond the bound": ({"poll_interval": 60}, "poll_interval"),
    "introspection without a credential": ({"on_stale": "introspect"}, r"credential=\("),
    "a credential that is none": ({"credential": "tsc_a:tss_b"}, "credential is"),
    "a credential without its secret": ({"credential": ("tsc_a", "")}, "credential is"),
    "an unknown policy": ({"on_stale": "hope"}, "refuse, introspect, accept"),
    "a negative wait": ({"wait": -1}, "wait"),
    "a setting that is missing": ({"issuer": None}, "is a setting missing"),
    "two audiences": ({"audience": ["a", "b"]}, "are texts"),
    "a credential whose secret is no secret": ({"credential": ("tsc_a", 5)}, "the path of a file"),
}


@pytest.mark.parametrize(("settings", "hint"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_refused_when_the_verifier_is_made_with_what_to_do(settings, hint):
    with pytest.raises((ValueError, TypeError), match=hint):
        Verifier(**{**GOOD, **settings})


def test_a_trusted_proxy_that_is_not_well_written_is_refused():
    with pytest.raises(InvalidInput, match="host bits") as caught:
        Verifier(**GOOD, trusted_proxies=["10.0.0.0/8", "10.0.0.1/8"])
    assert "trusted_proxies" in caught.value.__notes__[0]


def test_it_shows_whose_it_is():
    assert repr(Verifier(**GOOD)).startswith(f"Verifier(issuer='{GOOD['issuer']}', audience='{GOOD['audience']}'")


@pytest.mark.parametrize(
    "issuer", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000", "https://a.example.com/tenant/"]
)
def test_this_machine_and_https_may_be_an_issuer(issuer):
    assert Verifier(issuer=issuer, audience="urn:api").issuer == issuer


def test_the_contract_of_the_design_holds():
    Verifier(**GOOD, poll_interval=1.0, max_staleness=30.0, on_stale="refuse", trusted_proxies=["10.0.0.0/8"]).stop()


def test_it_tells_how_it_is(issuer, clock, verifier):
    assert (verifier.state, verifier.feed_age(), verifier.ready()) == ("starting", None, True)  # asking begins it
    issuer.regenerate()
    clock.advance(0.5)
    assert (verifier.state, verifier.feed_age(), verifier.wait_until(1)) == ("fresh", 0.5, False)
    clock.advance(0.5)
    assert verifier.wait_until(1)
    verifier.verify(issuer.token(), ANYBODY)
    assert verifier.health() == {
        "state": "fresh",
        "feed_age": 0.0,
        "seq": 1,
        "keys": 1,
        "statements_not_believed": 0,
        "on_stale": "refuse",
        "stale_spells": 0,
        "decided_stale": {"refuse": 0, "introspect": 0, "accept": 0},
        "proven_tokens": 1,
        "last_errors": {},
        "introspection": {"asked": 0, "unanswered": 0, "last_error": None},
    }
    json.dumps(verifier.health())
    issuer.goes_down()
    clock.advance(31)
    assert (verifier.state, verifier.ready(), verifier.state) == ("stale", False, "stale")
    verifier.close()
    assert (verifier.state, verifier.ready()) == ("stopped", False)


def test_one_verifier_believes_one_audience_and_one_issuer(issuer, verifier):
    other = issuer.verifier(audience="https://other.example.com")
    token = issuer.token(audience="https://other.example.com")
    assert other.verify(token, ANYBODY).client_id
    with pytest.raises(Exception, match="not valid"):
        verifier.verify(token, ANYBODY)


def test_an_issuer_with_a_path_is_found_where_the_rfc_says():
    tenant = FakeIssuer("https://auth.example.com/tenant")
    assert tenant.verifier().verify(tenant.token(), ANYBODY).organization == "org_test"


@pytest.mark.parametrize("alg", ["ES256", "RS256", "EdDSA"])
def test_every_algorithm_of_the_server_is_understood(alg):
    issuer = FakeIssuer(alg=alg)
    assert issuer.verifier().verify(issuer.token(), ANYBODY).generation == 1


def test_importing_it_loads_no_framework_and_no_event_loop():
    program = (
        "import sys, tokenserver.resource, tokenserver.resource.wsgi, tokenserver.resource.asgi\n"
        "strangers = {'asyncio', 'flask', 'werkzeug', 'sqlalchemy', 'authlib', 'requests', 'httpx', 'pydantic'}\n"
        "print(sorted(strangers & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"

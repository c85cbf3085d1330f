"""Which policy decides while the news is too old is seen: in the health, and in what Prometheus reads."""

from __future__ import annotations

import re

import pytest

from tests.support.callers import ANYBODY, Request, bearer, by_wsgi
from tokenserver.resource import Policy, Require

PATIENT = Require(any_caller=True, on_stale="accept")
ROUTES = Policy([("GET", "/", ANYBODY), ("GET", "/patient", PATIENT)])


def read(text: str) -> dict[str, float]:
    """By the rules of the text format: every line is a comment or a sample, every sample has a type above it."""
    assert text.endswith("\n")
    samples, types = {}, {}
    for line in text.splitlines():
        if found := re.fullmatch(r"# (HELP|TYPE) ([a-z_]+) (.+)", line):
            if found[1] == "TYPE":
                types[found[2]] = found[3]
        else:
            sample = re.fullmatch(r"([a-z_]+)\{([a-z]+=\"[^\"]*\")(,[a-z]+=\"[^\"]*\")*\} ([0-9.]+)", line)
            assert sample is not None, line
            assert types[sample[1]] == ("counter" if sample[1].endswith("_total") else "gauge")
            samples[re.sub(r'audience="[^"]*",?', "", line.rpartition(" ")[0]).replace("{}", "")] = float(sample[4])
    return samples


def test_a_verifier_without_news_tells_what_it_can(verifier):
    told = read(verifier.metrics())
    assert told["tokenserver_feed_fresh"] == 0
    assert "tokenserver_feed_age_seconds" not in told


def test_the_health_and_the_metrics_say_how_old_the_news_is_and_who_decides(issuer, clock, verifier):
    token = issuer.token()
    issuer.regenerate("tsc_other")
    assert by_wsgi(verifier, ROUTES, bearer(token)).status == 200
    told = read(verifier.metrics())
    assert (told["tokenserver_feed_fresh"], told["tokenserver_feed_age_seconds"]) == (1, 0)
    assert (told["tokenserver_feed_seq"], told["tokenserver_signing_keys"], told["tokenserver_proven_tokens"]) == (
        1,
    ) * 3
    assert told['tokenserver_decided_stale_total{policy="accept"}'] == 0

    issuer.goes_down()
    clock.advance(31)
    request = Request((f"Bearer {token}",), path="/patient")
    assert [by_wsgi(verifier, ROUTES, asked).status for asked in (bearer(token), request, request)] == [503, 200, 200]
    told = read(verifier.metrics())
    assert (told["tokenserver_feed_fresh"], told["tokenserver_feed_age_seconds"]) == (0, 31)
    assert told["tokenserver_feed_stale_spells_total"] == 1
    assert told['tokenserver_decided_stale_total{policy="refuse"}'] == 1
    assert told['tokenserver_decided_stale_total{policy="accept"}'] == 2
    health = verifier.health()
    assert (health["state"], health["on_stale"]) == ("stale", "refuse")
    assert health["decided_stale"] == {"refuse": 1, "introspect": 0, "accept": 2}


@pytest.mark.parametrize("policy", ["refuse", "accept", "introspect"])
def test_the_policy_of_the_verifier_is_told(policy, issuer):
    assert issuer.verifier(on_stale=policy).health()["on_stale"] == policy

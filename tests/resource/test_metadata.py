"""The issuer's metadata is believed to the letter, and sends nobody to another host."""

from __future__ import annotations

import pytest

from tests.support.callers import ANYBODY
from tokenserver.errors import Unavailable
from tokenserver.resource.knowledge import NoNews
from tokenserver.resource.metadata import metadata_url, read_metadata
from tokenserver.resource.testing import FakeIssuer

ISSUER = "https://auth.example.com"
HONEST = FakeIssuer(ISSUER).metadata()

WRONG = {
    "another issuer": ({"issuer": "https://auth.example.com/"}, "another issuer"),
    "the issuer in capitals": ({"issuer": "https://AUTH.example.com"}, "another issuer"),
    "no issuer": ({"issuer": None}, "another issuer"),
    "no key set": ({"jwks_uri": None}, "no jwks_uri"),
    "no feed": ({"generations_endpoint": None}, "no generations_endpoint"),
    "no lists": ({"networks_endpoint": None}, "no networks_endpoint"),
    "keys of another host": ({"jwks_uri": "https://evil.example.com/jwks.json"}, "another origin"),
    "keys of a longer host": ({"jwks_uri": "https://auth.example.com.evil.example/jwks"}, "another origin"),
    "keys behind a user": ({"jwks_uri": "https://auth.example.com@evil.example/jwks"}, "not an address"),
    "keys without TLS": ({"jwks_uri": "http://auth.example.com/jwks.json"}, "another origin"),
    "a feed of another port": ({"generations_endpoint": "https://auth.example.com:8443/g"}, "another origin"),
    "lists in a file": ({"networks_endpoint": "file:///etc/passwd"}, "not an address"),
    "a relative address": ({"jwks_uri": "/jwks.json"}, "not an address"),
    "a backslash": ({"jwks_uri": "https://auth.example.com\\@evil.example/"}, "not an address"),
    "a line break": ({"jwks_uri": "https://auth.example.com/\r\nHost: evil"}, "not an address"),
    "a port that is none": ({"jwks_uri": "https://auth.example.com:99999/"}, "not an address"),
    "a number": ({"jwks_uri": 7}, "no jwks_uri"),
}


@pytest.mark.parametrize(("changes", "why"), WRONG.values(), ids=WRONG.keys())
def test_wrong_metadata_is_not_believed(changes, why):
    with pytest.raises(NoNews) as refused:
        read_metadata({**HONEST, **changes}, ISSUER)
    assert why in refused.value.detail


@pytest.mark.parametrize("document", [None, [], "text", 7, {}])
def test_metadata_that_is_no_metadata_is_not_believed(document):
    with pytest.raises(NoNews):
        read_metadata(document, ISSUER)


@pytest.mark.parametrize(
    ("issuer", "url"),
    [
        ("https://a.example", "https://a.example/.well-known/oauth-authorization-server"),
        ("https://a.example/", "https://a.example/.well-known/oauth-authorization-server"),
        ("https://a.example:8443/t/1", "https://a.example:8443/.well-known/oauth-authorization-server/t/1"),
    ],
)
def test_metadata_is_found_between_host_and_path(issuer, url):
    assert metadata_url(issuer) == url


def test_metadata_that_changes_is_read_again_after_a_failure(issuer, clock, verifier):
    verifier.refresh()
    issuer.answers(404)
    for _ in range(5):
        clock.advance(14)
        verifier.refresh()
    assert issuer.fetches["metadata"] == 2
    issuer.comes_back()
    clock.advance(3600)
    verifier.refresh()
    assert verifier.verify(issuer.token(), ANYBODY)


def test_metadata_of_another_issuer_at_the_start_is_nothing_to_go_by(issuer, caplog):
    verifier = issuer.verifier(issuer="https://auth.example.com/")
    with pytest.raises(Unavailable):
        verifier.verify(issuer.token(), ANYBODY)
    assert "a slash at the end counts" in caplog.text

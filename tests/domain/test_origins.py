"""Where a secret may be sent, and where not."""

from __future__ import annotations

import pytest

from tokenserver.domain.origins import checked, checked_issuer, origin_of

GOOD = ["https://auth.example.com", "https://auth.example.com:8443/a?b=c", "http://127.0.0.1:8000", "http://[::1]:80/x"]
BAD = [
    "",
    "auth.example.com",
    "ftp://auth.example.com",
    "https://",
    "https://user:password@auth.example.com",
    "https://auth.example.com/#fragment",
    "https://auth.example.com\\@evil.example",
    "https://auth.example.com/ä",
    "https://auth.example.com/\r\nX: y",
    "https://auth.example.com:port",
    "http://auth.example.com",
    "http://127.0.0.1.evil.example",
    "http://localhost.evil.example",
]


@pytest.mark.parametrize("url", GOOD)
def test_a_secret_may_go_over_tls_or_to_this_machine(url):
    assert checked(url, "token_endpoint", allow_http=False) == url


@pytest.mark.parametrize("url", BAD)
def test_it_may_go_nowhere_else_and_the_error_says_what_to_do(url):
    with pytest.raises(ValueError, match="token_endpoint must be an https address"):
        checked(url, "token_endpoint", allow_http=False)


def test_plain_http_to_another_machine_must_be_asked_for():
    assert checked("http://auth.internal/token", "token_endpoint", allow_http=True)
    with pytest.raises(ValueError, match="allow_http=True"):
        checked("http://auth.internal/token", "token_endpoint", allow_http=False)


def test_an_issuer_has_no_query():
    with pytest.raises(ValueError, match="without a query"):
        checked_issuer("https://auth.example.com/?tenant=1", allow_http=False)


def test_an_origin_is_the_same_however_it_is_spelt():
    spellings = ("https://API.example.com", "https://api.example.com:443/path", "https://api.example.com/?x")
    assert {origin_of(url) for url in spellings} == {("https", "api.example.com", 443)}

"""Names and audiences: what may be granted must mean the same in tokens, headers and log lines."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.credentials import QUICK, REPORTS_API
from tokenserver.domain.names import LONGEST_AUDIENCE, LONGEST_NAME, is_audience, is_name

NAMES = {
    "a word": ("admin", True),
    "one letter": ("a", True),
    "a digit first": ("2fa", True),
    "a scope with a colon": ("reports:read", True),
    "a role of one API": ("product_admin:insync", True),
    "a path": ("files/*.read-only", True),
    "capitals count": ("Reports:Read", True),
    "the longest": ("a" * LONGEST_NAME, True),
    "one longer": ("a" * (LONGEST_NAME + 1), False),
    "nothing": ("", False),
    "a space inside": ("reports read", False),
    "a space around": (" admin", False),
    "a line break at the end": ("admin\n", False),
    "a mark first": (":read", False),
    "a quotation mark": ('ad"min', False),
    "a backslash": ("ad\\min", False),
    "a comma": ("admin,auditor", False),
    "letters of another script": ("\u0430dmin", False),
    "digits of another script": ("scope٣", False),
    "a NUL": ("admin\0", False),
    "half a surrogate pair": ("admin\ud800", False),
}


@pytest.mark.parametrize(("text", "good"), NAMES.values(), ids=NAMES.keys())
def test_a_name_is_plain_ascii_without_surprises(text: str, good: bool) -> None:
    assert is_name(text) is good


@QUICK
@given(st.text())
def test_every_name_is_a_scope_token(text: str) -> None:
    """RFC 6749 §3.3: so that it can stand in `scope` and in a `WWW-Authenticate` header."""
    if is_name(text):
        assert re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e]{1,100}", text)


AUDIENCES = {
    "an https address": ("https://api.example.com", True),
    "with port, path and query": ("https://api.example.com:8443/v1?tenant=7", True),
    "an http address": ("http://127.0.0.1:9000", True),
    "an IPv6 address": ("http://[2001:db8::1]/", True),
    "a URN": ("urn:tokenserver:admin", True),
    "another scheme": ("api+v1://billing", True),
    "capitals in the scheme": ("HTTPS://api.example.com", True),
    "the longest": ("https://" + "a" * (LONGEST_AUDIENCE - 8), True),
    "one longer": ("https://" + "a" * (LONGEST_AUDIENCE - 7), False),
    "nothing": ("", False),
    "a bare word": ("reports", False),
    "a bare path": ("/reports", False),
    "no scheme": ("//api.example.com", False),
    "a scheme alone": ("https:", False),
    "a URN without a name": ("urn:", False),
    "no host": ("https:///reports", False),
    "a port without a host": ("https://:8443/reports", False),
    "an http address without slashes": ("https:api.example.com", False),
    "a fragment": ("https://api.example.com#part", False),
    "an empty fragment": ("https://api.example.com#", False),
    "a space": ("https://api.example.com/a b", False),
    "a line break at the end": ("https://api.example.com\n", False),
    "a tab that some readers drop": ("https://api.exa\tmple.com", False),
    "a quotation mark": ('https://api.example.com/"', False),
    "a backslash": ("https:\\\\api.example.com", False),
    "angle brackets": ("<https://api.example.com>", False),
    "an unclosed bracket": ("http://[2001:db8::1", False),
    "letters of another script": ("https://\u0430pi.example.com", False),
    "a NUL": ("https://api.example.com\0", False),
}


@pytest.mark.parametrize(("text", "good"), AUDIENCES.values(), ids=AUDIENCES.keys())
def test_an_audience_is_an_absolute_uri_without_fragment(text: str, good: bool) -> None:
    assert is_audience(text) is good


@QUICK
@given(st.text() | st.from_regex(r"(https?|urn|x):[/:\[\]@a-z0-9?]{0,20}"))
def test_any_text_is_an_audience_or_not(text: str) -> None:
    assert is_audience(text) in {True, False}


def test_an_api_knows_the_names_of_all_its_scopes() -> None:
    assert REPORTS_API.scope_names() == {"reports:read", "reports:write", "people:read", "people:write"}

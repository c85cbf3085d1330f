"""Is a change said to refuse exactly those calls that it takes the right from, and nothing when it takes nothing?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.domain.catalogue import Api, Kind, Scope
from tokenserver.domain.foresight import Reason, Why, narrowed, would_have_refused
from tokenserver.domain.restrictions import Access, Grant, Restrictions
from tokenserver.domain.usage import Needs, Total

AUDIENCE = "https://api.example.com"
SCOPES = (Scope("reports:read", Kind.READ), Scope("reports:write", Kind.WRITE))
CATALOGUE = {AUDIENCE: Api("api_1", "org_1", AUDIENCE, "Example", SCOPES)}
WIDE = Restrictions(
    roles=frozenset({"reader", "admin"}), grants=(Grant(AUDIENCE, Access.ALL_READ_WRITE),), token_lifetime=900
)
READ_ONLY = (Grant(AUDIENCE, Access.ALL_READ),)
OFFICE = AllowedIPs.parse("192.0.2.0/24")
NO_ROLE, READING = Needs(), Needs(scopes=frozenset({"reports:read"}))
WRITING = Needs(frozenset({"admin"}), frozenset({"reports:write"}))


def call(needs=READING, address="192.0.2.1", count=5):
    return AUDIENCE, Total("api_1", "GET /x", 200, address, count, 1, 2, needs)


CASES = {
    "the same terms refuse nothing": ({}, call(), 0, 0),
    "more refuses nothing": ({"roles": frozenset({"reader", "admin", "more"})}, call(WRITING), 0, 0),
    "an address inside stays": ({"allowed_ips": OFFICE}, call(), 0, 0),
    "an address outside goes": ({"allowed_ips": OFFICE}, call(address="198.51.100.7"), 5, 0),
    "an address that was not told": ({"allowed_ips": OFFICE}, call(address=""), 0, 5),
    "a role that the route required": ({"roles": frozenset({"reader"})}, call(WRITING), 5, 0),
    "a role that it did not": ({"roles": frozenset({"reader"})}, call(READING), 0, 0),
    "a role, where nobody told what was required": ({"roles": frozenset()}, call(None), 0, 5),
    "a scope that the route required": ({"grants": READ_ONLY}, call(WRITING), 5, 0),
    "a scope that it did not": ({"grants": READ_ONLY}, call(READING), 0, 0),
    "the grant at the API": ({"grants": ()}, call(NO_ROLE), 5, 0),
    "the grant, whatever was told": ({"grants": ()}, call(None, address=""), 5, 0),
    "a shorter lifetime ends tokens and refuses no call": ({"token_lifetime": 60}, call(WRITING), 0, 0),
    "where only times change, what was not told matters not": ({"expires_at": 1}, call(None, address=""), 0, 0),
}


@pytest.mark.parametrize(("change", "made", "refused", "unknown"), CASES.values(), ids=CASES.keys())
def test_a_change_refuses_what_it_takes_the_right_from(change, made, refused, unknown):
    found = would_have_refused(WIDE, replace(WIDE, **change), CATALOGUE, [made])
    assert (found.calls, found.refused, found.unknown) == (5, refused, unknown)


def test_a_call_with_two_reasons_counts_once_and_is_told_by_each():
    found = would_have_refused(
        WIDE, replace(WIDE, roles=frozenset(), grants=READ_ONLY), CATALOGUE, [call(WRITING), call(READING, count=7)]
    )
    assert (found.calls, found.refused) == (12, 5)
    assert dict(found.by_reason) == {
        Why(Reason.ROLE, AUDIENCE, "admin"): 5,
        Why(Reason.SCOPE, AUDIENCE, "reports:write"): 5,
    }


def test_what_the_present_terms_refuse_already_is_no_news():
    old = replace(WIDE, allowed_ips=OFFICE)
    smaller = replace(WIDE, allowed_ips=AllowedIPs.parse("192.0.2.0/25"))
    calls = [call(address="198.51.100.7"), call(address="192.0.2.200", count=2)]
    assert would_have_refused(old, smaller, CATALOGUE, calls).refused == 2


def test_each_term_that_takes_something_away_is_named():
    assert narrowed(WIDE, WIDE, CATALOGUE) == ()
    less = Restrictions(allowed_ips=OFFICE, token_lifetime=60, expires_at=1)
    assert narrowed(WIDE, less, CATALOGUE) == ("allowed_ips", "roles", "grants", "token_lifetime", "expires_at")
    assert narrowed(less, WIDE, CATALOGUE) == ()


@pytest.mark.parametrize("needs", [NO_ROLE, READING, WRITING, Needs(frozenset({"a:b"}), frozenset({"a:b"}))])
def test_what_was_needed_is_kept_as_text_and_read_again(needs):
    assert needs.text
    assert Needs.of(needs.text) == needs


def test_nothing_told_is_another_thing_than_nothing_needed():
    assert Needs.of("") is None
    assert Needs.of(Needs().text) == Needs()

"""Filters of a search: each admits exactly its lines, and the sieve lets every wanted line through."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.credentials import CLIENT_ID, QUICK
from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.domain.audit import Entry, Event, Head, chained
from tokenserver.domain.audit_search import Wanted

NOW = 1_800_000_000.25


def line(**changes):
    said = {"event": Event.CREDENTIAL_REVOKED, "actor": "shell", "credential": CLIENT_ID, "address": "192.0.2.7"}
    return chained(Entry(at=NOW, **{**said, **changes}), Head("changes")).text


def admits(wanted, text):
    """Through the sieve and by the members: both must agree, or something wanted would get lost."""
    admitted = wanted.admits(json.loads(text))
    if admitted:
        assert all(needle in text for needle in wanted.needles())
    return admitted


WITHIN = AllowedIPs.parse("192.0.2.0/24")
CASES = {
    "nothing is asked for": (Wanted(), {}, True),
    "the credential": (Wanted(credential=CLIENT_ID), {}, True),
    "another credential": (Wanted(credential="tsc_" + "x" * 22), {}, False),
    "the actor": (Wanted(actor="shell"), {}, True),
    "an actor whose name begins alike": (Wanted(actor="she"), {}, False),
    "the action": (Wanted(action="credential:revoked"), {}, True),
    "an action that begins alike": (Wanted(action="credential:re"), {}, False),
    "all of the subject": (Wanted(action="credential:*"), {}, True),
    "all of another subject": (Wanted(action="secret:*"), {}, False),
    "the outcome": (Wanted(outcome="success"), {}, True),
    "another outcome": (Wanted(outcome="refused"), {}, False),
    "an address in the network": (Wanted(address=WITHIN), {}, True),
    "an address beside the network": (Wanted(address=WITHIN), {"address": "192.0.3.1"}, False),
    "an unknown address": (Wanted(address=WITHIN), {"address": ""}, False),
    "a network, and an address that is none": (Wanted(address=WITHIN), {"address": "somewhere"}, False),
    "no token, and it is none": (Wanted(without_tokens=True), {}, True),
    "no token, and it is one": (Wanted(without_tokens=True), {"event": Event.TOKEN_ISSUED}, False),
    "one filter holds, the other does not": (Wanted(actor="shell", outcome="refused"), {}, False),
    "a name in the detail that looks like a member": (
        Wanted(credential=CLIENT_ID),
        {"credential": "", "detail": {"credential": CLIENT_ID}},
        False,
    ),
}


@pytest.mark.parametrize(("wanted", "changes", "admitted"), CASES.values(), ids=CASES.keys())
def test_a_filter_admits_exactly_its_lines(wanted, changes, admitted):
    assert admits(wanted, line(**changes)) is admitted


@given(actor=st.text(max_size=20), asked=st.text(max_size=20))
@QUICK
def test_whatever_an_actor_is_called_it_is_found_by_its_name_and_no_other(actor, asked):
    text = line(actor=actor)
    assert admits(Wanted(actor=actor), text)
    assert admits(Wanted(actor=asked), text) is (asked == actor)


def test_only_an_action_can_tell_that_no_token_is_wanted():
    assert Wanted(actor="shell").may_be_of_tokens
    assert Wanted(action="token:*").may_be_of_tokens
    assert Wanted(action="token:refused").may_be_of_tokens
    assert not Wanted(action="admin:refused").may_be_of_tokens

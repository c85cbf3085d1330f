"""Chains: what is taken for a line, how a pruned chain goes on, and that a row must say what its line says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.credentials import QUICK
from tokenserver.domain.audit import GENESIS, Entry, Event, Head, chained
from tokenserver.domain.audit_chain import Broken, Chains, refuse_unless_repeated

NOW = 1_800_000_000.25


def a_chain(count, chain="changes", organization="org_1"):
    head, lines = Head(chain), []
    for number in range(count):
        entry = Entry(Event.ROLE_CREATED, NOW + number, "shell", organization, detail={"number": number})
        line = chained(entry, head)
        head = line.head
        lines.append(line)
    return lines


LINES = a_chain(4)


def row(line, organization, at):
    """Looked at beside its line."""
    refuse_unless_repeated(line.text, line.head.chain, line.head.seq, organization, at)


def followed(chains, lines):
    for line in lines:
        chains.follow_exported(line.exported())
    return chains


def test_a_pruned_chain_goes_on_from_its_stub():
    chains = Chains()
    chains.begin(LINES[1].head)
    followed(chains, LINES[2:])
    chains.agree_on_all([LINES[3].head], "its head")


def test_a_pruned_chain_goes_on_nowhere_else():
    for stub, begins in ((LINES[0].head, 2), (LINES[2].head, 2), (replace(LINES[1].head, hash=GENESIS), 2)):
        chains = Chains()
        chains.begin(stub)
        with pytest.raises(Broken):
            followed(chains, LINES[begins:])


def test_a_stub_in_the_middle_hides_nothing():
    chains = followed(Chains(), LINES[:1])
    with pytest.raises(Broken, match="does not stand before"):
        chains.begin(LINES[1].head)


def test_what_was_said_of_pruned_lines_cannot_be_compared_any_more_but_of_the_last_of_them_it_can():
    chains = Chains()
    chains.begin(LINES[1].head)
    chains.agree(LINES[0].head, "a checkpoint")
    chains.agree(LINES[1].head, "a checkpoint")
    with pytest.raises(Broken, match="rewritten"):
        chains.agree(replace(LINES[1].head, hash=GENESIS), "a checkpoint")


def test_a_chain_without_a_head_is_named():
    chains = followed(Chains(), [*LINES, *a_chain(1, "issued-1")])
    with pytest.raises(Broken, match="issued-1"):
        chains.agree_on_all([LINES[3].head], "its head")


@given(st.text(max_size=300))
@QUICK
def test_whatever_is_no_line_is_called_so(text):
    with pytest.raises(Broken):
        Chains().follow_exported(text)
    with pytest.raises(Broken):
        Chains().follow(text, GENESIS)


ROWS = {
    "another organization": ("org_2", int(NOW)),
    "no organization": ("", int(NOW)),
    "another second": ("org_1", int(NOW) + 1),
}


def test_a_row_that_repeats_its_line_is_good():
    row(LINES[0], "org_1", int(NOW))


@pytest.mark.parametrize(("organization", "at"), ROWS.values(), ids=ROWS.keys())
def test_a_row_that_says_otherwise_than_its_line_was_edited(organization, at):
    with pytest.raises(Broken, match="row"):
        row(LINES[0], organization, at)
    with pytest.raises(Broken, match="row"):
        row(replace(LINES[0], head=LINES[1].head), "org_1", int(NOW))


def test_an_actor_cannot_pose_as_the_organization_of_a_line():
    entry = Entry(Event.ROLE_CREATED, NOW, 'x","organization":"org_1","a":"', "org_2")
    line = chained(entry, Head("changes"))
    row(line, "org_2", int(NOW))
    with pytest.raises(Broken):
        row(line, "org_1", int(NOW))

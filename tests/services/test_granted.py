"""Is what is remembered of catalogues bounded, shared where they share, and never older than the catalogue?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.services import granted as services_granted
from app.services.granted import Granted
from tests.support.neighbours import READS, Neighbours
from tests.support.workshop import REPORTS, SCOPES
from tokenserver.domain.catalogue import Kind, Scope
from tokenserver.domain.restrictions import Access, Grant, Restrictions

READS_ALL = Restrictions(grants=(Grant(REPORTS, Access.ALL_READ),))
NOBODY = Restrictions()


@pytest.fixture
def three(workshop):
    made = Neighbours(workshop)
    made.share()
    return made


@pytest.fixture
def granted(three):
    return Granted(three.own.store)


def version_of(three):
    with three.own.store.reading() as tx:
        return tx.catalogue.version()


def test_organizations_that_share_an_api_share_what_is_remembered_of_it(three, granted):
    version = version_of(three)
    found = [granted.of(who.organization_id, READS_ALL, version)[0][REPORTS] for who in (three.ours, three.theirs)]
    assert found[0] == {"reports:read"}
    assert found[0] is found[1]
    catalogues = [granted.catalogue(who.organization_id, version) for who in (three.ours, three.theirs)]
    assert catalogues[0][REPORTS] is catalogues[1][REPORTS]


def test_what_is_remembered_is_bounded_and_what_is_forgotten_is_read_again(three, granted, monkeypatch):
    most = 60  # room for two: each has the scopes of the server's own API
    monkeypatch.setattr(services_granted, "MOST_SCOPES", most)
    version = version_of(three)
    for _ in range(3):
        for who in (three.vendor, three.ours, three.theirs):
            assert REPORTS in granted.catalogue(who.organization_id, version)
            assert len(granted._kept) <= 2
            assert granted._weight == sum(weight for _, weight in granted._kept.values()) <= most


def test_of_an_audience_that_is_not_there_nothing_is_granted(three, granted):
    terms = Restrictions(grants=(READS, Grant("urn:gone", Access.ALL_READ)))
    assert granted.of(three.ours.organization_id, terms, version_of(three))[0] == {REPORTS: {"reports:read"}}
    assert granted.of(three.ours.organization_id, NOBODY, version_of(three)) == ({}, {})


def test_every_process_gives_what_the_catalogue_of_now_says(three):
    """A change by one is in the next token that another one issues, wherever the credential is."""
    other = three.workshop.beside()
    made = three.credential(three.owner, Grant(REPORTS, Access.ALL_READ))
    assert set(other.issue(made).scope.split()) == {"reports:read"}
    more = (*SCOPES, Scope("new:read", Kind.READ))
    three.catalogue.update_api(three.vendor, three.api().id, None, lambda api: replace(api, scopes=more))
    assert set(other.issue(made).scope.split()) == {"reports:read", "new:read"}
    other.close()

"""Is every line of an organization found once, newest first, by any filter, and no line of another's?"""

from __future__ import annotations

import itertools

import pytest
from sqlalchemy import text

from app.store import audit_search
from tests.support.workshop import NOW
from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.domain.audit import Entry, Event
from tokenserver.domain.audit_search import Wanted
from tokenserver.domain.secret import new_client_id

ONE, OTHER = new_client_id(), new_client_id()
EVENTS = (Event.CREDENTIAL_CREATED, Event.SECRET_ROTATED, Event.CREDENTIAL_REVOKED)


def entry(organization, at=NOW, event=Event.CREDENTIAL_UPDATED, **more):
    return Entry(event, at, "shell", organization, **more)


def append(store, *entries):
    with store.writing() as tx:
        tx.audit.append(*entries)


def pages(store, organization, wanted=Wanted(), limit=3):  # noqa: B008  a frozen value
    after, found = None, []
    for count in itertools.count(1):
        with store.reading() as tx:
            page, after = tx.audit_search.page(organization, wanted, after, limit)
        assert len(page) <= limit
        found += page
        if after is None:
            return found, count
    raise AssertionError


def seqs(found):
    return [one.line.head.seq for one in found]


def exported(store, organization, wanted=Wanted()):  # noqa: B008  a frozen value
    after, found = None, []
    while True:
        with store.reading() as tx:
            more, after = tx.audit_search.ascending(organization, wanted, after)
        found += more
        if after is None:
            return found


class AuditSearchConformance:
    backend: str

    def test_the_changes_of_one_credential_come_oldest_first_without_its_tokens(self, store, theirs):
        tokens = entry(theirs, event=Event.TOKEN_ISSUED, credential="tsc_a")
        append(store, *(entry(theirs, NOW + at, credential="tsc_a") for at in (2, 0, 1)), tokens)
        append(store, entry(theirs, NOW + 1, credential="tsc_b"), entry(theirs, NOW + 1))
        with store.reading() as tx:
            found = [one.members for one in tx.audit_search.changes_of(theirs, "tsc_a", int(NOW) + 1)]
            nobodys = list(tx.audit_search.changes_of(theirs, "", int(NOW)))
        assert [(one["credential"], one["event"]) for one in found][:2] == [("tsc_a", "credential:updated")] * 2
        assert [one["at"] for one in found] == sorted(one["at"] for one in found)
        assert len(found) == 2
        assert len(nobodys) == 1

    def test_every_line_is_on_exactly_one_page_newest_first(self, store, theirs):
        append(store, *(entry(theirs, NOW + number // 4) for number in range(11)))
        found, _ = pages(store, theirs)
        assert seqs(found) == sorted(seqs(found), reverse=True)
        assert len(found) == 11
        assert seqs(exported(store, theirs)) == sorted(seqs(found))

    def test_a_full_last_page_is_the_last(self, store, theirs):
        append(store, *(entry(theirs) for _ in range(6)))
        assert pages(store, theirs)[1] == 2

    def test_nobody_sees_a_line_of_another_organization_or_of_none(self, store, ours, theirs):
        append(store, entry(theirs), entry(""))
        assert {one.members["organization"] for one in pages(store, ours)[0]} == {ours}
        assert len(pages(store, theirs)[0]) == 1
        assert pages(store, "org_nobody") == ([], 1)

    def test_filters_find_what_they_say_and_combine(self, store, theirs):
        address = {"address": "192.0.2.9", "outcome": "refused"}
        append(store, *(entry(theirs, event=event, credential=who) for event in EVENTS for who in (ONE, OTHER)))
        append(store, entry(theirs, event=Event.ADMIN_REFUSED, credential=ONE, **address))
        network = AllowedIPs.parse("192.0.2.0/28")
        for wanted, count in (
            (Wanted(credential=ONE), 4),
            (Wanted(action="credential:*"), 4),
            (Wanted(action="credential:*", credential=OTHER), 2),
            (Wanted(action="secret:rotated"), 2),
            (Wanted(outcome="refused"), 1),
            (Wanted(address=network), 1),
            (Wanted(address=network, credential=OTHER), 0),
            (Wanted(actor="shell"), 7),
            (Wanted(actor="clock"), 0),
        ):
            assert len(pages(store, theirs, wanted)[0]) == count, wanted
            assert len(exported(store, theirs, wanted)) == count, wanted

    def test_since_is_included_and_until_is_not(self, store, theirs):
        append(store, *(entry(theirs, int(NOW) + number) for number in range(5)))
        found, _ = pages(store, theirs, Wanted(since=int(NOW) + 1, until=int(NOW) + 3))
        assert [one.at - int(NOW) for one in found] == [2, 1]

    def test_a_page_reads_a_bounded_number_of_lines_and_says_where_to_go_on(self, store, theirs, monkeypatch):
        monkeypatch.setattr(audit_search, "MOST_READ", 10)
        append(store, entry(theirs, credential=ONE), *(entry(theirs, NOW + 1) for _ in range(35)))
        with store.reading() as tx:
            assert tx.audit_search.page(theirs, Wanted(credential=ONE), None, 5)[0] == []
        found, count = pages(store, theirs, Wanted(credential=ONE))
        assert len(found) == 1
        assert count == 4

    def test_lines_that_are_written_meanwhile_neither_repeat_nor_hide_one(self, store, theirs):
        append(store, *(entry(theirs) for _ in range(6)))
        with store.reading() as tx:
            first, after = tx.audit_search.page(theirs, Wanted(), None, 3)
        append(store, entry(theirs, NOW + 60))
        with store.reading() as tx:
            second, _ = tx.audit_search.page(theirs, Wanted(), after, 3)
        assert len({one.place for one in (*first, *second)}) == 6

    def test_tokens_are_found_among_changes_and_are_in_the_way_of_no_other_search(
        self, workshop, store, ours, monkeypatch
    ):
        workshop.catalogue()
        made = workshop.credential()
        for _ in range(30):
            workshop.issue(made)
        client_id = made.view.credential.client_id
        tokens = Wanted(credential=client_id, action="token:issued")
        assert len(pages(store, ours, tokens, 50)[0]) == 30
        assert len(pages(store, ours, Wanted(credential=client_id), 50)[0]) == 31
        monkeypatch.setattr(audit_search, "MOST_READ", 10)
        (found,), count = pages(store, ours, Wanted(credential=client_id, action="credential:*"), 50)
        assert found.members["event"] == "credential:created"
        assert count == 1, "the tokens were not looked at"


class TestSQLite(AuditSearchConformance):
    backend = "sqlite"

    def test_both_searches_walk_their_index_and_sort_nothing(self, store):
        plans = {}
        for name, more in (("all", ""), ("changes", " AND chain = 'changes'")):
            query = f"SELECT line FROM audit_event WHERE organization_id = 'x' AND at <= 7{more}"
            with store.reading() as tx:
                rows = tx.session.execute(text(f"EXPLAIN QUERY PLAN {query} ORDER BY at DESC, chain DESC, seq DESC"))
                plans[name] = " ".join(row[3] for row in rows)
        assert "ix_audit_event_organization_id_at" in plans["all"]
        assert "ix_audit_event_changes" in plans["changes"]
        assert not [plan for plan in plans.values() if "TEMP B-TREE" in plan]


@pytest.mark.postgres
class TestPostgres(AuditSearchConformance):
    backend = "postgres"

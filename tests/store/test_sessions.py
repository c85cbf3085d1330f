"""Are sessions, links and what works once remembered as they were, and forgotten when they are over?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.store.sessions import Invitation, Session
from tokenserver.domain.operators import Membership, Operator, OperatorRole

OPERATOR = "op_ada"


def session(organization_id, session_id="s_1", **members):
    return Session(
        **{
            "id": session_id,
            "operator_id": OPERATOR,
            "organization_id": organization_id,
            "method": "password",
            "created_at": 100,
            "seen_at": 100,
            "proven_at": 100,
            "address": "192.0.2.1",
            "agent": "ünïcode",
            **members,
        }
    )


def invitation(organization_id, invitation_id="i_1", expires_at=500):
    return Invitation(invitation_id, OPERATOR, organization_id, 100, "shell", expires_at)


class SessionConformance:
    @pytest.fixture(autouse=True)
    def operator(self, store, ours):
        with store.writing() as tx:
            tx.operators.add(Operator(OPERATOR, "ada@example.com", "Ada", platform_admin=False, created_at=1))
            tx.operators.add_member(ours, Membership(OPERATOR, OperatorRole.MEMBER, created_at=1))

    def test_a_session_comes_back_as_it_was_saved(self, store, ours):
        one = session(ours, awaits="second_factor")
        with store.writing() as tx:
            tx.sessions.add(one)
        later = replace(one, seen_at=200, proven_at=150, awaits=None)
        with store.writing() as tx:
            assert tx.sessions.get(one.id) == one
            tx.sessions.change(one.id, seen_at=200, proven_at=150, awaits=None)
        with store.reading() as tx:
            assert tx.sessions.get(one.id) == later
            assert tx.sessions.get("unknown") is None

    def test_saving_does_not_bring_back_what_has_ended(self, store, ours):
        one = session(ours)
        with store.writing() as tx:
            tx.sessions.add(one)
            tx.sessions.end(one.id)
            tx.sessions.change(one.id, seen_at=2)
            assert tx.sessions.get(one.id) is None

    def test_they_are_listed_by_their_last_use_and_ended_together(self, store, ours):
        with store.writing() as tx:
            for name, seen_at in (("old", 1), ("new", 3), ("middle", 2)):
                tx.sessions.add(session(ours, name, seen_at=seen_at))
            assert [one.id for one in tx.sessions.of(OPERATOR)] == ["new", "middle", "old"]
            tx.sessions.end("new", "old", "unknown")
            tx.sessions.end()
            assert [one.id for one in tx.sessions.of(OPERATOR)] == ["middle"]

    def test_one_link_is_out_at_a_time(self, store, ours):
        with store.writing() as tx:
            tx.sessions.invite(invitation(ours, "first"))
            tx.sessions.invite(invitation(ours, "second"))
        with store.writing() as tx:
            assert tx.sessions.invitation("first") is None
            assert tx.sessions.invitation("second") == invitation(ours, "second")
            tx.sessions.uninvite(OPERATOR)
            assert tx.sessions.invitation("second") is None

    def test_what_is_over_is_forgotten_and_nothing_else(self, store, ours):
        with store.writing() as tx:
            tx.sessions.add(session(ours, "unused", seen_at=199, created_at=150))
            tx.sessions.add(session(ours, "too old", seen_at=900, created_at=149))
            tx.sessions.add(session(ours, "live", seen_at=200, created_at=150))
            tx.sessions.invite(invitation(ours, expires_at=500))
            assert tx.sessions.spend("early", 499)
            assert tx.sessions.spend("late", 500)
            tx.sessions.prune(seen_before=200, created_before=150, now=500)
        with store.writing() as tx:
            assert [one.id for one in tx.sessions.of(OPERATOR)] == ["live"]
            assert tx.sessions.invitation("i_1") is not None
            assert (tx.sessions.spend("early", 900), tx.sessions.spend("late", 900)) == (True, False)
            tx.sessions.prune(seen_before=200, created_before=150, now=501)
            assert tx.sessions.invitation("i_1") is None


class TestSqlite(SessionConformance):
    backend = "sqlite"


@pytest.mark.postgres
class TestPostgres(SessionConformance):
    backend = "postgres"

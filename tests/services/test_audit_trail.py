"""Is the log exported whole, and verified beside a busy server?"""

from __future__ import annotations

import json
import threading

import pytest

from tests.support.workshop import at_once, failed
from tokenserver.tokens.audit_record import verify

both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


def test_the_export_is_every_line_and_verifies_without_the_server(workshop):
    made = workshop.credential()
    workshop.issue(made)
    exported = list(workshop.services.audit_trail.export())
    assert verify(exported) is None
    assert [json.loads(line)["event"] for line in exported][-2:] == ["credential:created", "token:issued"]
    assert all(line.isascii() and "\n" not in line for line in exported)


def test_a_long_log_is_exported_whole(workshop):
    made = workshop.credential()
    at_once(*[lambda: [workshop.issue(made) for _ in range(150)]] * 8)
    assert len([line for line in workshop.services.audit_trail.export() if '"token:issued"' in line]) == 1200
    assert workshop.services.audit_trail.verify() is None


@both
def test_the_log_of_a_busy_server_verifies_at_every_moment(workshop):
    """Nobody is called a forger because a token was issued between reading the lines and reading the heads."""
    made, done, flaws = workshop.credential(), threading.Event(), []

    def busy():
        for _ in range(60):
            workshop.issue(made)
            workshop.services.credentials.update(
                workshop.caller, made.view.credential.client_id, None, lambda c: c.renamed(c.name + "x", "")
            )
        done.set()

    def auditor():
        while not done.is_set():
            flaws.append(workshop.services.audit_trail.verify())

    assert failed(at_once(busy, auditor)) == []
    assert flaws
    assert set(flaws) == {None}


def test_an_edited_line_is_named(workshop):
    workshop.issue(workshop.credential())
    with workshop.services.store.writing() as tx:
        tx.session.connection().exec_driver_sql(
            "UPDATE audit_event SET line = replace(line, 'nightly export', 'nightly 3xport') WHERE chain = 'changes'"
        )
    flaw = workshop.services.audit_trail.verify()
    assert flaw is not None
    exported = list(workshop.services.audit_trail.export())
    assert "nightly 3xport" in exported[flaw.place - 1]

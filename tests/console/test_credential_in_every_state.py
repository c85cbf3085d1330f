"""Whatever has become of a credential, every page of it answers, and says so; none fails on what it has not yet."""

from __future__ import annotations

import pytest

from tests.console.test_rotating import claimed, made, rotated, work
from tests.support.console import signed_in
from tokenserver.clock import DAY


def by_schedule(server):
    one = made(server, rotation_schedule={"interval_days": 90, "grace_seconds": 10 * DAY})
    server.clock.advance(91 * DAY)
    work(server)
    return one


def act(server, one, action, body=None):
    answer = server.call("POST", f"/v1/credentials/{one[0]}/{action}", body or {})
    assert answer.status_code == 200, answer.text
    return one


def used(server, one):
    assert server.ask_for_token(*one).status_code == 200
    return one


def in_rotation(server, *, old_used=False, new_used=False, ended=False):
    one = made(server)
    if old_used:
        used(server, one)
    new = rotated(server, one)
    if new_used:
        used(server, (one[0], new))
    if ended:
        server.clock.advance(2 * DAY)
    return one


def waiting_and_claimed(server):
    one = by_schedule(server)
    claimed(server, one)
    return one


def expired(server):
    one = made(server, expires_at="2027-01-20T00:00:00Z")
    server.clock.advance(10 * DAY)
    return one


STATES = {
    "just made": made,
    "used": lambda server: used(server, made(server)),
    "without a grant or a role": lambda server: made(server, grants=[]),
    "without an end": lambda server: made(server, expires_at=None),
    "rotating, and nobody has used either secret": in_rotation,
    "rotating, and the old secret was used": lambda server: in_rotation(server, old_used=True),
    "rotating, and the new one was used": lambda server: in_rotation(server, new_used=True),
    "rotated": lambda server: in_rotation(server, old_used=True, new_used=True, ended=True),
    "finished": lambda server: act(server, in_rotation(server), "rotation/finish"),
    "cancelled": lambda server: act(server, in_rotation(server), "rotation/cancel"),
    "with a secret that waits": by_schedule,
    "with a secret that was claimed": waiting_and_claimed,
    "regenerated": lambda server: act(server, made(server), "regenerate"),
    "disabled": lambda server: act(server, made(server), "disable"),
    "disabled while it rotates": lambda server: act(server, in_rotation(server), "disable"),
    "expired": expired,
    "revoked": lambda server: act(server, made(server), "revoke", {"reason": "the contract ended"}),
    "revoked while it rotates": lambda server: act(server, in_rotation(server), "revoke"),
}


def pages_of_a_credential(server):
    """Every page of the console's table that is fetched, and is about one credential."""
    rules = [rule for rule in server.app.url_map.iter_rules() if rule.arguments == {"client_id"}]
    console = [rule for rule in rules if rule.endpoint.startswith("console.") and "GET" in rule.methods]
    return [rule.rule for rule in console if rule.endpoint != "console.applied"]  # a piece, of one change


@pytest.mark.parametrize("state", STATES.values(), ids=STATES.keys())
def test_every_page_of_a_credential_answers_whatever_has_become_of_it(server, state):
    one = state(server)
    visitor = signed_in(server)
    paths = [rule.removeprefix("/console").replace("<client_id>", one[0]) for rule in pages_of_a_credential(server)]
    assert len(paths) > 12
    answers = {path: visitor.open(path).status_code for path in paths}
    assert {path: status for path, status in answers.items() if status != 200} == {}

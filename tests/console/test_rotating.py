"""A rotation at the console: what is so at each of its stages, in words, and how it is finished or cancelled."""

from __future__ import annotations

import base64

import pytest

from tests.support.console import signed_in
from tokenserver.clock import DAY

AUDIENCE = "https://api.example.com"


def made(server, **terms):
    server.call("POST", "/v1/apis", {"audience": AUDIENCE, "name": "Example", "scopes": []})
    body = {"name": "nightly export", "grants": [{"audience": AUDIENCE, "access": "all_read"}], **terms}
    answer = server.call("POST", "/v1/credentials", body).get_json()
    return answer["client_id"], answer["client_secret"]


@pytest.fixture
def one(server):
    return made(server)


@pytest.fixture
def scheduled(server):
    return made(server, rotation_schedule={"interval_days": 90, "grace_seconds": 10 * DAY})


def rotated(server, one):
    return server.call("POST", f"/v1/credentials/{one[0]}/rotate", {"grace_seconds": DAY}).get_json()["client_secret"]


def work(server):
    while server.services.rotations.work(server.clock.now):
        pass


def claimed(server, one):
    basic = base64.b64encode(":".join(one).encode()).decode()
    answer = server.app.test_client().post("/oauth/rotation/claim", headers={"Authorization": f"Basic {basic}"})
    assert answer.status_code == 200, answer.text
    return answer.get_json()["client_secret"]


def status(server, client_id, secret):
    return server.ask_for_token(client_id, secret).status_code


def test_while_both_secrets_work_the_last_use_of_the_old_one_is_shown(server, one):
    client_id, old = one
    path = f"/credentials/{client_id}/rotation"
    visitor = signed_in(server)
    assert "No rotation is in progress" in visitor.open(path).text
    rotated(server, one)
    page = visitor.open(path)
    assert "It was not used since the new one was made." in page.text
    server.clock.advance(60)
    assert status(server, client_id, old) == 200
    headers = {"HX-Request": "true", "Sec-Fetch-Site": "same-origin"}
    piece = visitor.client.get(f"/console{path}?rounds=1", headers=headers)
    assert "some app has not moved over" in piece.text
    assert "<code>127.0.0.1</code>" in piece.text
    assert "<html" not in piece.text
    assert "hx-get" in piece.text
    assert "hx-get" not in visitor.open(path, rounds="150").text


def test_finishing_ends_the_old_secret_and_leaves_the_new_one(server, one):
    new = rotated(server, one)
    path = f"/credentials/{one[0]}/rotation/finish"
    visitor = signed_in(server)
    assert "Is that app over to the new one?" not in visitor.open(path).text
    status(server, *one)
    assert "Is that app over to the new one?" in visitor.open(path).text
    page = visitor.send(path, {"version": "2"})
    assert "The rotation is finished" in page.text
    assert (status(server, *one), status(server, one[0], new)) == (401, 200)


def test_cancelling_ends_the_new_secret_and_leaves_the_old_one(server, one):
    new = rotated(server, one)
    path = f"/credentials/{one[0]}/rotation/cancel"
    visitor = signed_in(server)
    assert "Every token that is out ends" in visitor.open(path).text
    page = visitor.send(path, {"version": "2"})
    assert "The rotation is cancelled" in page.text
    assert (status(server, *one), status(server, one[0], new)) == (200, 401)


@pytest.mark.parametrize("deed", ["finish", "cancel"])
def test_where_nothing_rotates_there_is_nothing_to_end(server, one, deed):
    path = f"/credentials/{one[0]}/rotation/{deed}"
    visitor = signed_in(server)
    assert '<form method="post">' not in visitor.open(path).text
    assert visitor.send(path, {"version": "1"}).status_code == 409


def test_a_secret_that_waits_says_what_it_waits_for_and_can_be_withdrawn(server, scheduled):
    client_id, _ = scheduled
    path = f"/credentials/{client_id}/rotation"
    visitor = signed_in(server)
    assert "By its schedule, a new secret is prepared at" in visitor.open(path).text
    server.clock.advance(90 * DAY)
    work(server)
    visitor = signed_in(server)
    page = visitor.open(path)
    assert "waits for the app to claim it" in page.text
    assert "POST /oauth/rotation/claim" in page.text
    assert "it gets 10 days more, once." in page.text
    assert f"{path}/finish" not in page.text
    page = visitor.open(f"{path}/cancel")
    assert "which nobody has claimed, is withdrawn" in page.text
    assert "Every token that is out ends" not in page.text
    visitor.send(f"{path}/cancel", {"version": "2"})
    assert status(server, *scheduled) == 200
    assert "No rotation is in progress" in visitor.open(path).text


def test_a_secret_that_is_claimed_waits_for_its_first_use(server, scheduled):
    client_id, _ = scheduled
    path = f"/credentials/{client_id}/rotation"
    server.clock.advance(90 * DAY)
    work(server)
    new = claimed(server, scheduled)
    visitor = signed_in(server)
    page = visitor.open(path)
    assert "<strong>claimed</strong> the new secret" in page.text
    assert "not before the new one is used" in page.text
    assert status(server, client_id, new) == 200
    server.clock.advance(60)
    work(server)
    page = visitor.open(path)
    assert "<strong>Both secrets work</strong> until" in page.text
    assert "in 10 days" in page.text


def test_an_app_that_is_late_with_the_new_secret_is_told_of(server, scheduled):
    server.clock.advance(90 * DAY)
    work(server)
    claimed(server, scheduled)
    server.clock.advance(11 * DAY)
    work(server)
    page = signed_in(server).open(f"/credentials/{scheduled[0]}/rotation")
    assert "The app has taken longer than it should." in page.text


def test_an_auditor_watches_and_ends_nothing(server, one):
    rotated(server, one)
    path = f"/credentials/{one[0]}/rotation"
    page = signed_in(server, "audit@example.com", "auditor").open(path)
    assert "Both secrets work" in page.text
    assert f"{path}/finish" not in page.text


def test_a_rotation_of_somebody_else_is_nowhere(server, one):
    assert signed_in(server, "ada@example.com", "member").open(f"/credentials/{one[0]}/rotation").status_code == 404

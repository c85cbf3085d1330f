"""What does the address say to those who knock? As the token endpoint does, and in the same words."""

from __future__ import annotations

import pytest

from app.services.credentials import NewSecret
from app.services.terms import Draft
from tests.oauth.conftest import Door, basic
from tests.support.names import a_name
from tests.support.rotations import SCHEDULE
from tests.support.workshop import REPORTS
from tests.support.wsgi import FORM
from tokenserver.domain.restrictions import Access, Grant, Restrictions
from tokenserver.domain.secret import new_client_id, new_secret

PATH = "/oauth/rotation/claim"


def waiting(door: Door, *grants: Grant) -> NewSecret:
    draft = Draft(a_name("an app"), "", Restrictions(grants=grants), schedule=SCHEDULE)
    made = door.server.services.credentials.create(door.caller, draft)
    moment = made.view.credential.rotate_at
    door.server.clock.now = max(door.server.clock.now, float(moment or 0))
    while door.server.services.rotations.work(door.server.clock.now):
        pass
    return made


def proof(made: NewSecret) -> tuple[str, str]:
    return made.view.credential.client_id, made.secret.reveal()


WAYS = {
    "HTTP Basic and nothing else": lambda who: {"headers": basic(*who), "kind": None},
    "HTTP Basic and an empty form": lambda who: {"headers": basic(*who), "kind": FORM},
    "a form": lambda who: {"body": "client_id={}&client_secret={}".format(*who)},
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_the_old_secret_is_proven_as_at_the_token_endpoint(own_door, way):
    made = waiting(own_door)
    answer = own_door.send(path=PATH, **way(proof(made)))
    assert answer.status == 200
    told = answer.json
    assert set(told) == {"client_id", "client_secret", "grace_expires_at"}
    assert told["client_id"] == made.view.credential.client_id
    assert told["grace_expires_at"].endswith("Z")
    assert answer.header("Cache-Control") == "no-store"
    assert own_door.ask(client_id=told["client_id"], client_secret=told["client_secret"]).status == 400  # no grant


def test_strangers_get_the_same_bytes_whoever_they_are_and_the_words_of_the_token_endpoint(own_door):
    made = waiting(own_door)
    own = made.view.credential.client_id
    strangers = [
        basic(own, new_secret().reveal()),
        basic(new_client_id(), made.secret.reveal()),
        basic("nobody", "nothing"),
        basic(b"\xff", b"\xfe"),
        [("Authorization", b"Basic !")],
        [],
    ]
    answers = [own_door.send("", headers, path=PATH) for headers in strangers]
    known = own_door.ask(basic(own, new_secret().reveal()))
    assert known.status == 401
    assert len({answer.body for answer in answers}) == 1
    for answer in answers:
        assert (answer.status, answer.json) == (known.status, known.json)
        assert answer.header("WWW-Authenticate") == known.header("WWW-Authenticate")


def test_where_nothing_waits_the_answer_says_so(own_door):
    answer = own_door.send("", basic(own_door.client_id, own_door.secret), path=PATH)
    assert (answer.status, answer.json["error"]) == (404, "no_rotation")
    assert own_door.secret not in answer.body.decode()


REFUSED = {
    "a GET": ({"method": "GET"}, 405),
    "parameters in the URL": ({"path": PATH + "?client_id=a"}, 400),
    "a form that says everything twice": ({"body": "client_id=a&client_id=a"}, 400),
    "two ways to authenticate": ({"body": "client_id=a&client_secret=b", "headers": basic("a", "b")}, 400),
    "JSON": ({"body": "{}", "kind": "application/json"}, 400),
    "a form that is compressed": ({"body": "", "headers": [("Content-Encoding", "gzip")]}, 400),
    "a NUL": ({"body": "client_id=%00"}, 400),
    "too much": ({"body": "a=" + "x" * 70_000}, 413),
}


@pytest.mark.parametrize(("asked", "status"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_read_is_refused_with_a_reason(door, asked, status):
    answer = door.send(**{"path": PATH, **asked})
    assert answer.status == status
    assert set(answer.json) == {"error", "error_description"}


def test_the_token_of_the_old_secret_says_that_a_new_one_waits(own_door):
    made = waiting(own_door, Grant(REPORTS, Access.CUSTOM, frozenset({"reports:read"})))
    own = made.view.credential.client_id
    asked = {"client_id": own, "client_secret": made.secret.reveal()}
    assert own_door.ask(**asked).json["rotation"] == "waiting"
    claimed = own_door.send("", basic(*proof(made)), path=PATH).json
    assert own_door.ask(**asked).json["rotation"] == "waiting"
    assert "rotation" not in own_door.ask(client_id=own, client_secret=claimed["client_secret"]).json
    assert "rotation" not in own_door.ask(**asked).json
    assert own_door.send("", basic(*proof(made)), path=PATH).status == 404

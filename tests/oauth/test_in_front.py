"""Do the doors in front of Flask answer as Flask does, byte for byte, and count nothing twice?"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from app.services.catalogue import ApiDraft
from app.store.database import Store, StoreUnavailable
from tests.oauth.conftest import Door, basic
from tests.support.wsgi import Answer, Header
from tokenserver.domain.catalogue import Kind, Scope
from tokenserver.domain.restrictions import Access, Grant

FILES = "https://files.example.com"
INTROSPECT, FORWARD_AUTH = "/oauth/introspect", "/forward-auth"
SIGNED = "application/token-introspection+jwt"


class Both:
    """The same request by either way."""

    def __init__(self, door: Door) -> None:
        self.door = door
        scopes = (Scope("files:read", Kind.READ), Scope("tokens:introspect", Kind.READ))
        door.server.services.catalogue.create_api(door.caller, ApiDraft(FILES, "Files", scopes))
        made = door.credential(grants=(Grant(FILES, Access.CUSTOM, frozenset({"files:read", "tokens:introspect"})),))
        self.proof = basic(made.view.credential.client_id, made.secret.reveal())
        self.token = door.server.token(made.view.credential.client_id, made.secret.reveal())

    def introspect(self, token: str, proof: list[Header] | None = None, *headers: Header, **more: Any) -> Answer:
        sent = [*(self.proof if proof is None else proof), *headers]
        return self.door.send(urlencode({"token": token}), sent, path=INTROSPECT, **more)

    def forward(self, path: str = FORWARD_AUTH, *, token: str = "", scope: str = "files:read", **more: Any) -> Answer:
        required = urlencode({"aud": FILES, "scope": scope})
        sent = [("Authorization", f"Bearer {token or self.token}"), ("X-Auth-Require", required)]
        return self.door.send(path=f"{path}?{required}", headers=sent, kind=None, **{"method": "GET", **more})

    def flask_is_not_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def asked(*_: object) -> Any:
            raise AssertionError("it came to Flask")

        monkeypatch.setattr(self.door.server.app, "wsgi_app", asked)


@pytest.fixture
def both(own_door):
    return Both(own_door)


@pytest.fixture
def limited(door_with):
    return Both(door_with(rate_limits="address=500/minute, feed=5/minute"))


ANSWERED_IN_FRONT: dict[str, Any] = {
    "an active token": (200, lambda both: both.introspect(both.token)),
    "one that is not": (200, lambda both: both.introspect("x")),
    "for any Accept but one": (200, lambda both: both.introspect(both.token, None, ("Accept", "text/html, */*;q=0.1"))),
    "who may pass": (200, lambda both: both.forward()),
    "who may pass, by HEAD": (200, lambda both: both.forward(method="HEAD")),
    "who may pass, as Envoy asks": (200, lambda both: both.forward("/forward-auth/reports/7", method="POST")),
    "who may not": (403, lambda both: both.forward(scope="files:write")),
    "who may not, by HEAD": (403, lambda both: both.forward(method="HEAD", scope="files:write")),
    "a token that is not good": (401, lambda both: both.forward(token="x.y.z")),
    "a malformed header": (401, lambda both: both.forward(token="x y")),
    "no token": (
        401,
        lambda both: both.door.send(method="GET", path=f"{FORWARD_AUTH}?aud={FILES}&any_caller=true", kind=None),
    ),
}


@pytest.mark.parametrize(("status", "ask"), ANSWERED_IN_FRONT.values(), ids=ANSWERED_IN_FRONT.keys())
def test_what_is_answered_in_front_is_answered_as_by_flask(status, ask, both, monkeypatch):
    by_flask = ask(both)
    both.door.in_front = True
    both.flask_is_not_asked(monkeypatch)
    in_front = ask(both)
    assert by_flask.status == status
    assert in_front.but_for_the_request_id() == by_flask.but_for_the_request_id()
    assert in_front.header("X-Request-Id")


LEFT_TO_FLASK: dict[str, Any] = {
    "a signed answer in capitals": lambda both: both.introspect(both.token, None, ("Accept", SIGNED.upper())),
    "a wrong secret": lambda both: both.introspect(both.token, basic("tsc_" + "0" * 22, "tss_" + "0" * 46)),
    "no secret": lambda both: both.introspect(both.token, []),
    "no form": lambda both: both.introspect(both.token, kind="application/json"),
    "another method": lambda both: both.introspect(both.token, method="PUT"),
    "a method that nobody knows": lambda both: both.forward(method="PROPFIND"),
    "no requirement": lambda both: both.door.send(method="GET", path=FORWARD_AUTH),
    "a path with two slashes": lambda both: both.forward("/forward-auth//reports"),
    "a path of two lines": lambda both: both.forward("/forward-auth/a\nb"),
    "a path in another script": lambda both: both.forward("/forward-auth/\xc3\xa4"),
    "a path beside it": lambda both: both.forward("/forward-authority"),
}


@pytest.mark.parametrize("what", LEFT_TO_FLASK)
def test_whatever_else_comes_is_answered_by_flask(what, both):
    by_flask = LEFT_TO_FLASK[what](both)
    both.door.in_front = True
    in_front = LEFT_TO_FLASK[what](both)

    def without_its_id(answer: Answer) -> object:
        status, headers, body = answer.but_for_the_request_id()
        return status, headers, body.replace((answer.header("X-Request-Id") or "").encode(), b"")

    assert without_its_id(in_front) == without_its_id(by_flask)


def test_a_signed_answer_is_flasks(both):
    both.door.in_front = True
    assert both.introspect(both.token, None, ("Accept", f"application/json;q=0.5, {SIGNED}")).body.startswith(b"eyJ")


def test_a_request_is_counted_once_whoever_answers_it(limited):
    limited.door.in_front = True
    answers = [limited.introspect(limited.token), limited.introspect(limited.token, []), limited.introspect("x")]
    assert [answer.status for answer in answers] == [200, 401, 200]
    assert [(answer.header("RateLimit") or "").split(";")[1] for answer in answers] == ["r=4", "r=3", "r=2"]
    assert {answer.header("RateLimit-Policy") for answer in answers} == {'"feed";q=5;w=60'}


def test_who_asks_too_much_is_told_so_in_front(limited, monkeypatch):
    for _ in range(5):
        limited.introspect("x")
    by_flask = limited.introspect("x")
    limited.door.in_front = True
    limited.flask_is_not_asked(monkeypatch)
    in_front = limited.introspect("x")
    assert by_flask.status == 429
    assert in_front.but_for_the_request_id() == by_flask.but_for_the_request_id()


def test_who_was_wrong_too_often_waits_in_front_as_well(door_with, monkeypatch):
    both = Both(door_with(rate_limits="address=500/minute, feed=500/minute"))
    both.door.in_front = True
    client_id = both.door.client_id
    wrong = basic(client_id, "wrong")
    assert [both.introspect("x", wrong).status for _ in range(11)] == [401] * 10 + [429]
    both.flask_is_not_asked(monkeypatch)
    in_front = both.introspect("x", wrong)
    assert (in_front.status, in_front.json["error"]) == (429, "rate_limited")
    assert in_front.header("Retry-After")
    assert (in_front.header("RateLimit") or "").startswith('"feed";r=')


@pytest.mark.parametrize("ask", [lambda both: both.introspect(both.token), lambda both: both.forward()])
def test_a_database_that_is_away_is_told_in_front_at_once(ask, both, monkeypatch):
    ask(both)

    def away(_: object) -> None:
        raise StoreUnavailable(detail="away")

    monkeypatch.setattr(Store, "reading", away)
    by_flask = ask(both)
    both.door.in_front = True
    both.flask_is_not_asked(monkeypatch)
    in_front = ask(both)
    assert (in_front.status, by_flask.status) == (503, 503)
    ours, theirs = dict(in_front.headers), dict(by_flask.headers)
    del ours["X-Request-Id"], theirs["X-Request-Id"]
    assert ours == theirs

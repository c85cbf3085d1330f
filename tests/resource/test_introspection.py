"""A question about one token: what is sent, and what counts as an answer."""

from __future__ import annotations

import base64
import json
import logging
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.support.callers import ANYBODY, bearer, by_wsgi
from tokenserver.resource.introspection import Introspection
from tokenserver.resource.issuer import Issuer
from tokenserver.resource.knowledge import NoNews

CREDENTIAL = ("tsc_a:b", "tss_secret")
TOKEN_ID = "the-token"


class Desk:
    """Answers what it is told to, and writes down what is asked."""

    def __init__(self, status: int = 200, body: bytes = b'{"active": false}', fault: Exception | None = None) -> None:
        self.status, self.body, self.fault = status, body, fault
        self.asked: list[Any] = []

    def __call__(self, url, headers, body, timeout):
        self.asked.append((url, headers, body, timeout))
        if self.fault is not None:
            raise self.fault
        return self.status, self.body


def about(issuer, desk, credential=CREDENTIAL):
    return Introspection(Issuer(issuer.name, issuer.fetch, issuer.clock.monotonic, 5.0), credential, desk, 5.0)


def test_the_token_is_posted_to_the_endpoint_of_the_metadata_with_the_credential_of_the_api(issuer):
    desk = Desk()
    assert about(issuer, desk).is_active("a.b.c", TOKEN_ID) is False
    ((url, headers, body, timeout),) = desk.asked
    assert (url, timeout) == (f"{issuer.name}/oauth/introspect", 5.0)
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"tsc_a%3Ab:tss_secret"
    assert parse_qs(body.decode()) == {"token": ["a.b.c"], "token_type_hint": ["access_token"]}


def test_a_secret_from_a_function_is_read_at_each_question(issuer):
    secrets = iter(["first", "second"])
    desk = Desk()
    asking = about(issuer, desk, ("tsc_a", lambda: next(secrets)))
    for _ in range(2):
        asking.is_active("a.b.c", TOKEN_ID)
    sent = [base64.b64decode(headers["Authorization"].split()[1]) for _, headers, _, _ in desk.asked]
    assert sent == [b"tsc_a:first", b"tsc_a:second"]


def test_a_secret_in_a_file_is_read_at_each_question(issuer, tmp_path):
    desk, file = Desk(), tmp_path / "secret"
    asking = about(issuer, desk, ("tsc_a", file))
    for secret in ("first", "second\n"):
        file.write_text(secret)
        asking.is_active("a.b.c", TOKEN_ID)
    sent = [base64.b64decode(headers["Authorization"].split()[1]) for _, headers, _, _ in desk.asked]
    assert sent == [b"tsc_a:first", b"tsc_a:second"]


def answer(**members: object) -> bytes:
    return json.dumps(members).encode()


NO_ANSWERS = {
    "another token": Desk(body=answer(active=True, jti="another")),
    "active without a name": Desk(body=answer(active=True)),
    "a text for true": Desk(body=answer(active="true", jti=TOKEN_ID)),
    "nothing about it": Desk(body=b"{}"),
    "a list": Desk(body=b"[]"),
    "no JSON": Desk(body=b"\xff"),
    "deep nesting": Desk(body=b"[" * 60_000),
    "the credential is refused": Desk(401, answer(error="invalid_client")),
    "a redirect": Desk(302),
    "an error of theirs": Desk(500),
    "limited": Desk(429),
    "no time": Desk(fault=TimeoutError()),
    "nobody there": Desk(fault=ConnectionRefusedError()),
    "a transport that fails": Desk(fault=RuntimeError("tss_secret")),
}


@pytest.mark.parametrize("desk", NO_ANSWERS.values(), ids=NO_ANSWERS.keys())
def test_whatever_is_not_about_this_token_is_no_answer_and_holds_nothing_of_it(desk, issuer):
    with pytest.raises(NoNews) as caught:
        about(issuer, desk).is_active("a.b.c", TOKEN_ID)
    assert "tss_secret" not in f"{caught.value!r} {caught.value.detail}"
    assert "another" not in caught.value.detail


@pytest.mark.parametrize("named", [None, "https://elsewhere.example.com/oauth/introspect", 7, "/oauth/introspect"])
def test_no_secret_goes_to_another_origin_than_the_issuers(named, issuer, monkeypatch):
    document = {**issuer.metadata(), "introspection_endpoint": named}
    monkeypatch.setattr(issuer, "metadata", lambda: document)
    desk = Desk()
    with pytest.raises(NoNews) as caught:
        about(issuer, desk).is_active("a.b.c", TOKEN_ID)
    assert "names no introspection_endpoint" in caught.value.detail
    assert not desk.asked
    assert issuer.verifier().ready(), "who does not introspect does not miss it"


@pytest.mark.parametrize("desk", [NO_ANSWERS["another token"], NO_ANSWERS["limited"], Desk(fault=ValueError("tss_x"))])
def test_a_verifier_answers_503_then_and_logs_no_secret(desk, issuer, clock, caplog):
    caplog.set_level(logging.DEBUG)
    verifier = issuer.verifier(on_stale="introspect", post=desk, credential=CREDENTIAL)
    verifier.refresh()
    issuer.stops_telling()
    clock.advance(31)
    token = issuer.token()
    assert by_wsgi(verifier, ANYBODY, bearer(token)).status == 503
    assert "introspection:" in caplog.text
    assert not any(hidden in caplog.text for hidden in ("tss_", token, "dHNzX"))


@pytest.mark.parametrize("fault", [FileNotFoundError, SystemExit])
def test_a_function_for_the_secret_that_fails_is_503(fault, issuer, clock):
    def unreadable() -> str:
        raise fault("/run/secrets/introspection")

    verifier = issuer.verifier(on_stale="introspect", credential=("tsc_a", unreadable))
    verifier.refresh()
    issuer.stops_telling()
    clock.advance(31)
    assert by_wsgi(verifier, ANYBODY, bearer(issuer.token())).status == 503
    assert verifier.health()["introspection"]["last_error"] == f"unexpected {fault.__name__}"


def test_over_plain_http_elsewhere_the_secret_is_not_sent_unasked(issuer):
    elsewhere = {"issuer": "http://auth.example.com", "credential": CREDENTIAL, "post": None}
    with pytest.raises(ValueError, match="allow_http"):
        issuer.verifier(**elsewhere)
    issuer.verifier(**elsewhere, allow_http=True)

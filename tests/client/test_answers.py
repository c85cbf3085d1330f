"""What is made of the token server's answers, good, odd and hostile."""

from __future__ import annotations

import json
from base64 import b64encode
from email.utils import formatdate
from urllib.parse import quote

import pytest

from tokenserver.client.access_token import UNSTATED, Moment
from tokenserver.client.answers import LONGEST_RETRY_AFTER, failure, read_token
from tokenserver.client.failures import TokenRefused, TokenUnavailable
from tokenserver.client.transport import LONGEST_ANSWER, Response
from tokenserver.domain.secret import Secret

NOW = Moment(1_800_000_000.0, 50.0)
SECRET = Secret("tss_a secret/with+signs")
GOOD = {"access_token": "eyJ", "token_type": "Bearer", "expires_in": 900}


def answered(body, status=200, **headers):
    read = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, read)


def read(**changes):
    return read_token(answered({**GOOD, **changes}), NOW, SECRET)


def test_a_good_answer_is_a_token_with_its_life_and_scope():
    token = read(scope="a b")
    assert (token.text, token.lifetime, token.scope, token.asked_at) == ("eyJ", 900, "a b", NOW)
    assert not token.rotation_waits
    assert read(rotation="waiting").rotation_waits


LIFETIMES = {"a number": (900, 900), "a fraction": (0.5, 0.5), "text": ("900", 900), "not said": (None, UNSTATED)}


@pytest.mark.parametrize(("stated", "lifetime"), LIFETIMES.values(), ids=LIFETIMES.keys())
def test_a_lifetime_may_be_spelt_as_servers_spell_it(stated, lifetime):
    assert read(expires_in=stated).lifetime == lifetime


@pytest.mark.parametrize("stated", [0, -1, "soon", True, [], {}, 1e400, "", "٣"])
def test_a_lifetime_that_cannot_be_read_is_no_answer(stated):
    with pytest.raises(TokenUnavailable, match="expires_in"):
        read(expires_in=stated)


@pytest.mark.parametrize("text", [None, "", 7, "a b", "a\r\nX: y", "ä", "x" * 65537])
def test_a_token_that_cannot_be_sent_is_no_answer(text):
    with pytest.raises(TokenUnavailable, match="no access token"):
        read(access_token=text)


def test_the_type_is_read_without_regard_to_case_and_another_type_is_not_used():
    assert read(token_type="bearer").text == "eyJ"
    for kind in ("DPoP", "mac", None, 7):
        with pytest.raises(TokenRefused, match="another type than Bearer"):
            read(token_type=kind)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'"x"', b"\xff", b"[" * 100_000, b"x" * 300_000])
def test_what_is_not_a_json_object_is_no_answer(body):
    with pytest.raises(TokenUnavailable):
        read_token(answered(body[: LONGEST_ANSWER + 1]), NOW, SECRET)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_nobody_knowing_is_not_a_refusal(status):
    assert isinstance(failure(answered({}, status), SECRET, NOW), TokenUnavailable)


@pytest.mark.parametrize("status", [201, 301, 302, 400, 401, 403, 404, 405, 413])
def test_anything_else_would_be_the_same_again(status):
    assert isinstance(failure(answered({}, status), SECRET, NOW), TokenRefused)


def test_what_the_server_says_is_passed_on_with_what_to_do():
    said = {"error": "invalid_client", "error_description": "The credential is disabled."}
    refused = failure(answered(said, 401), SECRET, NOW)
    assert isinstance(refused, TokenRefused)
    assert refused.error == "invalid_client"
    assert str(refused).startswith("The token server refused: invalid_client: The credential is disabled. Check ")
    assert "regenerated" in str(refused)
    assert "address" in str(failure(answered({"error": "unauthorized_client"}, 400), SECRET, NOW))


ECHOES = {
    "the secret": SECRET.reveal(),
    "in capitals": SECRET.reveal().upper(),
    "percent-encoded": quote(SECRET.reveal(), safe=""),
    "as a form": "tss_a+secret%2Fwith%2Bsigns",
    "in base64": b64encode(SECRET.reveal().encode()).decode(),
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES.keys())
def test_a_server_that_echoes_the_secret_is_not_quoted(echo):
    said = {"error": "invalid_client", "error_description": f"Wrong secret: {echo}."}
    refused = failure(answered(said, 401), SECRET, NOW)
    assert echo not in str(refused)
    assert refused.error == "invalid_client"


@pytest.mark.parametrize("odd", ["two\nlines", "\x1b[31m", "x" * 301, 7, None, {}, "ä\u2028"])
def test_words_that_could_forge_a_log_line_are_not_quoted(odd):
    refused = failure(answered({"error": odd, "error_description": odd}, 400), SECRET, NOW)
    assert isinstance(refused, TokenRefused)
    assert refused.error == ""
    assert str(odd) not in str(refused)


PAUSES = {
    "seconds": ("7", 7),
    "a date": (formatdate(NOW.wall + 30, usegmt=True), 30),
    "a date that has passed": (formatdate(NOW.wall - 30, usegmt=True), 0),
    "for ever": ("999999999999", LONGEST_RETRY_AFTER),
    "until the end of days": ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_RETRY_AFTER),
    "nothing that can be read": ("soon", 0),
    "a negative number": ("-5", 0),
    "nothing": ("", 0),
}


@pytest.mark.parametrize(("stated", "seconds"), PAUSES.values(), ids=PAUSES.keys())
def test_retry_after_is_read_and_bounded(stated, seconds):
    assert failure(answered({}, 503, retry_after=stated), SECRET, NOW).retry_after == seconds

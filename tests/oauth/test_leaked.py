"""Is a leaked secret taken from whoever shows it, with one answer for all, and from GitHub with its signature?"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.oauth import leaked
from tests.oauth.conftest import basic
from tests.support.workshop import at_once
from tokenserver.domain.secret import new_secret

LEAKED, GITHUB = "/oauth/leaked", "/oauth/leaked/github"


def report(door, secret, *, headers=(), **form):
    return door.send(urlencode({"secret": secret, **form}), headers, path=LEAKED)


def status_of_a_token(door):
    return door.ask().status


def test_after_the_answer_the_secret_works_no_more(own_door):
    assert status_of_a_token(own_door) == 200
    assert report(own_door, own_door.secret).status == 200
    assert status_of_a_token(own_door) == 401


def test_everybody_gets_the_same_bytes(own_door):
    secrets = [own_door.secret, own_door.secret, new_secret().reveal(), "tss_typo", "x" * 2000]
    answers = [report(own_door, secret).but_for_the_request_id() for secret in secrets]
    assert all(answer == answers[0] for answer in answers)


def test_the_answer_comes_no_sooner_for_a_strangers_secret(own_door):
    for secret in (new_secret().reveal(), "tss_typo", own_door.secret):
        began = time.monotonic()
        report(own_door, secret)
        assert time.monotonic() - began >= leaked.ANSWER_SECONDS


def test_the_place_is_recorded(own_door):
    report(own_door, own_door.secret, url="https://paste.example.com/1", source="paste", client_id="whatever", more="x")
    (line,) = [line for line in own_door.audit_events() if line["event"] == "secret:leaked"]
    assert (line["detail"]["url"], line["detail"]["source"]) == ("https://paste.example.com/1", "paste")


MALFORMED = {
    "no secret": (urlencode({"url": "https://x.example"}), {}, 400),
    "an empty secret": ("secret=", {}, 400),
    "two secrets": ("secret=a&secret=b", {}, 400),
    "two places": ("secret=a&url=b&url=c", {}, 400),
    "JSON": ('{"secret": "a"}', {"kind": "application/json"}, 400),
    "the secret in the URL": ("", {"path": LEAKED + "?secret=a"}, 400),
    "not UTF-8": (b"secret=%ff", {}, 400),
    "too much": ("secret=" + "a" * 70_000, {}, 413),
    "GET": ("", {"method": "GET"}, 405),
}


@pytest.mark.parametrize(("body", "more", "status"), MALFORMED.values(), ids=MALFORMED.keys())
def test_what_cannot_be_read_is_refused_in_the_words_of_oauth(door, body, more, status):
    answer = door.send(body, **{"path": LEAKED, **more})
    assert answer.status == status
    assert set(answer.json) == {"error", "error_description"}


def test_a_report_is_not_remembered_whatever_else_is_sent(own_door):
    """What is short and beside HTTP Basic is kept by the reader of token requests, for speed."""
    from app.oauth.reading import _remembered_parameters

    before = _remembered_parameters.cache_info()
    report(own_door, own_door.secret, headers=basic("a", "b"))
    assert _remembered_parameters.cache_info() == before


def test_few_reports_wait_at_a_time_and_the_others_are_told_to_come_back(own_door, monkeypatch):
    begun, release = threading.Semaphore(0), threading.Event()

    def waits(*_):
        begun.release()
        release.wait(timeout=30)

    monkeypatch.setattr("app.services.leaks.Leaks.report", waits)
    threads = [
        threading.Thread(target=report, args=(own_door, new_secret().reveal())) for _ in range(leaked.MOST_AT_A_TIME)
    ]
    for thread in threads:
        thread.start()
        assert begun.acquire(timeout=30)
    refused = report(own_door, new_secret().reveal())
    release.set()
    for thread in threads:
        thread.join()
    assert refused.status == 503
    assert refused.header("Retry-After")
    assert report(own_door, new_secret().reveal()).status == 200


def test_reports_at_the_same_time_do_no_harm(own_door):
    outcomes = at_once(*[lambda: report(own_door, own_door.secret).status] * 4)
    assert outcomes == [200] * 4


# --- GitHub ---------------------------------------------------------------------------------------------------------

KEY = ec.generate_private_key(ec.SECP256R1())
PEM = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
KEYS = json.dumps({"public_keys": [{"key_identifier": "k1", "key": PEM.decode(), "is_current": True}]})


@pytest.fixture
def github(door_with):
    return door_with(github_keys=KEYS)


def post(door, body, *, key=KEY, key_id="k1"):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signature = base64.b64encode(key.sign(raw, ec.ECDSA(hashes.SHA256())))
    headers = [("Github-Public-Key-Identifier", key_id), ("Github-Public-Key-Signature", signature)]
    return door.send(raw, headers, path=GITHUB, kind="application/json")


def finding(secret, **more):
    return {"token": secret, "type": "tokenserver_client_secret", "url": "", "source": "commit", **more}


def test_github_ends_what_it_finds_and_is_told_which_was_ours(github):
    other = new_secret().reveal()
    answer = post(github, [finding(other), finding(github.secret, url="https://github.com/o/r/blob/1/x")])
    assert answer.status == 200
    assert answer.json == [
        {
            "token_hash": hashlib.sha256(secret.encode()).hexdigest(),
            "token_type": "tokenserver_client_secret",
            "label": label,
        }
        for secret, label in ((other, "false_positive"), (github.secret, "true_positive"))
    ]
    assert status_of_a_token(github) == 401
    (line,) = [line for line in github.audit_events() if line["event"] == "secret:leaked"]
    assert line["detail"]["source"] == "github commit"
    assert line["detail"]["url"] == "https://github.com/o/r/blob/1/x"


def test_no_secret_is_in_the_answer_to_github(github):
    assert github.secret[4:].encode() not in post(github, [finding(github.secret)]).body


def test_what_github_did_not_sign_ends_nothing(github):
    forged = post(github, [finding(github.secret)], key=ec.generate_private_key(ec.SECP256R1()))
    assert forged.status == 403
    assert forged.json["error"] == "invalid_signature"
    assert post(github, [finding(github.secret)], key_id="k2").status == 403
    assert github.send(json.dumps([finding(github.secret)]), path=GITHUB, kind="application/json").status == 403
    assert status_of_a_token(github) == 200


def test_without_githubs_keys_there_is_no_such_door(own_door):
    assert post(own_door, [finding(own_door.secret)]).status == 404
    assert status_of_a_token(own_door) == 200


NOT_A_REPORT = {
    "no JSON": (b"{", 400),
    "not UTF-8": (b'["\xff"]', 400),
    "deep nesting": (b"[" * 100_000, 400),
    "one finding without a list": ({"token": "x"}, 400),
    "a list of texts": (["x"], 400),
    "a token that is no text": ([finding(7)], 400),
    "a url that is no text": ([finding("x", url=[1])], 400),
    "no type": ([finding("x", type="")], 400),
    "an odd type": ([finding("x", type="a b\n")], 400),
    "too many findings": ([finding("x")] * 1001, 413),
    "too large": (b" " * 1_100_000, 413),
}


@pytest.mark.parametrize(("body", "status"), NOT_A_REPORT.values(), ids=NOT_A_REPORT.keys())
def test_what_is_no_report_is_refused_though_it_is_signed(github, body, status):
    answer = post(github, body)
    assert answer.status == status
    assert set(answer.json) == {"error", "error_description"}


def test_an_empty_report_is_answered(github):
    assert post(github, []).json == []


def test_half_of_a_surrogate_pair_is_no_secret_of_ours(github):
    assert post(github, b'[{"token": "\\ud800", "type": "t"}]').json[0]["label"] == "false_positive"

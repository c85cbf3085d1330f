"""Does `claim` take over a rotated secret, and send the old one to nobody but the server?"""

from __future__ import annotations

import base64

import pytest

CLAIM = "/v1/rotations/rot_1/claim"


def test_a_claim_is_made_with_the_old_secret_and_keeps_the_new_one(at_the_stub, stub):
    stub.answer("POST", CLAIM, {"client_id": "tsc_x", "client_secret": "tss_new"})
    assert at_the_stub.ok("credential", "claim", stub.url + CLAIM, "-q") == "tss_new\n"
    assert at_the_stub.ok("credential", "claim", stub.url + CLAIM, "-q", "--secret-file", "s") == "tsc_x\n"
    assert (at_the_stub.home / "s").read_text() == "tss_new\n"
    _, _, headers, body = stub.asked[0]
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"tsc_x:tss_hidden"
    assert body == b""


def test_where_no_address_is_said_the_server_is_asked_at_the_usual_one(at_the_stub, stub):
    stub.answer("POST", "/oauth/rotation/claim", {"client_id": "tsc_x", "client_secret": "tss_new"})
    assert at_the_stub.ok("credential", "claim", "-q") == "tss_new\n"
    stub.answer("POST", "/oauth/rotation/claim", {"error": "not_found", "error_description": "None waits."}, 404)
    assert at_the_stub.refused(4, "credential", "claim") == "None waits.\n"


ELSEWHERE = [
    "https://evil.example.com/claim",
    "http://127.0.0.1:1/claim",
    "claim",
    "http://x@127.0.0.1/",
    "http://[::1",
    "",
]


@pytest.mark.parametrize("url", ELSEWHERE)
def test_the_old_secret_goes_to_no_other_server(at_the_stub, stub, url):
    assert "claim URL" in at_the_stub.refused(2, "credential", "claim", url)
    assert stub.asked == []


def test_a_claim_that_is_refused_leaves_nothing_behind(at_the_stub, stub):
    stub.answer("POST", CLAIM, {"title": "It was used already.", "code": "conflict"}, 409)
    told = at_the_stub.refused(5, "credential", "claim", stub.url + CLAIM, "--secret-file", "s")
    assert "used already" in told
    stub.answer("POST", CLAIM, {"client_id": "tsc_x"})
    assert "no secret" in at_the_stub.refused(6, "credential", "claim", stub.url + CLAIM, "--secret-file", "s")
    assert list(at_the_stub.home.iterdir()) == []

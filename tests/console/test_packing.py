"""Does a page travel compressed where that is safe, and only there? And does nothing that is secret stay the same?"""

from __future__ import annotations

import gzip

import pytest

from app.console.csrf import csrf_for, is_csrf_for
from tests.support.console import hidden_fields, signed_in

OURS = {"Sec-Fetch-Site": "same-origin", "Accept-Encoding": "gzip, deflate, br"}


def test_a_page_that_our_own_asked_for_is_compressed_and_says_the_same(server):
    client = signed_in(server).client
    packed = client.get("/console/credentials", headers=OURS)
    plain = client.get("/console/credentials", headers={**OURS, "Accept-Encoding": "identity"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data) / 2
    unpacked = gzip.decompress(packed.data).decode()
    csrf = hidden_fields(unpacked)["csrf"]
    assert unpacked.replace(csrf, "") == plain.text.replace(hidden_fields(plain.text)["csrf"], "")
    for answer in (packed, plain):
        assert answer.headers["Vary"] == "Accept-Encoding, Sec-Fetch-Site"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "unheard-of"])
def test_a_page_that_another_site_may_have_had_made_is_not(server, site):
    """Who chooses a part of a page, and sees how long it is when compressed, finds out the rest (BREACH)."""
    headers = {**OURS, "Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}
    answer = signed_in(server).client.get("/console/credentials?q=a", headers=headers)
    assert answer.status_code == 200
    assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0", "*;q=0"])
def test_a_browser_that_does_not_take_it_is_not_sent_it(server, accepted):
    client = signed_in(server).client
    for path in ("/console/credentials", "/console/static/console.css"):
        answer = client.get(path, headers={**OURS, "Accept-Encoding": accepted})
        assert answer.status_code == 200
        assert "Content-Encoding" not in answer.headers


def test_what_shows_that_a_form_is_ours_is_never_the_same_twice_and_good_each_time(server):
    visitor = signed_in(server)
    seen = [hidden_fields(visitor.open("/credentials/new").text)["csrf"] for _ in range(3)]
    assert len(set(seen)) == 3
    halves = [one[place : place + 40] for one in seen for place in (0, 43)]
    assert len(set(halves)) == 6, "neither the mask nor what it hides"
    for number, one in enumerate(seen):
        assert visitor.send("/credentials/new", {"name": f"number {number}", "csrf": one}).status_code == 201


@pytest.mark.parametrize("given", ["", "x", "é", "AAAA", "A" * 88, "=" * 88, "A" * 5000, "\0" * 88])
def test_what_was_made_up_is_nothing_that_our_pages_know(given):
    assert not is_csrf_for(given, "token.key")


def test_it_is_of_one_session_alone():
    token = csrf_for("token.key")
    assert is_csrf_for(token, "token.key")
    assert is_csrf_for(token, "renewed.key"), "the same session, after a proof"
    assert not is_csrf_for(token, "token.other")
    assert not is_csrf_for(token[:-4] + ("AAA=" if not token.endswith("AAA=") else "BBA="), "token.key")

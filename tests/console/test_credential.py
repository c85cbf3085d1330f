"""Is everything about one credential on its page, in words that are true at that moment?"""

from __future__ import annotations

import re
from html import unescape

import pytest

from tests.support.console import signed_in
from tests.support.server import NOW
from tokenserver.clock import DAY, rfc3339

API = "https://api.example.com"


@pytest.fixture
def catalogue(server):
    scopes = [{"name": "reports:read", "access": "read"}, {"name": "reports:write", "access": "write"}]
    return server.call("POST", "/v1/apis", {"audience": API, "name": "Example", "scopes": scopes}).get_json()["id"]


@pytest.fixture
def one(server, catalogue):
    server.call("POST", "/v1/roles", {"name": "reader"})
    body = {
        "name": "nightly export",
        "roles": ["reader"],
        "grants": [{"audience": API, "access": "all_read"}],
        "allowed_ips": "192.0.2.0/24, 127.0.0.1",
    }
    return server.call("POST", "/v1/credentials", body).get_json()


def done(server, one, deed, body=None):
    answer = server.call("POST", f"/v1/credentials/{one['client_id']}/{deed}", body or {})
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def text_of(server, one):
    """Of its page, without the marks."""
    page = signed_in(server).open(f"/credentials/{one['client_id']}")
    assert page.status_code == 200, page.text
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.text)).split())


def test_its_terms_are_told(server, one):
    text = text_of(server, one)
    for told in (one["client_id"], "reader", "192.0.2.0/24", API, "All that read, future ones too: reports:read"):
        assert told in text, told
    assert "inside is your address now, 127.0.0.1" in text
    assert "15 minutes" in text
    assert "in 365 days" in text
    assert "not on schedule" in text


def test_its_generation_is_told_in_words(server, one):
    assert "1. Tokens of generation 1 are accepted, and none of before." in text_of(server, one)


def test_a_regenerated_one_accepts_only_what_came_after(server, one):
    done(server, one, "regenerate")
    text = text_of(server, one)
    assert "2. Tokens of generation 2 are accepted, and none of before." in text
    assert "ended" in text


def test_a_rotation_in_progress_tells_of_the_old_secret_and_what_can_be_done(server, one):
    server.token(one["client_id"], one["client_secret"])
    rotated = done(server, one, "rotate", {"grace_seconds": DAY})
    page = signed_in(server).open(f"/credentials/{one['client_id']}").text
    text = text_of_page(page)
    assert "A rotation is in progress" in text
    assert "2. Tokens of generation 1 and above are accepted; from" in text
    assert "The old secret was last used: 2027-01-15 08:00 UTC from 127.0.0.1" in text
    for path in ("/rotation/finish", "/rotation/cancel", "/regenerate", "/disable", "/revoke", "/delete", "/edit"):
        assert f'href="/console/credentials/{one["client_id"]}{path}"' in page, path
    assert f'/credentials/{one["client_id"]}/rotate"' not in page
    assert rotated["client_secret"] not in page


def text_of_page(page):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_a_grace_period_that_is_over_is_over(server, one):
    done(server, one, "rotate", {"grace_seconds": 60})
    server.clock.advance(61)
    text = text_of(server, one)
    assert "A rotation is in progress" not in text
    assert "Tokens of generation 2 are accepted, and none of before." in text


def test_a_secret_that_waits_to_be_claimed_is_told(server, one):
    path = f"/v1/credentials/{one['client_id']}"
    etag = server.call("GET", path).headers["ETag"]
    server.call("PATCH", path, {"rotation_schedule": {"interval_days": 30}}, if_match=etag)
    text = text_of(server, one)
    assert "every 30 days" in text
    server.clock.advance(31 * DAY)
    server.services.rotations.work(server.clock())
    text = text_of(server, one)
    assert "A new secret waits to be claimed" in text
    assert "waiting to be claimed" in text


@pytest.mark.parametrize(
    ("deed", "told", "there", "not_there"),
    [
        ("disable", "Disabled", {"/enable", "/revoke", "/delete"}, {"/disable", "/rotate"}),
        ("revoke", "That is final; it stays readable here.", {"/delete"}, {"/enable", "/disable", "/edit", "/rotate"}),
    ],
)
def test_what_has_ended_says_so_and_offers_only_what_can_be_done(server, one, deed, told, there, not_there):
    done(server, one, deed)
    page = signed_in(server).open(f"/credentials/{one['client_id']}").text
    assert told in text_of_page(page)
    assert "No token is accepted." in page
    links = set(re.findall(rf'href="/console/credentials/{one["client_id"]}(/[a-z/]+)"', page))
    assert there <= links
    assert not not_there & links


def test_one_that_has_expired_says_so(server, one):
    server.clock.advance(366 * DAY)
    text = text_of(server, one)
    assert "It expired 2028-01-15" in text
    assert "Rotate the secret" not in text


def test_one_that_expires_soon_says_when(server, one):
    server.clock.advance(350 * DAY)
    assert "It ends in 15 days" in text_of(server, one)


def test_calls_that_were_reported_are_told_and_grants_that_nobody_uses(server, catalogue, one):
    calls = [("GET /reports/{id}", 200, "192.0.2.17", 1200), ("GET /reports/{id}", 403, "192.0.2.18", 2)]
    uses = [
        {
            **dict(zip(("route", "status", "address", "count"), call, strict=True)),
            "client_id": one["client_id"],
            "first_ago_ms": 4000,
            "last_ago_ms": 1000,
        }
        for call in calls
    ]
    report = {
        "instance": "api-1",
        "process": "p" * 16,
        "batch": 1,
        "audience": API,
        "interval_ms": 5000,
        "uses": uses,
        "applied": [],
    }
    assert server.call("POST", "/v1/usage-reports", report).status_code == 200
    text = text_of(server, one)
    assert "1,200 calls let in, 2 refused" in text
    assert "GET /reports/{id} 1,200" in text
    assert "192.0.2.17 1,200" in text
    assert "0 of 1 resource server of https://api.example.com has applied the last change" in text
    other = server.call(
        "POST", "/v1/credentials", {"name": "idle", "grants": [{"audience": API, "access": "all_read"}]}
    ).get_json()
    assert f"Granted and never used, though it would be told: {API}" in text_of(server, other)


def test_what_happened_to_it_is_told_without_its_thousand_tokens(server, one):
    for _ in range(30):
        server.token(one["client_id"], one["client_secret"])
    done(server, one, "disable")
    page = signed_in(server).open(f"/credentials/{one['client_id']}").text
    assert "disabled the credential" in page
    assert "created the credential" in page
    assert "got a token" not in page
    assert f"/console/audit?credential={one['client_id']}" in page


def test_a_member_sees_their_own_without_the_audit_log_and_nobody_elses(server, one):
    visitor = signed_in(server, "ada@example.com", "member")
    visitor.open("/credentials/new")
    visitor.send("/credentials/new", {"name": "mine"})
    client_id = re.findall(r"tsc_\w{22}", visitor.page_text)[0]
    page = visitor.open(f"/credentials/{client_id}").text
    assert "Danger zone" in page
    assert "What happened to it" not in page
    assert visitor.open(f"/credentials/{one['client_id']}").status_code == 404


def test_one_of_another_organization_is_not_there(server, one):
    there = server.call("POST", "/v1/organizations", {"name": "Other"}).get_json()["id"]
    assert there
    visitor = signed_in(server)
    visitor.open("/")
    visitor.send("/organization", {"organization": there})
    assert visitor.open(f"/credentials/{one['client_id']}").status_code == 404
    assert one["name"] not in visitor.open("/credentials").text


def test_the_page_of_one_with_a_long_life_is_light(server, one):
    ranges = ", ".join(f"10.{n // 250}.{n % 250}.0/25" for n in range(2000))
    path = f"/v1/credentials/{one['client_id']}"
    etag = server.call("GET", path).headers["ETag"]
    assert server.call("PATCH", path, {"allowed_ips": ranges}, if_match=etag).status_code == 200
    for _ in range(40):
        done(server, one, "regenerate")
    page = signed_in(server).open(f"/credentials/{one['client_id']}")
    assert "and 1950 more" in page.text
    assert "And 21 older ones" in page.text
    assert len(page.data) < 100_000


def test_a_moment_is_given_in_utc(server, one):
    assert (
        f'<time datetime="{rfc3339(NOW)}" title="2027-01-15 08:00:00 UTC">2027-01-15 08:00 UTC</time>'
        in signed_in(server).open(f"/credentials/{one['client_id']}").text
    )

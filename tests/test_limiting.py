"""Are limits told and kept at every door, in the words of that door?"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import Any

import pytest

from app import create_entrance
from app.services.failures import FREE
from tests.support.server import Server, serving

POLICY = '"address";q=3;w=60'


@pytest.fixture
def limited(installed, tmp_path):
    """Makes servers under limits."""
    with ExitStack() as opened:

        def make(rate_limits="address=3/minute, feed=2/minute", **settings: Any) -> Server:
            server = opened.enter_context(serving(installed, tmp_path, rate_limits=rate_limits, **settings))
            server.services  # noqa: B018  wired beforehand, under no limit
            return server

        yield make


def test_the_token_endpoint_tells_what_is_left_and_then_refuses(limited):
    server = limited()
    left = []
    for _ in range(3):
        answer = server.ask_for_token(server.installed.client_id, server.installed.secret)
        assert answer.status_code == 200
        assert answer.headers["RateLimit-Policy"] == POLICY
        left.append(answer.headers["RateLimit"])
    assert left == [f'"address";r={n};t=60' for n in (2, 1, 0)]
    refused = server.ask_for_token(server.installed.client_id, server.installed.secret)
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "60"
    assert refused.headers.getlist("RateLimit") == ['"address";r=0;t=60']
    assert refused.headers.getlist("RateLimit-Policy") == [POLICY]
    assert refused.headers["Cache-Control"] == "no-store"
    assert refused.get_json()["error"] == "rate_limited"
    server.clock.advance(60)
    assert server.ask_for_token(server.installed.client_id, server.installed.secret).status_code == 200


def test_a_bad_request_counts_and_is_told_so_too(limited):
    server = limited()
    answer = server.app.test_client().get("/oauth/token")
    assert answer.status_code == 405
    assert answer.headers["RateLimit"] == '"address";r=2;t=60'


def test_the_admin_api_refuses_with_a_problem_document(limited):
    server = limited()
    for left in (2, 1, 0):
        answer = server.call("GET", "/v1/credentials", token=None)
        assert answer.status_code == 401
        assert answer.headers["RateLimit"] == f'"address";r={left};t=60'
    refused = server.call("POST", "/v1/credentials", {"name": "x"}, token=None)
    assert refused.status_code == 429
    assert refused.content_type == "application/problem+json"
    assert refused.get_json()["code"] == "rate_limited"
    assert refused.headers["Retry-After"] == "60"


def test_all_doors_for_machines_share_one_quota_and_the_feed_has_its_own(limited):
    server = limited()
    client = server.app.test_client()
    assert client.post("/oauth/leaked", data={"secret": "x"}).status_code == 200
    assert server.call("GET", "/v1/roles", token=None).status_code == 401
    assert client.get("/oauth/token").status_code == 405
    assert client.post("/oauth/leaked", data={"secret": "x"}).status_code == 429
    for _ in range(2):
        feed = client.get("/oauth/generations")
        assert feed.status_code == 200
        assert feed.headers["RateLimit-Policy"] == '"feed";q=2;w=60'
    assert client.get("/oauth/generations").status_code == 429
    assert client.get("/oauth/networks/" + "0" * 64).status_code == 429


def test_what_load_balancers_and_readers_ask_is_not_limited(limited):
    client = limited("address=1/minute").app.test_client()
    for path in ("/healthz", "/readyz", "/.well-known/jwks.json", "/.well-known/oauth-authorization-server"):
        for _ in range(3):
            answer = client.get(path)
            assert answer.status_code == 200
            assert "RateLimit" not in answer.headers


def test_off_says_nothing_and_refuses_nothing(limited):
    server = limited("off")
    for _ in range(600):
        answer = server.app.test_client().get("/oauth/token")
        assert answer.status_code == 405
        assert "RateLimit" not in answer.headers


def test_by_default_an_address_has_500_a_minute(installed, tmp_path):
    with serving(installed, tmp_path, rate_limits=None) as server:
        assert server.settings.rate_limits != "off"
        statuses = [server.app.test_client().get("/oauth/token").status_code for _ in range(502)]
    assert statuses.count(405) == 500
    assert statuses[-2:] == [429, 429]


def test_behind_a_trusted_proxy_each_client_has_its_own_quota(limited):
    server = limited("address=1/minute", trusted_proxies="127.0.0.0/8")
    client = server.app.test_client()

    def status_from(forwarded):
        return client.get("/oauth/token", headers={"X-Forwarded-For": forwarded}).status_code

    assert [status_from("192.0.2.1"), status_from("192.0.2.1"), status_from("192.0.2.2")] == [405, 429, 405]
    assert status_from("10.0.0.1, 192.0.2.1") == 429, "what a client says of itself is no way around"
    assert [status_from("nonsense"), status_from("other nonsense")] == [405, 429], "nor is what cannot be read"


def test_without_a_trusted_proxy_a_header_is_no_way_around(limited):
    client = limited("address=1/minute").app.test_client()
    statuses = [client.get("/oauth/token", headers={"X-Forwarded-For": f"192.0.2.{n}"}).status_code for n in range(3)]
    assert statuses == [405, 429, 429]


def test_who_is_wrong_too_often_is_told_when_to_come_back_and_in_no_other_words(limited):
    server = limited("address=500/minute")
    seen = []
    for client_id in (server.installed.client_id, "tsc_" + "Z" * 22):
        for _ in range(FREE):
            assert server.ask_for_token(client_id, "tss_wrong").status_code == 401
        refused = server.ask_for_token(client_id, "tss_wrong")
        assert refused.status_code == 429
        assert refused.headers["Retry-After"] == "2"
        seen.append((refused.data, sorted(h for h in refused.headers if h[0] not in {"X-Request-Id", "RateLimit"})))
    assert seen[0] == seen[1]


def test_a_quota_of_tokens_is_told_in_place_of_that_of_the_address(limited):
    server = limited("address=500/minute, credential=1/hour")
    assert server.ask_for_token(server.installed.client_id, server.installed.secret).status_code == 200
    refused = server.ask_for_token(server.installed.client_id, server.installed.secret)
    assert refused.status_code == 429
    assert refused.headers.getlist("RateLimit-Policy") == ['"credential";q=1;w=3600']


class Scope:
    """An RSGI request for a token."""

    scheme, method, path, query_string, http_version, client = "http", "POST", "/oauth/token", "", "1.1", "192.0.2.9:1"

    headers: dict[str, str] = {}  # noqa: RUF012  nobody changes it


class Proto:
    def response_bytes(self, status, headers, payload):
        self.answer = status, dict(headers), payload


def test_the_entrance_keeps_the_same_limits_on_its_event_loop(installed, tmp_path):
    with serving(installed, tmp_path, rate_limits="address=1/minute") as server:
        entrance = create_entrance(server.settings, clock=server.clock)

        async def ask():
            proto = Proto()
            await entrance.__rsgi__(Scope(), proto)
            return proto.answer

        first, second = asyncio.run(ask()), asyncio.run(ask())
    assert first[0] == 400
    assert first[1]["RateLimit"] == '"address";r=0;t=60'
    assert second[0] == 429
    assert second[1]["Retry-After"] == "60"


@pytest.mark.parametrize("path", ["/console/sign-in", "/console/prove", "/console/set-up/nothing"])
def test_where_people_prove_who_they_are_counts_as_well(limited, path):
    server = limited()
    answers = [server.app.test_client().get(path).status_code for _ in range(8)]
    assert answers[-1] == 429
    assert server.app.test_client().get("/console/static/console.css").status_code == 200

"""Is `/metrics` read by whom it is for, and by nobody who only looks like them?"""

from __future__ import annotations

import secrets
from base64 import b64encode
from contextlib import ExitStack

import pytest
import requests

from tests.support.exposition import read_exposition
from tests.support.postgres import a_database
from tests.support.server import serving
from tests.support.world import a_world, eventually
from tests.support.wsgi import call

HERE, STRANGER = "127.0.0.1", "203.0.113.9"


@pytest.fixture
def served(installed, tmp_path):
    """Makes servers with these settings."""
    with ExitStack() as opened:
        yield lambda **settings: opened.enter_context(serving(installed, tmp_path, **settings))


def get(server, peer, *headers, method="GET", path="/metrics"):
    return call(server.app.wsgi_app, method, path, headers=headers, peer=peer)


def may_read(server, peer, *headers):
    answer = get(server, peer, *headers)
    assert answer.status in {200, 404}
    return answer.status == 200


def test_it_is_text_that_prometheus_reads_and_nobody_keeps(server):
    answer = get(server, HERE)
    assert answer.status == 200
    assert answer.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.header("Cache-Control") == "no-store"
    assert read_exposition(answer.body.decode())["tokenserver_tokens_issued_total"] == {"": 0}


def test_head_is_answered_and_no_other_method(server):
    head = get(server, HERE, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        answer = get(server, HERE, method=method)
        assert (answer.status, answer.header("Allow")) == (405, "GET, HEAD")


@pytest.mark.parametrize("peer", [HERE, "127.8.9.10", "::1", "::ffff:127.0.0.1"])
def test_this_machine_may_read_it_at_first(server, peer):
    assert may_read(server, peer)


@pytest.mark.parametrize("peer", [STRANGER, "10.0.0.1", "::2", "unix:", "", None])
def test_nobody_else_may_and_meets_what_is_at_any_unknown_path(server, peer):
    refused, unknown = get(server, peer), get(server, peer, path="/metricz")
    assert refused.status == 404
    assert {**refused.json, "request_id": ""} == {**unknown.json, "request_id": ""}
    names = [[name for name, _ in answer.headers] for answer in (refused, unknown)]
    assert names[0] == names[1]


MARKS = {
    "X-Forwarded-For": HERE,
    "Forwarded": f"for={HERE}",
    "X-Real-IP": HERE,
    "Via": "1.1 proxy",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "auth.example.com",
    "X-Client-IP": HERE,
}


@pytest.mark.parametrize(("name", "value"), MARKS.items())
def test_what_a_proxy_passed_on_that_nobody_named_is_from_a_stranger(served, name, value):
    for proxies in ("", "10.0.0.0/8"):
        server = served(trusted_proxies=proxies)
        assert may_read(server, HERE)
        assert not may_read(server, HERE, (name, value))
        assert not may_read(server, HERE, (name, ""))
        assert not may_read(server, STRANGER, (name, value))


def test_behind_a_trusted_proxy_the_client_counts(served):
    server = served(trusted_proxies="127.0.0.1", metrics_from="192.0.2.0/24")
    assert may_read(server, HERE, ("X-Forwarded-For", "192.0.2.7"))
    assert may_read(server, HERE, ("Forwarded", "for=192.0.2.7"), ("Via", "1.1 proxy"))
    assert may_read(server, "192.0.2.7")
    assert not may_read(server, HERE)
    assert not may_read(server, HERE, ("X-Forwarded-For", STRANGER))
    assert not may_read(server, HERE, ("X-Forwarded-For", f"192.0.2.7, {STRANGER}")), "made up by the client"
    assert not may_read(server, HERE, ("X-Forwarded-For", STRANGER), ("Forwarded", "for=192.0.2.7"))
    assert not may_read(server, HERE, ("X-Forwarded-For", "unknown"))


def test_a_trusted_proxy_on_this_machine_makes_no_stranger_a_friend(served):
    server = served(trusted_proxies="127.0.0.1")
    assert may_read(server, HERE), "Prometheus itself, beside the proxy"
    assert not may_read(server, HERE, ("X-Forwarded-For", f"{HERE}, {STRANGER}"))
    assert not may_read(server, HERE, ("X-Real-IP", HERE)), "it says that there is somebody, and not as we read it"
    assert not may_read(server, HERE, ("Via", "1.1 proxy"))


@pytest.mark.parametrize("nobody", ["", "  "])
def test_where_it_is_for_nobody_nobody_reads_it(served, nobody):
    server = served(metrics_from=nobody)
    assert not any(may_read(server, peer) for peer in (HERE, "::1", STRANGER))


def test_scrapes_are_not_held_up_by_limits(served):
    server = served(rate_limits="address=1/minute, feed=1/minute")
    answers = [get(server, HERE) for _ in range(5)]
    assert [answer.status for answer in answers] == [200] * 5
    assert answers[-1].header("RateLimit") is None


def test_a_database_that_is_away_is_a_503_for_those_who_may_read(server):
    server.services.store.engine.dispose()
    with server.app.app_context():
        server.app.extensions["sqlalchemy"].engine.dispose()
    for path in server.settings.home.glob("tokenserver.db*"):
        path.unlink()
    (server.settings.home / "tokenserver.db").mkdir()
    answer = get(server, HERE)
    assert (answer.status, answer.json["code"]) == (503, "temporarily_unavailable")
    assert int(answer.header("Retry-After") or 0) >= 1
    assert get(server, STRANGER).status == 404


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_workers_that_share_a_port_tell_of_the_same_installation(backend, tmp_path):
    with ExitStack() as opened:
        settings = {}
        if backend == "postgres":
            key = b64encode(secrets.token_bytes(32)).decode()
            settings = {"database_url": opened.enter_context(a_database()), "pepper": key, "kek": key}
        world = opened.enter_context(a_world(tmp_path, workers="2", **settings))
        if backend == "postgres":
            world.shell("migrate")
        world.start()
        world.catalogue()
        made = world.credential()

        def issued():
            answer = requests.get(f"{world.issuer}/metrics", timeout=20, headers={"Connection": "close"})
            assert answer.status_code == 200
            return read_exposition(answer.text)["tokenserver_tokens_issued_total"][""]

        for _ in range(3):
            world.token(made["client_id"], made["client_secret"])
        eventually(lambda: issued() >= 4, "the administrator's and the app's tokens are counted")
        before = issued()
        assert [issued() for _ in range(12)] == [before] * 12
        assert world.ask(made["client_id"], "tss_wrong").status_code == 401

        def refused():
            told = read_exposition(requests.get(f"{world.issuer}/metrics", timeout=20).text)
            return told.get("tokenserver_tokens_refused_total")

        eventually(refused, "the refusal is counted")
        assert sum(refused().values()) == 1
        forged = requests.get(f"{world.issuer}/metrics", timeout=20, headers={"X-Forwarded-For": HERE})
        assert forged.status_code == 404

"""With `on_stale="introspect"`: the issuer decides about each token while the feed is away, within bounds."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.callers import ANYBODY, Request, bearer, by_asgi, by_wsgi, in_loop
from tests.support.transports import RealTime
from tests.support.world import eventually
from tokenserver.resource import Guard, Policy, Require
from tokenserver.resource.questions import MOST_AT_ONCE, PAUSE
from tokenserver.resource.testing import FakeIssuer

ASKING = Require(any_caller=True, on_stale="introspect")


@pytest.fixture
def stale(issuer, clock):
    """A verifier whose feed is away for too long, though the issuer answers everything else."""
    verifier = issuer.verifier(on_stale="introspect")
    verifier.refresh()
    issuer.stops_telling()
    clock.advance(31)
    return verifier


def asked(issuer: FakeIssuer) -> int:
    return issuer.fetches["introspection"]


def test_a_token_that_the_issuer_calls_active_passes_though_the_feed_is_away(issuer, stale, call):
    assert call(stale, ANYBODY, bearer(issuer.token())).status == 200
    assert asked(issuer) == 1
    assert stale.health()["decided_stale"] == {"refuse": 0, "introspect": 1, "accept": 0}


def test_a_token_that_was_ended_while_the_feed_is_away_is_refused(issuer, stale, call):
    token = issuer.token()
    issuer.regenerate()
    answer = call(stale, ANYBODY, bearer(token))
    assert (answer.status, answer.error) == (401, "invalid_token")


def test_an_answer_holds_for_the_poll_interval_and_no_longer(issuer, clock, stale, call):
    token = issuer.token()
    assert [call(stale, ANYBODY, bearer(token)).status for _ in range(5)] == [200] * 5
    assert asked(issuer) == 1
    issuer.regenerate()
    assert call(stale, ANYBODY, bearer(token)).status == 200
    clock.advance(1)
    assert [call(stale, ANYBODY, bearer(token)).status for _ in range(5)] == [401] * 5
    assert asked(issuer) == 2


def test_fresh_news_asks_nobody(issuer, clock, call):
    verifier = issuer.verifier(on_stale="introspect")
    assert call(verifier, ANYBODY, bearer(issuer.token())).status == 200
    clock.advance(29)
    assert call(verifier, ANYBODY, bearer(issuer.token())).status == 200
    assert asked(issuer) == 0


def test_what_is_known_to_have_ended_or_was_not_proven_is_not_asked_about(issuer, clock, call):
    verifier = issuer.verifier(on_stale="introspect")
    ended, brief = issuer.token(), issuer.token(lifetime=60, client_id="tsc_other")
    issuer.regenerate()
    verifier.refresh()
    issuer.stops_telling()
    clock.advance(60)
    forged = FakeIssuer(clock=clock).token()
    assert [call(verifier, ANYBODY, bearer(token)).status for token in (ended, brief, forged, "a.b.c")] == [401] * 4
    assert asked(issuer) == 0


def test_roles_and_addresses_hold_as_ever(issuer, stale, call):
    token = issuer.token(allowed_ips="198.51.100.0/24")
    assert call(stale, ANYBODY, bearer(token)).error == "address_not_allowed"
    needs_role = Require(roles={"cloud_admin"})
    assert call(stale, needs_role, bearer(issuer.token())).error == "insufficient_scope"


def test_the_route_decides_who_is_asked(issuer, clock, call):
    verifier = issuer.verifier()
    policy = Policy([("GET", "/", ANYBODY), ("GET", "/asks", ASKING)])
    verifier.refresh()
    issuer.stops_telling()
    clock.advance(31)
    sent = f"Bearer {issuer.token()}"
    assert [call(verifier, policy, Request((sent,), path=path)).status for path in ("/", "/asks")] == [503, 200]


@pytest.mark.fault(
    "introspection does not answer either, where `on_stale` is `introspect`",
    "503 with `Retry-After`, and nobody is asked for two seconds",
)
def test_without_an_answer_it_is_503_and_nobody_is_asked_again_for_a_while(issuer, clock, stale, call):
    token = issuer.token()
    issuer.goes_down()
    answers = [call(stale, ANYBODY, bearer(token)) for _ in range(5)]
    assert {(answer.status, answer.headers["retry-after"]) for answer in answers} == {(503, "1")}
    assert asked(issuer) == 1
    told = stale.health()["introspection"]
    assert told == {"asked": 1, "unanswered": 1, "last_error": "the issuer cannot be reached"}
    assert "tokenserver_introspections_unanswered_total{" in stale.metrics()
    issuer.comes_back()
    issuer.stops_telling()
    assert call(stale, ANYBODY, bearer(token)).status == 503
    clock.advance(PAUSE)
    assert call(stale, ANYBODY, bearer(token)).status == 200
    assert stale.health()["introspection"]["last_error"] is None


def test_a_verifier_that_was_stopped_asks_nobody(issuer, stale, call):
    stale.stop()
    assert call(stale, ANYBODY, bearer(issuer.token())).status == 503
    assert asked(issuer) == 0


def test_a_guard_that_is_to_ask_without_a_credential_is_refused_when_it_is_made(issuer):
    verifier = issuer.verifier(credential=None)
    for require in (ASKING, Policy([("GET", "/", ANYBODY), ("GET", "/asks", ASKING)])):
        with pytest.raises(ValueError, match="tokens:introspect"):
            Guard(verifier, require)


def test_a_function_that_asks_without_a_credential_is_answered_503(issuer, clock, call):
    verifier = issuer.verifier(credential=None)
    verifier.refresh()
    issuer.stops_telling()
    clock.advance(31)
    assert call(verifier, lambda _method, _path: ASKING, bearer(issuer.token())).status == 503


# --- threads and event loops ------------------------------------------------------------------------------------------


class Held:
    """An issuer that answers about tokens only when it is told to."""

    def __init__(self, issuer: FakeIssuer) -> None:
        self._issuer = issuer
        self.opened = threading.Event()
        self.inside = threading.Semaphore(0)
        self.asked = 0

    def __call__(self, url, headers, body, timeout):
        self.asked += 1
        self.inside.release()
        if not self.opened.wait(20):
            raise TimeoutError
        return self._issuer.post(url, headers, body, timeout)


@pytest.fixture
def real():
    return FakeIssuer(clock=RealTime())


@pytest.fixture
def slow(real):
    """A running verifier with threads, whose issuer holds every question about a token."""
    held = Held(real)
    settings = {"poll_interval": 0.9, "max_staleness": 1.0, "patience": 20}
    with real.verifier(background=True, on_stale="introspect", post=held, **settings) as verifier:
        assert verifier.ready(10)
        real.stops_telling()
        eventually(lambda: verifier.state == "stale", "the news is too old")
        yield verifier, held


def test_requests_with_the_same_token_share_a_question(real, slow):
    verifier, held = slow
    token = real.token()
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(by_wsgi, verifier, ANYBODY, bearer(token)) for _ in range(4)]
        assert held.inside.acquire(timeout=20)
        held.opened.set()
        assert [answer.result(20).status for answer in waiting] == [200] * 4


def test_only_so_many_are_asked_at_once_and_the_others_hear_so_at_once(real, slow):
    verifier, held = slow
    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        waiting = [pool.submit(by_wsgi, verifier, ANYBODY, bearer(real.token())) for _ in range(MOST_AT_ONCE)]
        for _ in range(MOST_AT_ONCE):
            assert held.inside.acquire(timeout=20)
        assert by_wsgi(verifier, ANYBODY, bearer(real.token())).status == 503
        assert held.asked == MOST_AT_ONCE
        held.opened.set()
        assert [answer.result(20).status for answer in waiting] == [200] * MOST_AT_ONCE


@pytest.mark.fault(
    "introspection is slow, where `on_stale` is `introspect`",
    "the event loop goes on, and the request waits for `patience` at the most",
)
def test_an_event_loop_goes_on_while_a_question_is_under_way(real, slow):
    verifier, held = slow

    async def both():
        asking = asyncio.ensure_future(in_loop(verifier, ANYBODY, bearer(real.token())))
        await asyncio.to_thread(held.inside.acquire, timeout=20)
        turns = 0
        for _ in range(100):
            await asyncio.sleep(0)
            turns += 1
        assert not asking.done()
        held.opened.set()
        return turns, (await asking).status

    assert asyncio.run(both()) == (100, 200)


def test_who_waits_no_longer_than_patience_is_told_to_come_again(real):
    held = Held(real)
    settings = {"poll_interval": 0.9, "max_staleness": 1.0, "patience": 0.05}
    with real.verifier(background=True, on_stale="introspect", post=held, **settings) as verifier:
        assert verifier.ready(10)
        real.stops_telling()
        eventually(lambda: verifier.state == "stale", "the news is too old")
        assert [call(verifier, ANYBODY, bearer(real.token())).status for call in (by_wsgi, by_asgi)] == [503, 503]
        held.opened.set()


def test_a_child_of_a_fork_asks_for_itself(real, slow):
    verifier, held = slow
    token = real.token()
    verifier._questions.answer(token, verifier.judge._read(token, verifier._sources.known).claims.token_id)
    assert held.inside.acquire(timeout=20)
    verifier._questions.after_fork()  # as `os.register_at_fork` does in the child
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(by_wsgi, verifier, ANYBODY, bearer(token))
        assert held.inside.acquire(timeout=20), "it does not wait for the parent's question"
        held.opened.set()
        assert asking.result(20).status == 200

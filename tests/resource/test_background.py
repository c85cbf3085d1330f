"""The app never hangs on the issuer, and news arrives in whatever process asks for it. Real threads, no sleeps."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.callers import ANYBODY, Request, bearer, by_asgi, by_wsgi, in_loop
from tests.support.forgeries import with_header
from tests.support.transports import Gate, RealTime
from tests.support.world import eventually
from tokenserver.resource import background
from tokenserver.resource.patience import MOST_WAITING
from tokenserver.resource.testing import FakeIssuer

ROOT = Path(__file__).parents[2]


@pytest.fixture
def issuer():
    return FakeIssuer(clock=RealTime())


@pytest.fixture
def threaded(issuer):
    made = []

    def make(**settings):
        made.append(issuer.verifier(**{"background": True, "poll_interval": 0.02, **settings}))
        return made[-1]

    yield make
    for verifier in made:
        verifier.stop()


def threads_of_ours():
    return [thread for thread in threading.enumerate() if thread.name.startswith("tokenserver-")]


def test_the_first_request_starts_the_thread_and_waits_for_the_first_news(issuer, threaded, call):
    verifier = threaded()
    assert not threads_of_ours()
    assert call(verifier, ANYBODY, bearer(issuer.token())).status == 200
    assert [thread.daemon for thread in threads_of_ours()] == [True]


def test_many_threads_at_once_start_one_thread(issuer, threaded):
    verifier = threaded()
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: by_wsgi(verifier, ANYBODY, bearer(issuer.token())).status, range(8)))
    assert statuses == [200] * 8
    assert len(threads_of_ours()) == 1


def test_regenerating_reaches_a_running_verifier_by_itself(issuer, threaded, call):
    verifier = threaded()
    token = issuer.token()
    assert call(verifier, ANYBODY, bearer(token)).status == 200
    issuer.regenerate()
    assert verifier.wait_until(issuer.seq, timeout=10)
    assert call(verifier, ANYBODY, bearer(token)).status == 401


def test_with_wait_news_arrives_while_the_issuer_holds_the_poll(issuer, threaded):
    issuer.holds = True
    verifier = threaded(wait=20, poll_interval=10)
    assert verifier.ready(10)
    token = issuer.token()
    issuer.regenerate()
    assert verifier.wait_until(issuer.seq, timeout=10)  # an unheld poll would have come after ten seconds
    assert by_wsgi(verifier, ANYBODY, bearer(token)).status == 401


def test_a_brand_new_key_passes_at_once_though_a_poll_is_being_held(issuer, threaded, call):
    issuer.holds = True
    verifier = threaded(wait=20, patience=10)
    assert verifier.ready(10)
    issuer.rotate_key()
    assert call(verifier, ANYBODY, bearer(issuer.token())).status == 200
    assert len(threads_of_ours()) == 2


@pytest.mark.fault(
    "the token server is slow at the first request",
    "it waits for `patience` (3 s) at the most, then 503",
)
def test_an_issuer_that_hangs_costs_a_request_its_patience_and_no_more(issuer, threaded, call):
    gate = Gate(issuer)
    verifier = threaded(fetch=gate, patience=0.05)
    answer = call(verifier, ANYBODY, bearer(issuer.token()))
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    gate.opened.set()
    assert verifier.ready(10)
    assert call(verifier, ANYBODY, bearer(issuer.token())).status == 200


@pytest.mark.fault(
    "the token server is slow later",
    "no request waits for it",
)
def test_a_warm_verifier_does_not_wait_for_an_issuer_that_hangs(issuer, threaded, call):
    gate = Gate(issuer)
    gate.opened.set()
    verifier = threaded(fetch=gate, patience=30)
    assert call(verifier, ANYBODY, bearer(issuer.token())).status == 200
    gate.opened.clear()
    gate.entered.clear()
    assert gate.entered.wait(10)
    assert call(verifier, ANYBODY, bearer(issuer.token())).status == 200
    gate.opened.set()


def test_an_unknown_key_is_401_when_patience_ends(issuer, threaded, call):
    gate = Gate(issuer)
    gate.opened.set()
    verifier = threaded(fetch=gate, patience=0.05)
    assert verifier.ready(10)
    gate.opened.clear()
    assert call(verifier, ANYBODY, bearer(with_header(kid="made-up")(issuer))).status == 401
    gate.opened.set()


@pytest.mark.fault(
    "many requests come before the first news",
    "eight wait, the others get 503 at once",
)
def test_only_so_many_requests_wait_at_once(issuer, threaded):
    gate = Gate(issuer)
    verifier = threaded(fetch=gate, patience=10)
    request = bearer(issuer.token())
    with ThreadPoolExecutor(MOST_WAITING) as pool:
        waiting = [pool.submit(by_wsgi, verifier, ANYBODY, request) for _ in range(MOST_WAITING)]
        while verifier.patience._places._value:  # until all of them wait
            threading.Event().wait(0.001)
        assert by_wsgi(verifier, ANYBODY, request).status == 503
        assert by_asgi(verifier, ANYBODY, request).status == 503
        gate.opened.set()
        assert [one.result(10).status for one in waiting] == [200] * MOST_WAITING


def test_waiting_for_news_lets_the_event_loop_go_on(issuer, threaded):
    gate = Gate(issuer)
    verifier = threaded(fetch=gate, patience=10)

    async def scenario():
        waiting = [asyncio.create_task(in_loop(verifier, ANYBODY, bearer(issuer.token()))) for _ in range(4)]
        stranger = await in_loop(verifier, ANYBODY, Request())
        gate.opened.set()
        return stranger.status, [(await task).status for task in waiting]

    assert asyncio.run(scenario()) == (401, [200] * 4)


def test_a_loop_that_ends_while_it_waits_disturbs_nobody(issuer, threaded, caplog):
    gate = Gate(issuer)
    verifier = threaded(fetch=gate, patience=0.01)
    assert by_asgi(verifier, ANYBODY, bearer(issuer.token())).status == 503  # its loop is closed now
    gate.opened.set()
    assert verifier.ready(10)
    verifier._background.stop(timeout=10)
    assert "callback" not in caplog.text


def test_a_loop_of_another_kind_is_told_to_try_again(issuer, threaded):
    gate = Gate(issuer)
    verifier = threaded(fetch=gate)
    with pytest.raises(StopIteration) as ended:  # driven by hand, as trio would
        in_loop(verifier, ANYBODY, bearer(issuer.token())).send(None)
    assert ended.value.value.status == 503
    gate.opened.set()


def test_stopping_ends_the_thread_and_starting_begins_again(issuer, threaded):
    verifier = threaded()
    with verifier:
        assert verifier.ready(10)
    assert verifier.state == "stopped"
    assert not threads_of_ours()
    fetched = issuer.fetches["feed"]
    by_wsgi(verifier, ANYBODY, bearer(issuer.token()))
    assert (threads_of_ours(), issuer.fetches["feed"]) == ([], fetched)
    verifier.start()
    verifier.start()
    assert len(threads_of_ours()) == 1


def test_the_thread_survives_whatever_the_transport_does(issuer, threaded, monkeypatch):
    monkeypatch.setattr(background, "LONGEST_PAUSE", 0.02)
    faults = [RuntimeError, MemoryError, RecursionError, AttributeError, SystemExit, GeneratorExit]

    def fetch(*asked):
        if faults:
            raise faults.pop()
        return issuer.fetch(*asked)

    verifier = threaded(fetch=fetch)
    assert verifier.ready(10)
    assert not faults


@pytest.mark.fault(
    "the log of the app fails in the thread that hears the news, or its function for a secret ends the thread",
    "the thread goes on: what is ended is refused as ever",
)
def test_the_thread_survives_a_log_that_fails_where_there_is_no_request(issuer, threaded, call, monkeypatch):
    """As filters do that ask a framework for the request at hand."""
    failed = []

    class OfARequest(logging.Filter):
        def filter(self, record):
            failed.append(record.msg)
            raise RuntimeError("Working outside of request context.")

    monkeypatch.setattr(background, "LONGEST_PAUSE", 0.02)
    asks = OfARequest()
    log = logging.getLogger("tokenserver.resource")
    log.addFilter(asks)
    try:
        verifier, token = threaded(), issuer.token()
        assert call(verifier, ANYBODY, bearer(token)).status == 200
        issuer.goes_down()
        eventually(lambda: failed, "the failure was to be logged")
        issuer.comes_back()
        issuer.regenerate()
        eventually(lambda: call(verifier, ANYBODY, bearer(token)).status == 401, "the end has arrived")
    finally:
        log.removeFilter(asks)


def test_where_no_thread_is_to_be_had_the_next_request_tries_again_and_none_is_left_behind(
    issuer, threaded, call, monkeypatch
):
    start, begun = threading.Thread.start, []

    def scarce(thread):
        if thread.name.startswith("tokenserver-"):
            begun.append(thread)
            if len(begun) in {2, 4}:
                raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", scarce)
    verifier = threaded(wait=5)  # needs two
    for _ in range(2):
        assert call(verifier, ANYBODY, bearer(issuer.token())).status == 503
    assert call(verifier, ANYBODY, bearer(issuer.token())).status == 200
    eventually(lambda: len(threads_of_ours()) == 2, "those that were begun in vain have ended")


def run(program):
    """In a process of its own, because it forks."""
    text = textwrap.dedent(program)
    told = [sys.executable, "-c", text]
    done = subprocess.run(told, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["ok"]), done.stdout + done.stderr


PREAMBLE = """
    import os, sys, threading
    from tests.support.transports import Gate, RealTime
    from tests.support.callers import ANYBODY, bearer, by_asgi, by_wsgi
    from tokenserver.resource.testing import FakeIssuer
    issuer = FakeIssuer(clock=RealTime())

    def threads_of_ours():
        return [thread for thread in threading.enumerate() if thread.name.startswith("tokenserver-")]

    def in_child(scenario):
        pid = os.fork()
        if pid == 0:
            try:
                scenario()
            except BaseException as fault:
                print(repr(fault), file=sys.stderr)
                os._exit(1)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0, "the child failed"
"""


@pytest.mark.fault(
    "a server forks after the thread was started",
    "the child goes on with what was known, and starts a thread of its own",
)
def test_after_a_fork_the_child_starts_a_thread_of_its_own():
    run(
        PREAMBLE
        + """
    verifier = issuer.verifier(background=True, poll_interval=0.02)
    token = issuer.token()
    assert by_wsgi(verifier, ANYBODY, bearer(token)).status == 200

    def child():
        assert not threads_of_ours()
        assert by_wsgi(verifier, ANYBODY, bearer(token)).status == 200     # with what was known
        assert len(threads_of_ours()) == 1
        issuer.regenerate()
        assert verifier.wait_until(issuer.seq, 10)
        assert by_asgi(verifier, ANYBODY, bearer(token)).status == 401

    in_child(child)
    assert by_wsgi(verifier, ANYBODY, bearer(token)).status == 200         # the parent heard of nothing
    print("ok")
    """
    )


@pytest.mark.fault(
    "a server forks in the middle of a fetch",
    "no lock stays held in the child",
)
def test_a_fork_in_the_middle_of_a_fetch_leaves_no_lock_held_in_the_child():
    run(
        PREAMBLE
        + """
    gate = Gate(issuer)
    verifier = issuer.verifier(background=True, poll_interval=0.02, fetch=gate, patience=10)
    verifier.start()
    assert gate.entered.wait(10)        # the thread is inside a fetch, and holds its lock

    def child():
        gate.opened = threading.Event()
        gate.opened.set()
        assert by_wsgi(verifier, ANYBODY, bearer(issuer.token())).status == 200
        issuer.rotate_key()
        assert by_wsgi(verifier, ANYBODY, bearer(issuer.token())).status == 200

    in_child(child)
    gate.opened.set()
    print("ok")
    """
    )


def test_a_child_forked_long_ago_waits_for_news_before_it_judges():
    run(
        PREAMBLE
        + """
    class Later(RealTime):
        ahead = 0.0
        def __call__(self): return super().__call__() + self.ahead
        def monotonic(self): return super().monotonic() + self.ahead

    issuer = FakeIssuer(clock=Later())
    verifier = issuer.verifier(background=True)
    verifier.refresh()
    token = issuer.token(lifetime=3600)

    def child():
        Later.ahead = 600.0
        issuer.regenerate()
        assert by_wsgi(verifier, ANYBODY, bearer(token)).status == 401
        assert by_wsgi(verifier, ANYBODY, bearer(issuer.token())).status == 200

    in_child(child)
    print("ok")
    """
    )

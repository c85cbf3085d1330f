"""One attempt at a time, for threads and event loops; renewed before it is too late; forked without harm."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.token_endpoint import Answer
from tests.support.world import eventually
from tokenserver.client import HttpTransport, TokenRefused, TokenUnavailable
from tokenserver.client import source as source_module
from tokenserver.client.renewing import REJECTION_COOLDOWN

ROOT = Path(__file__).parents[2]


def the_attempt_is_over():
    """And its thread has ended, with whatever is said of that."""
    ended = "the thread has ended"
    eventually(lambda: not any(thread.name == "tokenserver-client" for thread in threading.enumerate()), ended)


def test_fifty_threads_at_once_make_one_request(tokens, make):
    source = make()
    tokens.gate.clear()
    with ThreadPoolExecutor(50) as pool:
        waiting = [pool.submit(source.token) for _ in range(50)]
        assert tokens.entered.wait(20)
        tokens.gate.set()
        assert {one.result(20) for one in waiting} == {"token-1"}
    assert len(tokens.asked) == 1


def test_threads_that_race_for_a_short_lived_token_have_one_request_in_flight(tokens, make, clock):
    source = make()

    def use(number):
        if number % 10 == 0:
            clock.advance(300)
        return source.token()

    with ThreadPoolExecutor(16) as pool:
        used = list(pool.map(use, range(600)))
    assert len(set(used)) > 3
    assert tokens.most_at_once == 1


def test_an_event_loop_goes_on_while_a_token_is_fetched(tokens, make):
    source = make()
    tokens.gate.clear()

    async def main():
        waiting = [asyncio.create_task(source.token_async()) for _ in range(50)]
        turns = 0
        while not tokens.entered.is_set() or turns < 10:
            await asyncio.sleep(0)
            turns += 1
        tokens.gate.set()
        return await asyncio.gather(*waiting)

    assert set(asyncio.run(main())) == {"token-1"}
    assert len(tokens.asked) == 1


def test_two_event_loops_and_threads_share_one_request(tokens, make):
    source = make()
    tokens.gate.clear()

    def in_a_loop(_):
        return asyncio.run(source.token_async())

    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(in_a_loop, None) for _ in range(4)] + [pool.submit(source.token) for _ in range(4)]
        assert tokens.entered.wait(20)
        tokens.gate.set()
        assert {one.result(20) for one in waiting} == {"token-1"}
    assert len(tokens.asked) == 1


def test_who_gives_up_waiting_takes_it_from_nobody(tokens, make):
    source = make()
    tokens.gate.clear()

    async def main():
        impatient = asyncio.create_task(source.token_async())
        patient = asyncio.create_task(source.token_async())
        await asyncio.to_thread(tokens.entered.wait, 20)
        impatient.cancel()
        await asyncio.wait([impatient])
        tokens.gate.set()
        assert impatient.cancelled()
        return await patient

    assert asyncio.run(main()) == "token-1"
    assert source.token() == "token-1"


def test_another_event_loop_is_told_what_to_do(tokens, make):
    waiting = make().token_async()
    with pytest.raises(RuntimeError, match="in a thread"):
        waiting.send(None)


def test_a_token_that_is_due_is_renewed_while_callers_go_on_with_it(tokens, make, clock):
    source = make()
    assert source.token() == "token-1"
    clock.advance(811)
    tokens.gate.clear()
    tokens.entered.clear()
    assert source.token() == "token-1"  # the server does not answer, and nobody waits for it
    assert tokens.entered.wait(20)
    assert source.token() == "token-1"
    tokens.gate.set()
    eventually(lambda: source.token() == "token-2", "the renewed token is used")
    assert len(tokens.asked) == 2


def test_a_token_that_is_not_due_is_used_without_asking(tokens, make, clock):
    source = make()
    for _ in range(674):
        source.token()
        clock.advance(1)
    assert len(tokens.asked) == 1


def test_an_outage_shorter_than_what_is_left_of_the_token_is_not_noticed(tokens, make, clock):
    source = make(patience=0)
    source.token()
    clock.advance(811)
    tokens.next.extend([Answer(503, {})] * 1000)
    for _ in range(80):
        assert source.token() == "token-1"
        the_attempt_is_over()
        clock.advance(1)
    assert len(tokens.asked) > 2
    tokens.next.clear()
    clock.advance(31)
    assert source.token() == "token-2"


def test_a_refusal_does_not_take_the_token_that_is_still_good(tokens, make, clock):
    source = make()
    source.token()
    clock.advance(811)
    tokens.secrets.clear()
    assert source.token() == "token-1"
    eventually(lambda: len(tokens.asked) == 2, "a renewal was tried")
    assert source.token() == "token-1"
    clock.advance(90)
    with pytest.raises(TokenRefused):
        source.token()


# --- clocks that are set ---


def test_a_wall_clock_set_back_makes_no_token_live_longer(tokens, make, clock):
    source = make()
    source.token()
    clock.step(-86_400)
    assert source.token() == "token-1"
    clock.advance(896)
    assert source.token() == "token-2"


def test_a_wall_clock_set_ahead_costs_one_renewal_and_no_more(tokens, make, clock):
    source = make()
    source.token()
    clock.step(86_400)
    assert [source.token() for _ in range(5)] == ["token-2"] * 5
    clock.step(-86_400)
    assert [source.token() for _ in range(5)] == ["token-2"] * 5


# --- tokens that an API refused ---


def test_a_token_that_an_api_refused_is_renewed(tokens, make):
    source = make()
    assert source.token(instead_of=source.token()) == "token-2"
    assert source.token() == "token-2"


def test_many_who_were_refused_with_the_same_token_cause_one_renewal(tokens, make):
    source = make()
    refused = source.token()
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(lambda _: source.token(instead_of=refused), range(64))) == {"token-2"}
    assert len(tokens.asked) == 2


def test_an_api_that_refuses_everything_causes_one_renewal_in_a_while(tokens, make, clock):
    source = make()
    for _ in range(100):
        source.token(instead_of=source.token())
        clock.advance(0.1)
    assert len(tokens.asked) <= 1 + 100 * 0.1 / REJECTION_COOLDOWN + 1


def test_others_go_on_with_a_token_that_one_api_refused_while_it_is_renewed(tokens, make):
    source = make()
    refused = source.token()
    tokens.gate.clear()
    tokens.entered.clear()
    source.rejected(refused)
    assert tokens.entered.wait(20)
    assert source.token() == "token-1"
    tokens.gate.set()
    eventually(lambda: source.token() == "token-2", "the renewed token is used")


def test_refused_by_the_api_and_by_the_token_server_it_is_dropped_and_callers_hear_why(tokens, make):
    source = make()
    refused = source.token()
    tokens.secrets.clear()
    with pytest.raises(TokenRefused, match="invalid_client"):
        source.token(instead_of=refused)
    with pytest.raises(TokenRefused, match="invalid_client"):
        source.token()


def test_refused_by_an_api_while_the_token_server_is_down_it_is_kept_for_the_others(tokens, make):
    source = make(patience=0)
    refused = source.token()
    tokens.next.extend([Answer(503, {})] * 10)
    with pytest.raises(TokenUnavailable):
        source.token(instead_of=refused)
    assert source.token() == "token-1"


def test_a_stranger_s_token_renews_nothing(tokens, make):
    source = make()
    source.token()
    assert source.token(instead_of="another") == "token-1"
    assert len(tokens.asked) == 1


# --- processes ---


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_the_children_of_a_fork_have_the_token_and_their_own_attempts(tokens):
    """Forked in the middle of an attempt, which is what takes locks into the grave."""
    program = """
        import os, sys
        from tokenserver.client import TokenSource

        source = TokenSource(sys.argv[1], client_id="an app", client_secret="first")
        source.rejected("none yet")                      # begins an attempt, in a thread
        sys.stdin.readline()
        children = []
        for _ in range(3):
            child = os.fork()
            if child == 0:
                first = source.token()
                os._exit(0 if source.token(instead_of=first) != first else 1)
            children.append(child)
        print("forked", flush=True)
        assert source.token()
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    """
    tokens.gate.clear()
    command = [sys.executable, "-c", textwrap.dedent(program), tokens.token_endpoint]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as app:
        assert app.stdin is not None
        assert app.stdout is not None
        assert tokens.entered.wait(20)
        app.stdin.write("fork\n")
        app.stdin.flush()
        assert app.stdout.readline() == "forked\n"
        tokens.gate.set()
        assert app.wait(30) == 0
    assert tokens.issued == 1 + 3 * 2


def test_an_app_that_says_goodbye_at_its_very_end_still_gets_a_token(tokens):
    program = """
        import atexit, sys
        from tokenserver.client import TokenSource

        source = TokenSource(sys.argv[1], client_id="an app", client_secret="first")
        atexit.register(lambda: print(source.token()))
    """
    command = [sys.executable, "-c", textwrap.dedent(program), tokens.token_endpoint]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert run.stdout == "token-1\n", run.stderr


def test_where_no_thread_can_be_started_the_caller_fetches_itself(tokens, make, monkeypatch):
    start = threading.Thread.start

    def none_left(thread):
        if thread.name == "tokenserver-client":
            raise RuntimeError("can't start new thread")
        start(thread)

    source = make()
    monkeypatch.setattr(threading.Thread, "start", none_left)
    assert source.token() == "token-1"


def test_the_children_of_a_fork_do_not_renew_together(make):
    source = make()
    source.token()
    ages = set()
    for _ in range(20):
        source._renewing.after_fork()
        ages.add(source._renewing._token.due_at_age)
    assert len(ages) > 10


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("asked", ["by a thread", "by an event loop"])
def test_an_attempt_that_hangs_is_given_up_and_the_next_caller_begins_another(tokens, make, monkeypatch, asked):
    monkeypatch.setattr(source_module, "SLACK", 0.1)
    hangs, works = threading.Event(), HttpTransport()
    first = iter([True])

    def resolver_that_hangs_once(*request):
        if next(first, False):
            hangs.wait(30)
        return works(*request)

    source = make(transport=resolver_that_hangs_once, patience=0, timeout=0.05)
    try:
        with pytest.raises(TokenUnavailable, match="in time"):
            source.token() if asked == "by a thread" else asyncio.run(source.token_async())
        assert source.token() == "token-1"
    finally:
        hangs.set()
    the_attempt_is_over()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_failure_that_nobody_thought_of_is_told_to_those_who_wait(tokens, make):
    def breaks(*_):
        raise SystemExit("the secret is first")

    with pytest.raises(TokenUnavailable, match="broken off") as refused:
        make(client_secret=breaks).token()
    assert "first" not in str(refused.value)
    the_attempt_is_over()


def test_a_failure_is_logged_when_it_begins_and_when_it_ends(tokens, make, clock, caplog):
    caplog.set_level(logging.INFO, "tokenserver.client")
    source = make(patience=0)
    tokens.next.extend([Answer(503, {"echo": "first"})] * 3)
    while tokens.next:
        with pytest.raises(TokenUnavailable):
            source.token()
        clock.advance(40)
    source.token()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "first" not in caplog.text
    assert "token-1" not in caplog.text

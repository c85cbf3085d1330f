"""Is who was wrong slowed, and nobody else?"""

from __future__ import annotations

import pytest

from app.services import failures
from app.services.failures import FREE, LONGEST_WAIT, Failures, TooManyFailures
from tests.support.server import StillClock
from tokenserver.clock import DAY

CREDENTIAL, ATTACKER, CUSTOMER = "tsc_" + "a" * 22, "192.0.2.66", "198.51.100.1"


@pytest.fixture
def clock():
    return StillClock()


@pytest.fixture
def row(clock):
    return Failures(clock)


def fail(row, times, address=ATTACKER):
    for _ in range(times):
        row.failed(CREDENTIAL, address)


def wait_of(row, address=ATTACKER, claimed=CREDENTIAL):
    """The seconds that this address has to wait; 0 when it need not."""
    try:
        row.refuse_hasty(claimed, address)
    except TooManyFailures as refusal:
        return refusal.retry_after
    return 0


def test_a_few_failures_cost_nothing(row):
    fail(row, FREE - 1)
    assert wait_of(row) == 0


def test_each_further_failure_doubles_the_wait_up_to_its_bound(row):
    fail(row, FREE)
    with pytest.raises(TooManyFailures) as refused:
        row.refuse_hasty(CREDENTIAL, ATTACKER)
    assert refused.value.status == 429
    waits = []
    for _ in range(14):
        waits.append(wait_of(row))
        fail(row, 1)
    assert waits[:5] == [2, 3, 5, 9, 17]  # rounded up to a whole second and one
    assert waits[-1] == LONGEST_WAIT + 1
    fail(row, 10_000)
    assert wait_of(row) == LONGEST_WAIT + 1


def test_a_wait_is_over_when_it_was_said_to_be(row, clock):
    fail(row, FREE + 3)
    clock.advance(wait_of(row))
    assert wait_of(row) == 0


def test_no_other_address_and_no_other_credential_waits(row):
    fail(row, 1000)
    assert wait_of(row) > 0
    assert wait_of(row, CUSTOMER) == 0
    assert wait_of(row, claimed="tsc_" + "b" * 22) == 0


def test_a_right_secret_ends_the_row(row):
    fail(row, FREE - 1)
    row.proven(CREDENTIAL, ATTACKER)
    fail(row, FREE - 1)
    assert wait_of(row) == 0


def test_the_right_secret_of_another_address_does_not_free_the_attacker(row):
    fail(row, FREE)
    row.proven(CREDENTIAL, CUSTOMER)
    assert wait_of(row) > 0


def test_an_address_is_wrong_fewer_than_a_hundred_times_a_day(row, clock):
    """The bound of NIST SP 800-63B."""
    wrong, end = 0, clock.now + DAY
    while clock.now < end:
        wait = wait_of(row)
        if wait:
            clock.advance(wait)
        else:
            fail(row, 1)
            wrong += 1
    assert wrong < 100


def test_a_row_is_forgotten_a_day_after_its_last_failure(row, clock):
    fail(row, FREE + 5)
    clock.advance(DAY + 1)
    fail(row, 1)
    assert wait_of(row) == 0


def test_memory_is_bounded_and_the_latest_stay(row, monkeypatch):
    monkeypatch.setattr(failures, "MOST_ROWS", 10)
    for number in range(100):
        fail(row, FREE, f"10.0.0.{number}")
    assert len(row.rows) == 10
    assert wait_of(row, "10.0.0.99") > 0
    assert wait_of(row, "10.0.0.0") == 0

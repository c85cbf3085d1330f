"""Moments are seconds since the epoch, and are written in one way."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.credentials import QUICK
from tokenserver.clock import DAY, HOUR, MINUTE, Ratchet, monotonic, no_earlier, rfc3339, utc_now

WRITTEN = {
    "the epoch": (0, "1970-01-01T00:00:00Z"),
    "a year's last second": (1798761599, "2026-12-31T23:59:59Z"),
    "a fraction of a second is cut off, never rounded up": (1798761599.999, "2026-12-31T23:59:59Z"),
    "a leap day": (1835395200, "2028-02-29T00:00:00Z"),
    "after 2038": (2**31, "2038-01-19T03:14:08Z"),
    "never": (None, None),
}


@pytest.mark.parametrize(("moment", "text"), WRITTEN.values(), ids=WRITTEN.keys())
def test_a_moment_is_written_to_the_second_in_utc(moment: float | None, text: str | None) -> None:
    assert rfc3339(moment) == text


@QUICK
@given(st.integers(0, 253402300799))
def test_what_was_written_reads_back_to_the_same_second(moment: int) -> None:
    text = rfc3339(moment)
    assert text is not None
    assert datetime.fromisoformat(text) == datetime.fromtimestamp(moment, UTC)


def test_a_day_is_a_day() -> None:
    assert (MINUTE, HOUR, DAY) == (60, 3600, 86400)


def test_the_clock_tells_the_time() -> None:
    before, now, after = time.time(), utc_now(), time.time()
    assert before <= now <= after


def test_the_clock_for_ages_never_goes_back() -> None:
    moments = [monotonic() for _ in range(1000)]
    assert moments == sorted(moments)


class Clocks:
    """A wall clock that somebody sets, and a monotonic one that nobody can."""

    def __init__(self) -> None:
        self.wall, self.ticks = 1_800_000_000.0, 100.0
        self.now = Ratchet(lambda: self.wall, lambda: self.ticks)

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.ticks += seconds


def test_a_clock_that_is_set_back_shows_the_latest_moment_until_it_has_caught_up() -> None:
    clocks = Clocks()
    clocks.pass_by(100)
    latest = clocks.now()
    clocks.wall -= HOUR
    assert clocks.now() == latest
    clocks.pass_by(HOUR + 1)
    assert clocks.now() == clocks.wall > latest


def test_a_moment_of_a_clock_that_is_ahead_is_not_held_on_to() -> None:
    clocks = Clocks()
    clocks.now()
    clocks.wall += 2 * HOUR
    assert clocks.now() == clocks.wall
    clocks.wall -= 2 * HOUR
    clocks.pass_by(1)
    assert clocks.now() == clocks.wall


def test_a_clock_that_stays_ahead_for_a_minute_is_believed() -> None:
    clocks = Clocks()
    clocks.wall += 2 * HOUR
    clocks.now()
    clocks.pass_by(MINUTE)
    latest = clocks.now()
    clocks.wall -= HOUR
    assert clocks.now() == latest


def test_a_step_back_of_more_than_a_day_is_a_repair() -> None:
    clocks = Clocks()
    clocks.now()
    clocks.wall -= 2 * DAY
    assert clocks.now() == clocks.wall


def test_a_moment_on_record_goes_before_a_clock_that_is_behind_it_by_less_than_a_day() -> None:
    assert no_earlier(1000.5, None) == 1000.5
    assert no_earlier(1000.5, 1000) == 1000.5
    assert no_earlier(1000.5, 1001) == 1001
    assert no_earlier(1000.5, 1000 + DAY) == 1000 + DAY
    assert no_earlier(1000.5, 1001 + DAY) == 1000.5

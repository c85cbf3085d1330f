"""When is a secret due by its schedule?"""

from __future__ import annotations

import pytest

from tokenserver.clock import DAY, HOUR
from tokenserver.domain.schedule import RotationSchedule, usual_grace

IMPOSSIBLE = {
    "no interval": (0, 60),
    "a negative interval": (-90, 60),
    "an interval of more than ten years": (3651, 60),
    "no grace": (90, 0),
    "a negative grace": (90, -60),
    "a grace of more than thirty days": (90, 30 * DAY + 1),
    "a grace as long as the interval": (1, DAY),
}


@pytest.mark.parametrize(("interval_days", "grace_seconds"), IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_a_schedule_that_makes_no_sense_cannot_be_made(interval_days: int, grace_seconds: int) -> None:
    with pytest.raises(ValueError, match="is 1"):
        RotationSchedule(interval_days, grace_seconds)


@pytest.mark.parametrize("interval_days", [1, 2, 90, 3650])
def test_a_period_is_the_interval_or_a_little_less(interval_days: int) -> None:
    interval = interval_days * DAY
    periods = [RotationSchedule(interval_days, 60).period(f"tsc_{place}") for place in range(500)]
    assert max(periods) <= interval
    assert min(periods) > interval - min(interval // 24, 6 * HOUR)


def test_credentials_that_were_made_together_come_due_apart_and_each_always_at_the_same_time() -> None:
    schedule = RotationSchedule(90, 60)
    periods = [schedule.period(f"tsc_{place}") for place in range(500)]
    assert len(set(periods)) > 450
    assert periods == [schedule.period(f"tsc_{place}") for place in range(500)]


@pytest.mark.parametrize(
    ("interval_days", "grace"), [(1, DAY // 2), (27, 27 * DAY // 2), (28, 14 * DAY), (90, 14 * DAY)]
)
def test_the_usual_grace_fits_into_every_interval(interval_days: int, grace: int) -> None:
    assert usual_grace(interval_days) == grace
    RotationSchedule(interval_days, grace)

"""Moments, as people elsewhere read them: in their own zone and manner, with UTC where the pointer rests."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tests.support.chromium import person

PLACES = {
    "half an hour off": ("Asia/Kolkata", "en-GB", "%-d %b %Y", ", %H:%M"),
    "the other day": ("Pacific/Kiritimati", "de-DE", "%d.%m.%Y", ", %H:%M"),
    "behind": ("America/Los_Angeles", "en-US", "%b %-d, %Y", ", %-I:%M %p"),
}
SHOWN = "all => all.map((one) => [one.dateTime, one.title, one.textContent])"


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_moments_are_in_the_viewers_zone_and_manner_and_utc_is_in_their_title(first, browser, world, place):
    zone, locale, day, hour = place
    made = world.credential()
    visitor = person(browser, world, first.email, timezone_id=zone, locale=locale)
    visitor.sign_in()
    page = visitor.go(f"/credentials/{made['client_id']}")
    moments = page.locator("main time:not([data-day])").evaluate_all(SHOWN)
    visitor.go("/credentials")
    days = page.locator("main time[data-day]").evaluate_all(SHOWN)
    assert moments
    assert days
    for form, found in ((day + hour, moments), (day, days)):
        for machine, title, shown in found:
            moment = datetime.fromisoformat(machine)
            assert title == f"{moment:%Y-%m-%d %H:%M:%S} UTC"
            assert plain(shown) == moment.astimezone(ZoneInfo(zone)).strftime(form)
    visitor.context.close()


def test_without_script_moments_are_in_utc_and_say_so(first, browser, world):
    made = world.credential()
    visitor = person(browser, world, first.email, timezone_id="Asia/Kolkata", java_script_enabled=False)
    visitor.sign_in()
    shown = visitor.go(f"/credentials/{made['client_id']}").locator("main time:not([data-day])").all_inner_texts()
    assert shown
    assert [one for one in shown if not re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", one)] == []
    visitor.context.close()


def plain(text: str) -> str:
    """Without the narrow spaces that some languages have between numbers."""
    return text.replace("\u202f", " ").replace("\xa0", " ")

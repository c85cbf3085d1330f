"""Single fields: text for people, moments, and what their hints say."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from app.inputs.fields import a_year_after, plain, read_moment
from tests.support.credentials import QUICK
from tokenserver.clock import DAY, rfc3339

KEPT = {
    "spaces around it are dropped": ("  nightly \u00a0", "nightly"),
    "composed and decomposed are the same": ("Cafe\u0301", "Caf\u00e9"),
    "an ångström sign is a letter": ("\u212b", "\u00c5"),
    "right-to-left text stays": ("\u202ftaṣdīr تصدير", "taṣdīr تصدير"),
    "right-to-left marks stay": ("\u200fתוכנית\u200e v2", "\u200fתוכנית\u200e v2"),  # noqa: RUF001  other scripts are the point
    "a family of emoji stays together": ("👩‍👩‍👧‍👦", "👩‍👩‍👧‍👦"),
    "a flag made of tags stays": (
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    ),
    "joiners stay": ("می\u200cخواهم", "می\u200cخواهم"),  # noqa: RUF001  other scripts are the point
    "markup is text": ("<b>&amp;</b>", "<b>&amp;</b>"),
    "a hundred characters are not too many": ("é" * 100, "é" * 100),
    "a hundred letters with their accents apart are a hundred": ("e\u0301" * 100, "é" * 100),
}


@pytest.mark.parametrize(("text", "kept"), KEPT.values(), ids=KEPT.keys())
def test_text_is_kept_in_one_form(text, kept):
    assert plain(text, 1, 100) == kept


REFUSED = {
    "nothing": "",
    "spaces only": " \u3000\u00a0",
    "invisible characters only": "\u200b\u200d\ufeff",
    "letters that show nothing": "\u3164\u115f\u1160\uffa0",
    "a pattern without a dot": "\u2800",
    "a variation of nothing": "\ufe0f",
    "a line break": "a\nb",
    "a line break at the end": "a\n",
    "a carriage return": "a\rb",
    "a tab": "a\tb",
    "a NUL": "a\0b",
    "an escape": "\x1b[2Ja",
    "a delete": "a\x7f",
    "a next line": "a\x85b",
    "a line separator": "a\u2028b",
    "a paragraph separator": "a\u2029b",
    "an override": "a\u202eb",
    "an embedding": "a\u202bb",
    "an isolate": "a\u2066b",
    "half a surrogate pair": "a\ud800",
    "a hundred and one characters": "a" * 101,
    "far too many characters": "e\u0301" * 100_000,
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_text_that_would_mislead_is_refused(text):
    with pytest.raises(PydanticCustomError):
        plain(text, 1, 100)


@given(st.text(max_size=150))
@QUICK
def test_text_that_is_kept_is_kept_as_it_is_the_second_time(text):
    try:
        once = plain(text, 0, 100)
    except PydanticCustomError:
        return
    assert plain(once, 0, 100) == once == unicodedata.normalize("NFC", once)
    assert len(once) <= 100
    once.encode("utf-8")


MOMENTS = {
    "in UTC": ("2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z"),
    "in small letters": ("2030-01-01t00:00:00z", "2030-01-01T00:00:00Z"),
    "with an offset": ("2030-01-01T05:30:00+05:30", "2030-01-01T00:00:00Z"),
    "west of Greenwich": ("2029-12-31T16:00:00-08:00", "2030-01-01T00:00:00Z"),
    "of an unknown offset": ("2030-01-01T00:00:00-00:00", "2030-01-01T00:00:00Z"),
    "with a fraction": ("2030-01-01T00:00:00.999999999Z", "2030-01-01T00:00:00Z"),
    "on a leap day": ("2032-02-29T00:00:00Z", "2032-02-29T00:00:00Z"),
    "the last that there is": ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
}


@pytest.mark.parametrize(("text", "moment"), MOMENTS.values(), ids=MOMENTS.keys())
def test_a_moment_is_read(text, moment):
    assert rfc3339(read_moment(text)) == moment


NO_MOMENTS = [
    "",
    "2030-01-01",
    "2030-01-01T00:00:00",
    "2030-01-01 00:00:00Z",
    "2030-01-01T00:00Z",
    "20300101T000000Z",
    "2030-1-1T00:00:00Z",
    "2030-02-29T00:00:00Z",
    "2030-01-01T24:00:00Z",
    "2030-01-01T00:60:00Z",
    "2030-01-01T00:00:60Z",
    "2030-01-01T00:00:00+24:00",
    "2030-01-01T00:00:00+5:30",
    "2030-01-01T00:00:00Z\n",
    " 2030-01-01T00:00:00Z",
    "٢٠٣٠-01-01T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "10000-01-01T00:00:00Z",
    "9999-12-31T23:59:59-00:01",
    "2030-W01-1T00:00:00Z",
    1_900_000_000,
    True,
    [],
]


@pytest.mark.parametrize("value", NO_MOMENTS)
def test_what_is_no_moment_is_refused(value):
    with pytest.raises(PydanticCustomError):
        read_moment(value)


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(9998, 12, 31)).map(lambda day: day.replace(microsecond=0)),  # noqa: DTZ001
    st.integers(-23 * 60, 23 * 60),
)
@QUICK
def test_a_moment_is_the_same_in_any_offset(day, minutes):
    zoned = day.replace(tzinfo=UTC).astimezone(timezone(timedelta(minutes=minutes)))
    assert read_moment(zoned.isoformat()) == int(day.replace(tzinfo=UTC).timestamp())


def test_a_year_later_is_the_same_day_and_second():
    assert rfc3339(a_year_after(read_moment("2027-01-15T08:00:00Z") + 0.9)) == "2028-01-15T08:00:00Z"
    assert rfc3339(a_year_after(read_moment("2028-02-29T23:59:59Z"))) == "2029-02-28T23:59:59Z"


@given(st.integers(0, 200_000_000_000))
@QUICK
def test_a_year_has_365_or_366_days(now):
    assert (a_year_after(now) - now) in {365 * DAY, 366 * DAY}

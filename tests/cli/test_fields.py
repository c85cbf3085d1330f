"""Is each kind of value read as it is documented, and everything else refused with what to write?"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tokenserver.cli import fields

DURATIONS = {"900": 900, "15m": 900, "24h": 86400, "7d": 604800, "2w": 1209600, "30s": 30, "0": 0}


@pytest.mark.parametrize(("text", "seconds"), DURATIONS.items())
def test_durations_are_seconds(text, seconds):
    assert fields.duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-5", "1.5h", "15 m", "15M", "1h30m", "٣", "9" * 10, "1e3", "15m\n"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="15m"):
        fields.duration(text)


MOMENTS = {
    "2027-11-21": "2027-11-21T00:00:00Z",
    "2027-11-21T09:30:00Z": "2027-11-21T09:30:00Z",
    "2027-11-21T09:30:00+02:00": "2027-11-21T07:30:00Z",
}


@pytest.mark.parametrize(("text", "moment"), MOMENTS.items())
def test_moments_are_told_in_utc(text, moment):
    assert fields.moment(text) == moment


def test_a_moment_may_be_counted_from_now(monkeypatch):
    monkeypatch.setattr(fields, "utc_now", lambda: datetime(2026, 11, 21, 9, 30, tzinfo=UTC).timestamp())
    assert fields.moment("+90d") == "2027-02-19T09:30:00Z"
    with pytest.raises(ValueError, match=r"\+90d"):
        fields.moment("+999999999w")


@pytest.mark.parametrize("text", ["", "soon", "2027-13-01", "2027-11-21T09:30:00", "21.11.2027", "+", "+x", "2027"])
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(ValueError, match="write"):
        fields.moment(text)


def test_grants_have_a_short_form():
    audience = "https://api.example.com/a=b"
    assert fields.grant(f"{audience}=all_read") == {"audience": audience, "access": "all_read"}
    assert fields.grant("urn:x=r:x, w:x") == {"audience": "urn:x", "access": "custom", "scopes": ["r:x", "w:x"]}


@pytest.mark.parametrize("text", ["", "=", "https://api.example.com", "=all_read", "urn:x="])
def test_what_is_no_grant_is_refused(text):
    with pytest.raises(ValueError, match="AUDIENCE"):
        fields.grant(text)


def test_scopes_have_a_short_form():
    assert fields.scope("reports:read=read") == {"name": "reports:read", "access": "read", "sensitive": False}
    assert fields.scope("k=write,sensitive") == {"name": "k", "access": "write", "sensitive": True}


@pytest.mark.parametrize("text", ["", "a", "a=", "=read", "a=admin", "a=read,secret", "a=read,sensitive,"])
def test_what_is_no_scope_is_refused(text):
    with pytest.raises(ValueError, match="NAME=read"):
        fields.scope(text)


def test_schedules_have_a_short_form():
    assert fields.schedule("90d") == {"interval_days": 90}
    assert fields.schedule("4w,7d") == {"interval_days": 28, "grace_seconds": 604800}
    found = {"interval_days": 90, "grace_seconds": 3600, "on_unclaimed": "withdraw"}
    assert fields.schedule("90d,1h,withdraw") == found


@pytest.mark.parametrize("text", ["", "1h", "36h", "0", "90d,", "90d,x", "90d,7d,end", "90d,7d,extend,x", ",7d"])
def test_what_is_no_schedule_is_refused(text):
    with pytest.raises(ValueError, match="whole days"):
        fields.schedule(text)


@pytest.mark.parametrize("text", ["", "true", "Yes", "1"])
def test_yes_and_no_are_words(text):
    assert [fields.yes_or_no("yes"), fields.yes_or_no("no")] == [True, False]
    with pytest.raises(ValueError, match="yes or no"):
        fields.yes_or_no(text)


@pytest.mark.parametrize("text", ["", "-1", "1.0", "x", "٣", "9" * 16])
def test_what_is_no_whole_number_is_refused(text):
    with pytest.raises(ValueError, match="whole number"):
        fields.whole_number(text)
    assert fields.whole_number("12") == 12


def test_one_of_some_words_is_read_by_the_letter():
    assert fields.choice("owner", "admin")("owner") == "owner"
    with pytest.raises(ValueError, match="owner, admin"):
        fields.choice("owner", "admin")("Owner")

"""Are limits read as people write them, and is everything else refused without being repeated?"""

from __future__ import annotations

import pytest

from app.quotas import Quota, parse_quotas

READ = {
    "off": ("off", []),
    "off in capitals, with spaces": (" OFF ", []),
    "one": ("address=500/minute", [Quota("address", 500, 60)]),
    "several, in any order, spaces as one likes": (
        "credential = 10 / hour ,address=5/second",
        [Quota("credential", 10, 3600), Quota("address", 5, 1)],
    ),
    "up to a day": ("organization=7/24 hours", [Quota("organization", 7, 86400)]),
    "a day": ("feed=1/day", [Quota("feed", 1, 86400)]),
}
REFUSED = {
    "nothing": "",
    "no name": "500/minute",
    "an unknown name": "tss_secret=500/minute",
    "no period": "address=500",
    "an unknown unit": "address=500/fortnight",
    "nothing at all is allowed": "address=0/minute",
    "no time": "address=5/0 minutes",
    "more than a day": "address=5/2 days",
    "too many": "address=10000000000/minute",
    "a negative number": "address=-5/minute",
    "a fraction": "address=1.5/minute",
    "digits of another script": "address=\u0665/minute",
    "the same twice": "address=5/minute, address=6/minute",
    "an empty item": "address=5/minute,",
    "off among others": "off, address=5/minute",
    "a line break at the end of an item": "address=5/minute\n;",
}


@pytest.mark.parametrize(("text", "quotas"), READ.values(), ids=READ.keys())
def test_limits_are_read(text, quotas):
    assert list(parse_quotas(text).values()) == quotas


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_limit_is_refused_and_not_repeated(text):
    with pytest.raises(ValueError, match=r"^must") as refused:
        parse_quotas(text)
    assert "secret" not in str(refused.value)
    assert "\u0665" not in str(refused.value)

"""Does the owner of a browser recognize it in the list?"""

from __future__ import annotations

import pytest

from app.console.agents import browser_of

MOZILLA, WEBKIT = "Mozilla/5.0", "AppleWebKit/537.36 (KHTML, like Gecko)"
CASES = {
    "Firefox on Linux": f"{MOZILLA} (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Chrome on Windows": f"{MOZILLA} (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/140.0.0.0 Safari/537.36",
    "Edge on Windows": f"{MOZILLA} (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
    "Safari on iPhone": f"{MOZILLA} (iPhone; CPU iPhone OS 19_0 like Mac OS X) {WEBKIT} Version/19.0 Safari/604.1",
    "Chrome on Android": f"{MOZILLA} (Linux; Android 15) {WEBKIT} Chrome/140.0.0.0 Mobile Safari/537.36",
    "Safari on macOS": f"{MOZILLA} (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Version/19.0 Safari/605.1.15",
    "curl/8.14.1": "curl/8.14.1",
    "an unknown browser": "",
}


@pytest.mark.parametrize(("shown", "agent"), CASES.items(), ids=CASES.keys())
def test_it_is_told_in_a_few_words(shown, agent):
    assert browser_of(agent) == shown


def test_what_is_unknown_is_not_told_at_length():
    assert len(browser_of("x" * 5000)) == 60

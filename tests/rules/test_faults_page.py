"""Does the page on faults say what the tests of faults promise, and is there a test of every fault that was named?"""

from __future__ import annotations

from tests.support.faults_page import PAGE, faults, page

NAMED = (
    *("down when the app starts", "goes down later", "is slow", "answers garbage", "clock here is behind"),
    *("clock here is ahead", "rotated twice", "replayed from an hour ago", "caches too long", "forks", "gevent"),
    *("middle of a batch", "random `kid`", "64 KiB", "forged, doubled or missing", "cut off from the feed"),
)
"""What can go wrong between a resource server and its issuer."""


def test_the_page_is_what_the_tests_promise():
    same = PAGE.read_text(encoding="utf-8") == page()
    assert same, "docs/faults.md is not up to date: python -m tests.support.faults_page renews it"


def test_every_fault_that_was_named_has_a_test():
    told = [fault.when for fault in faults()]
    assert [name for name in NAMED if not any(name in when for when in told)] == []


def test_each_row_is_said_in_one_line():
    for when, then, _, _ in faults():
        assert when[0].islower()
        assert "|" not in when + then
        assert "\n" not in when + then

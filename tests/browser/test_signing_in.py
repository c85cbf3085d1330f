"""Into the console and out of it, as a person does it."""

from __future__ import annotations

from tests.support.chromium import person, refuse_barriers


def test_the_first_operator_follows_the_link_signs_out_and_in_again(first):
    page = first.page
    page.click(".me summary")
    page.click("text=Sign out")
    assert "You are signed out." in page.inner_text("main")
    first.sign_in()
    assert page.title().startswith("Overview")


def test_signing_in_works_without_script(first, browser, world):
    visitor = person(browser, world, first.email, java_script_enabled=False)
    visitor.sign_in()
    assert "Overview" in visitor.page.title()


def test_the_pages_before_all_others_keep_nobody_out(browser, world):
    visitor = person(browser, world)
    refuse_barriers(visitor.go("/sign-in"))

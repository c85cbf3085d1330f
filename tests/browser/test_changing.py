"""Changing a credential as a person does it: what is said before is what a running resource server then does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.chromium import Person, end_session, person, refuse_barriers
from tests.support.world import World, eventually

ADMIN = "urn:tokenserver:admin"
expect.set_options(timeout=20_000)


@pytest.fixture
def admin(first, browser, world) -> Iterator[Person]:
    """Signed in a moment ago, so that nobody asks again who it is."""
    someone = person(browser, world, first.email)
    someone.sign_in()
    yield someone
    someone.context.close()


@pytest.fixture(scope="module")
def api(first, world) -> str:
    """A running resource server that reports what it has applied."""
    del first  # the administrator of the world must be there
    grants = [{"audience": ADMIN, "access": "custom", "scopes": ["usage:write"]}]
    reporter = world.manage("POST", "/v1/credentials", {"name": "reporter", "grants": grants})
    given = {"client_id": reporter["client_id"], "secret": reporter["client_secret"], "interval": 0.5}
    return str(world.start_api(reports={**given, "instance": "api-1"}))


def token_of(world: World, made: dict[str, Any]) -> str:
    return world.token(made["client_id"], made["client_secret"])


def home_of(made: dict[str, Any]) -> str:
    return f"/credentials/{made['client_id']}"


def press(page: Page, words: str) -> None:
    page.get_by_role("button", name=words, exact=True).click()


def secrets_of(world: World, made: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.manage("GET", f"/v1/credentials/{made['client_id']}")["secrets"]
    return found


def test_ranges_are_narrowed_and_a_live_token_is_refused(admin, world, api):
    made = world.credential()
    token = token_of(world, made)
    assert world.call(api, token) == 200
    page = admin.go(f"{home_of(made)}/edit")
    page.fill("[name=allowed_ips]", "192.0.2.0/24")
    expect(page.locator("#ranges")).to_contain_text("is outside")
    page.locator("[name=description]").focus()
    expect(page.locator("#effect")).to_contain_text("Every token that is out ends")
    press(page, "Review the change")
    expect(page.locator("main")).to_contain_text("anywhere")
    refuse_barriers(page)
    assert world.call(api, token) == 200
    press(page, "Save, and end the tokens that are out")
    expect(page.locator("[role=status]")).to_contain_text("Saved.")
    expect(page.locator("[role=status]")).to_be_focused()
    eventually(lambda: world.call(api, token) == 401, "the live token is refused")
    expect(page.locator("#applied")).to_contain_text("1 of 1 instance has applied the change")
    refuse_barriers(page)


def test_a_rotation_is_watched_until_the_old_secret_is_over_and_finished(admin, world, api):
    made = world.credential()
    page = admin.go(f"{home_of(made)}/new-secret")
    refuse_barriers(page)
    page.fill("[name=grace]", "2")
    page.select_option("[name=unit]", "days")
    press(page, "Rotate")
    secret = page.locator("#secret").inner_text()
    refuse_barriers(page)
    page.get_by_role("link", name="Watch whether the old one is still used").click()
    expect(page.locator("#rotation")).to_contain_text("It was not used since the new one was made.")
    old_token = token_of(world, made)
    expect(page.locator("#rotation")).to_contain_text("some app has not moved over")
    refuse_barriers(page)
    new_token = world.token(made["client_id"], secret)
    expect(page.locator("#rotation")).not_to_contain_text("Nobody has used it yet.")
    page.get_by_role("button", name="Finish: end the old secret now…").click()
    refuse_barriers(page)
    press(page, "End the old secret now")
    expect(page.locator("[role=status]")).to_contain_text("The rotation is finished")
    eventually(lambda: world.call(api, old_token) == 401, "the token of the old secret is refused")
    assert world.call(api, new_token) == 200
    assert world.ask(made["client_id"], made["client_secret"]).status_code == 401


def test_regenerating_takes_the_name_and_ends_what_is_running(admin, world, api):
    made = world.credential()
    token = token_of(world, made)
    assert world.call(api, token) == 200
    page = admin.go(f"{home_of(made)}/new-secret")
    page.fill("[name=typed_name]", "something else")
    press(page, "Regenerate and end everything")
    expect(page.locator("#help-typed_name")).to_contain_text("This is not it: nothing was done")
    refuse_barriers(page)
    assert world.call(api, token) == 200
    page.fill("[name=typed_name]", made["name"])
    press(page, "Regenerate and end everything")
    secret = page.locator("#secret").inner_text()
    eventually(lambda: world.call(api, token) == 401, "the live token is refused")
    expect(page.locator("#applied")).to_contain_text("1 of 1 instance has applied the change")
    refuse_barriers(page)
    assert world.call(api, world.token(made["client_id"], secret)) == 200
    page.reload()
    assert secret not in page.content()


def test_a_double_click_makes_one_secret(admin, world):
    made = world.credential()
    page = admin.go(f"{home_of(made)}/new-secret")
    page.fill("[name=typed_name]", made["name"])
    page.get_by_role("button", name="Regenerate and end everything").dblclick()
    secret = page.locator("#secret").inner_text()
    assert len(secrets_of(world, made)) == 2
    assert world.ask(made["client_id"], secret).status_code == 200


def test_who_was_slower_sees_what_the_other_one_changed(admin, world):
    made = world.credential(description="as it was")
    page = admin.go(f"{home_of(made)}/edit")
    page.fill("[name=description]", "as I typed it")
    world.patch(made["client_id"], description="as they typed it", roles=[])
    press(page, "Review the change")
    expect(page.locator("#meanwhile")).to_contain_text("Somebody else has changed it meanwhile")
    row = page.get_by_role("row", name=re.compile("Description"))
    expect(row).to_contain_text("as they typed it")
    expect(row).to_contain_text("as I typed it")
    assert page.input_value("[name=description]") == "as I typed it"
    assert not page.is_checked("[name=roles][value=reader]")
    refuse_barriers(page)
    press(page, "Review the change")
    press(page, "Save")
    expect(page.locator("[role=status]")).to_contain_text("Saved.")
    found = world.manage("GET", f"/v1/credentials/{made['client_id']}")
    assert (found["description"], found["roles"]) == ("as I typed it", [])


def test_a_session_that_ends_in_the_midst_of_a_form_keeps_what_was_typed(admin, world):
    made = world.credential()
    page = admin.go(f"{home_of(made)}/edit")
    page.fill("[name=description]", "typed for a long time")
    end_session(admin)
    with page.expect_response(re.compile("/edit/review")) as piece:
        page.locator("[name=description]").blur()
    assert piece.value.status == 401
    press(page, "Review the change")
    page.fill("[name=email]", admin.email)
    page.fill("[name=password]", "four words in a row")
    press(page, "Sign in")
    press(page, "Send it now")
    expect(page.locator("main")).to_contain_text("typed for a long time")
    press(page, "Save")
    expect(page.locator("[role=status]")).to_contain_text("Saved.")
    assert world.manage("GET", f"/v1/credentials/{made['client_id']}")["description"] == "typed for a long time"


def test_a_page_that_cannot_be_kept_fresh_says_so(admin, world):
    made = world.credential()
    world.manage("POST", f"/v1/credentials/{made['client_id']}/rotate", {})
    page = admin.go(f"{home_of(made)}/rotation")
    expect(page.locator("[data-when-old]")).to_be_hidden()
    end_session(admin)
    expect(page.locator("[data-when-old]")).to_be_visible()
    expect(page.locator("#rotation")).to_contain_text("Both secrets work")


def test_everything_is_done_without_script_as_well(first, browser, world):
    someone = person(browser, world, first.email, java_script_enabled=False)
    someone.sign_in()
    made = world.credential()
    page = someone.go(f"{home_of(made)}/edit")
    page.uncheck("[name=roles][value=reader]")
    press(page, "Review the change")
    expect(page.locator("main")).to_contain_text("Every token that is out ends")
    press(page, "Save, and end the tokens that are out")
    expect(page.locator("[role=status]")).to_contain_text("Saved.")
    page = someone.go(f"{home_of(made)}/rotate")
    press(page, "Rotate")
    new = page.locator("#secret").inner_text()
    someone.go(f"{home_of(made)}/rotation")
    page.get_by_role("link", name="Look again").click()
    page.get_by_role("button", name="Cancel: withdraw the new one…").click()
    press(page, "Withdraw the new secret")
    assert world.ask(made["client_id"], new).status_code == 401
    page = someone.go(f"{home_of(made)}/regenerate")
    page.fill("[name=typed_name]", made["name"])
    press(page, "Regenerate and end everything")
    secret = page.locator("#secret").inner_text()
    assert world.ask(made["client_id"], secret).status_code == 200
    page = someone.go(f"{home_of(made)}/end")
    page.get_by_role("button", name="Disable…").click()
    press(page, "Disable")
    assert world.ask(made["client_id"], secret).status_code == 401
    page = someone.go(f"{home_of(made)}/end")
    page.get_by_role("button", name="Delete…").click()
    page.fill("[name=typed_name]", made["name"])
    press(page, "Delete")
    expect(page.locator("[role=status]")).to_contain_text("The credential is deleted.")
    assert world.admin("GET", f"/v1/credentials/{made['client_id']}").status_code == 404
    someone.context.close()


def test_the_pages_that_end_something_keep_nobody_out(admin, world):
    made = world.credential(name="<script>alert(1)</script> " + "🦀" * 70)
    for path in ("/edit", "/end", "/disable", "/revoke", "/rotation"):
        refuse_barriers(admin.go(home_of(made) + path))

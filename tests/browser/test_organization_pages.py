"""The pages of an organization's things as people use them: APIs, roles, projects, operators, keys, webhooks."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.support.chromium import Person, person, refuse_barriers
from tests.support.world import AUDIENCE, World, eventually

ELSEWHERE = "Tokenserver-Organization"


def made(world: World, path: str, body: object, **headers: str) -> dict[str, str]:
    found: dict[str, str] = world.manage("POST", path, body, **headers)
    return found


def press(page: Page, text: str) -> None:
    page.get_by_role("button", name=text, exact=True).click()


def test_who_gains_a_scope_is_seen_while_typing_and_once_more_before_it_is_saved(first, world):
    audience = "https://gains.example.com"
    scopes = [{"name": "reports:read", "access": "read"}]
    api = made(world, "/v1/apis", {"audience": audience, "name": "Gains", "scopes": scopes})
    world.credential(name="who gains", roles=[], grants=[{"audience": audience, "access": "all_read"}])
    page = first.go(f"/apis/{api['id']}/edit")
    press(page, "Add a scope")
    name = page.locator("[name=scopes-1-name]")
    expect(name).to_be_focused()
    name.fill("users:read")
    name.press("Tab")
    expect(page.locator("#effects")).to_contain_text("+ users:read")
    expect(page.locator("#effects")).to_contain_text("who gains")
    press(page, "Save")
    expect(page.locator("h1")).to_have_text("What this changes")
    assert len(world.manage("GET", f"/v1/apis/{api['id']}")["scopes"]) == 1
    press(page, "Save now")
    expect(page.locator(".notice")).to_have_text("Saved.")
    assert len(world.manage("GET", f"/v1/apis/{api['id']}")["scopes"]) == 2


def test_the_main_tasks_work_without_script(first, browser, world):
    visitor = person(browser, world, first.email, java_script_enabled=False)
    visitor.sign_in()
    page = visitor.go("/apis/new")
    page.fill("[name=name]", "Plain")
    page.fill("[name=audience]", "https://plain.example.com")
    page.fill("[name=scopes-0-name]", "a:read")
    press(page, "Add a scope")
    page.fill("[name=scopes-1-name]", "b:read")
    press(page, "Add a scope")
    page.fill("[name=scopes-2-name]", "c:read")
    press(page, "Take away scope 2: b:read")
    page.fill("[name=name]", "Plain and simple")
    page.press("[name=name]", "Enter")
    expect(page.locator("h1")).to_have_text("Plain and simple")
    assert page.locator("td code").all_inner_texts() == ["a:read", "c:read"]
    page = visitor.go("/roles/new")
    page.fill("[name=name]", "plain_role")
    press(page, "Create")
    page.get_by_role("button", name="Delete this role").click()
    page.fill("[name=typed_name]", "plain_role")
    press(page, "Delete this role")
    expect(page.locator(".notice")).to_have_text("Deleted.")
    visitor.context.close()


def test_a_new_operator_follows_the_link_sees_only_theirs_and_is_removed(first, browser, world):
    page = first.go("/operators/new")
    page.fill("[name=email]", "newcomer@example.com")
    page.check("[name=role][value=member]")
    page.check("[name=which_roles][value=these]")
    page.check("[name=roles][value=reader]")
    press(page, "Add and show the link")
    link = page.inner_text("#link")
    newcomer = person(browser, world, "newcomer@example.com")
    theirs = newcomer.set_up(link)
    places = theirs.locator(".places a").all_inner_texts()
    assert "Operators" not in places
    assert "Your credentials" in places
    page = first.go("/operators")
    page.click("text=newcomer@example.com")
    press(page, "Remove this operator")
    page.fill("[name=typed_name]", "newcomer@example.com")
    press(page, "Remove this operator")
    expect(page.locator(".notice")).to_contain_text("Removed.")
    newcomer.go("/credentials")
    expect(newcomer.page).to_have_title(re.compile("Sign in"))
    newcomer.context.close()


def test_looking_through_the_organizations_by_keyboard_goes_nowhere_before_one_says_so(first, world):
    there = made(world, "/v1/organizations", {"name": "A place beside"})
    page = first.go("/roles")
    here = page.input_value("#organization")
    page.focus("#organization")
    for _ in range(2):
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowUp")
    expect(page.locator("#organization")).to_be_focused()
    for organization in (there["id"], here):
        first.go("/roles")
        page.select_option("#organization", organization)
        press(page, "Go there")
        expect(page.locator("h1")).to_contain_text("Overview")
        expect(page.locator("#organization")).to_have_value(organization)


def test_ending_everything_is_noticed_by_a_running_resource_server(first, world):
    there = made(world, "/v1/organizations", {"name": "Incident & Sons"})
    headers = {ELSEWHERE: there["id"]}
    scopes = [{"name": "reports:read", "access": "read"}]
    made(world, "/v1/apis", {"audience": AUDIENCE, "name": "Example", "scopes": scopes}, **headers)
    grants = [{"audience": AUDIENCE, "access": "all_read"}]
    app = made(world, "/v1/credentials", {"name": "app", "grants": grants}, **headers)
    token = world.token(app["client_id"], app["client_secret"])
    api = world.start_api()
    assert world.call(api, token) == 200
    page = first.go(f"/organizations/{there['id']}/end-everything")
    page.fill("[name=typed_name]", "Incident & Sons")
    press(page, "End everything now")
    expect(page.locator(".notice")).to_contain_text("has ended")
    eventually(lambda: world.call(api, token) == 401, "the token is refused")
    assert world.call(api, world.token(app["client_id"], app["client_secret"])) == 200


@pytest.fixture(scope="module")
def places(world) -> list[str]:
    """One page of each kind, with something on it."""
    scopes = [{"name": "reports:read", "access": "read", "description": "<script>alert(1)</script>"}]
    api = made(world, "/v1/apis", {"audience": "https://seen.example.com", "name": "😀" * 100, "scopes": scopes})
    role = made(world, "/v1/roles", {"name": "seen_role", "description": "تصدير ليلي"})
    project = made(world, "/v1/projects", {"name": "seen"})
    grants = [{"audience": "https://seen.example.com", "access": "all_read"}]
    world.credential(name="تصدير ليلي", roles=["seen_role"], grants=grants, project="seen")
    bounds = {"roles": ["seen_role"], "grants": grants}
    operator = made(
        world, "/v1/operators", {"email": "seen@example.com", "name": "😀" * 100, "role": "admin", **bounds}
    )
    webhook = made(world, "/v1/webhooks", {"url": f"https://hooks.invalid/{'x' * 300}", "events": ["credential.*"]})
    made(world, f"/v1/webhooks/{webhook['id']}/test", {})
    organization = made(world, "/v1/organizations", {"name": "W" * 100})
    kid = world.manage("GET", "/.well-known/jwks.json")["keys"][0]["kid"]
    one = {
        "apis": (api["id"], ("", "/edit", "/delete")),
        "roles": (role["id"], ("", "/delete")),
        "projects": (project["id"], ("", "/delete")),
        "operators": (operator["id"], ("", "/edit", "/link", "/remove")),
        "organizations": (organization["id"], ("", "/suspend", "/end-everything", "/resume")),
        "webhooks": (webhook["id"], ("", "/edit", "/disable", "/rotate-secret", "/delete")),
    }
    found = [f"/{name}{below}" for name in one for below in ("", "/new")]
    found += [f"/{name}/{one_id}{below}" for name, (one_id, belows) in one.items() for below in belows]
    return [*found, "/keys", "/keys/rotate", f"/keys/{kid}/revoke"]


@pytest.mark.timeout(600)
def test_the_pages_keep_nobody_out(first, places):
    for path in places:
        refuse_barriers(first.go(path))


@pytest.mark.timeout(600)
def test_nor_do_forms_that_are_shown_again_and_what_is_shown_once(first: Person):
    page = first.go("/apis/new")
    page.fill("[name=name]", "x")
    page.fill("[name=audience]", "nonsense")
    page.fill("[name=scopes-0-name]", "two words")
    press(page, "Create")
    expect(page.locator("#fault")).to_be_focused()
    refuse_barriers(page)
    page = first.go("/webhooks/new")
    page.fill("[name=url]", "https://hooks.example.com/shown")
    press(page, "Create and show its secret")
    expect(page.locator("#secret")).to_contain_text("whsec_")
    refuse_barriers(page)
    page = first.go("/operators/new")
    page.fill("[name=email]", "shown@example.com")
    page.check("[name=role][value=auditor]")
    press(page, "Add and show the link")
    expect(page.locator("#link")).to_contain_text("/console/set-up/")
    refuse_barriers(page)

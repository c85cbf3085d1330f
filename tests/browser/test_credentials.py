"""Credentials at the console, as a person handles them: made, stored, looked up, and many at a time."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from flask import Flask
from playwright.sync_api import expect

from app import create_services
from app.console.snippets import SECRET
from tests.support import credentials as made_up
from tests.support.chromium import PASSWORD, end_session, person, refuse_barriers
from tests.support.server import settings_at
from tests.support.world import AUDIENCE

SHOWN = re.compile(r"tss_[0-9A-Za-z]{46}")


@pytest.fixture
def page(first):
    """Of the first operator, in a wide window."""
    first.page.set_viewport_size({"width": 1280, "height": 900})
    first.page.emulate_media(color_scheme="light", reduced_motion="reduce")
    return first.page


def test_a_credential_is_made_its_secret_stored_and_then_gone(first, page, world):
    first.go("/credentials")
    page.click("text=New credential")
    page.fill("[name=name]", "made by hand")
    page.check("[name=roles][value=reader]")
    page.click("summary:has-text('Example')")
    page.check("input[value=all_read] >> nth=0")
    page.fill("[name=allowed_ips]", "127.0.0.0/8, 2001:db8::/33x")
    page.wait_for_selector("#ranges >> text=1 to mend")
    page.fill("[name=allowed_ips]", "127.0.0.0/8")
    page.wait_for_selector("#ranges >> text=is inside")
    page.click("text=Create the credential")
    secret, client_id = page.inner_text("#secret"), page.inner_text("#client-id")
    assert SHOWN.fullmatch(secret)
    assert world.ask(client_id, secret).status_code == 200

    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("[aria-label='Copy the secret']")
    page.wait_for_selector("#said >> text=Copied.", state="attached")
    assert page.evaluate("navigator.clipboard.readText()") == secret
    with page.expect_download() as download:
        page.click("text=Download .env")
    assert download.value.suggested_filename == f"{client_id}.env"
    kept = dict(line.split("=", 1) for line in download.value.path().read_text().splitlines())
    assert kept["TOKENSERVER_CLIENT_SECRET"] == secret
    with page.expect_download() as download:
        page.click("text=Download JSON")
    assert f'"client_secret": "{secret}"' in download.value.path().read_text()

    page.reload()
    assert "made by hand" in page.inner_text("h1")
    assert not SHOWN.search(page.content())
    page.go_back()
    assert not SHOWN.search(page.content())
    page.go_forward()
    assert not SHOWN.search(page.content())

    snippet = page.inner_text("#snippet-curl").replace(f" {AUDIENCE}", f" {world.start_api()}/any")
    environment = {**os.environ, SECRET: secret}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", snippet], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == client_id, done.stderr


def test_who_has_stored_it_goes_on_to_the_credential_and_back_shows_nothing(first, page):
    first.go("/credentials/new")
    page.fill("[name=name]", "stored")
    page.click("text=Create the credential")
    client_id = page.inner_text("#client-id")
    page.click("text=I have stored it")
    page.wait_for_url(f"**/credentials/{client_id}")
    assert not SHOWN.search(page.content())
    page.go_back()
    assert not SHOWN.search(page.content())


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_a_double_click_makes_one_credential(first, browser, world, script):
    visitor = person(browser, world, first.email, java_script_enabled=script)
    visitor.sign_in()
    page = visitor.go("/credentials/new")
    name = f"clicked twice {'with' if script else 'without'}"
    page.fill("[name=name]", name)
    page.get_by_role("button", name="Create the credential").dblclick()
    shown = page.locator("#secret, main :text('This form has been sent before')")
    expect(shown).to_be_visible()
    assert page.locator("#secret").count() == 1 or not script
    found = world.manage("GET", f"/v1/credentials?q={name.replace(' ', '+')}")["items"]
    assert [one["name"] for one in found] == [name]
    visitor.context.close()


def test_what_was_typed_for_a_new_credential_outlives_the_session(first, browser, world):
    visitor = person(browser, world, first.email)
    visitor.sign_in()
    page = visitor.go("/credentials/new")
    page.fill("[name=name]", "typed for long")
    page.fill("[name=allowed_ips]", "192.0.2.0/24")
    page.check("[name=roles][value=reader]")
    end_session(visitor)
    page.click("text=Create the credential")
    assert "Sign in" in page.title()
    page.fill("[name=email]", visitor.email)
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Send it now").click()
    made = world.manage("GET", f"/v1/credentials/{page.inner_text('#client-id')}")
    assert (made["name"], made["allowed_ips"], made["roles"]) == ("typed for long", ["192.0.2.0/24"], ["reader"])
    assert world.ask(made["client_id"], page.inner_text("#secret")).status_code == 400, "from elsewhere"
    visitor.context.close()


def test_a_name_that_is_too_long_is_refused_where_it_was_typed_and_one_that_is_not_is_never_cut(page, first):
    first.go("/credentials/new")
    page.fill("[name=name]", "🦀" * 200)
    page.fill("[name=description]", "with 200 emoji")
    page.click("text=Create the credential")
    expect(page.locator("#fault")).to_be_focused()
    expect(page.locator("#help-name")).to_contain_text("100")
    assert page.input_value("[name=name]") == "🦀" * 200
    assert page.input_value("[name=description]") == "with 200 emoji"
    expect(page.locator("#fault li a")).to_contain_text("Name: ")
    page.click("#fault li a")
    expect(page.locator("[name=name]")).to_be_focused()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.insert_text("🦐" * 100)  # which the server takes, and a browser counts as 200
    page.click("text=Create the credential")
    expect(page.locator("#client-id")).to_be_visible()
    assert "🦐" * 100 in page.content()


def test_a_credential_is_made_without_script(first, browser, world):
    visitor = person(browser, world, first.email, java_script_enabled=False)
    visitor.sign_in()
    page = visitor.go("/credentials/new")
    page.fill("[name=name]", "made without script")
    page.fill("[name=allowed_ips]", "192.0.2.0/33")
    page.click("text=Read the addresses")
    assert "1 to mend" in page.inner_text("#ranges")
    page.fill("[name=allowed_ips]", "192.0.2.0/24")
    page.click("text=Create the credential")
    assert SHOWN.fullmatch(page.inner_text("#secret"))
    page.click("summary:has-text('As environment variables')")
    assert "TOKENSERVER_CLIENT_SECRET=tss_" in page.inner_text("#as-env")
    page.click("text=I have stored it")
    assert "made without script" in page.inner_text("h1")
    page.click("main a:has-text('Credentials') >> nth=0")
    page.check("[aria-label='made without script']")
    page.click("button[value=disable]")
    assert "This would disable 1 credential" in page.inner_text("h1")
    page.click("button:has-text('Disable 1')")
    assert "1 credential disabled" in page.inner_text("h1")
    visitor.context.close()


def test_no_page_of_credentials_keeps_anybody_out(first, page, world):
    made = world.credential(allowed_ips="192.0.2.0/24", name="looked at")
    world.credential(name="😀" * 100)
    world.credential(name="w" * 100)
    world.ask(made["client_id"], made["client_secret"])
    world.manage("POST", f"/v1/credentials/{made['client_id']}/rotate", {"grace_seconds": 3600})
    ended = world.credential(name="ended")
    world.manage("POST", f"/v1/credentials/{ended['client_id']}/revoke", {"reason": "w" * 200})
    found = (made["client_id"], ended["client_id"])
    for path in ("/credentials", "/credentials?status=nonsense", *(f"/credentials/{one}" for one in found)):
        refuse_barriers(first.go(path))
    first.go("/credentials/new")
    page.fill("[name=allowed_ips]", "192.0.2.0/33")
    page.wait_for_selector("#ranges >> text=1 to mend")
    for summary in page.query_selector_all("details.api summary"):
        summary.click()
    refuse_barriers(page)
    page.fill("[name=allowed_ips]", "192.0.2.0/24")
    page.wait_for_selector("#ranges >> text=outside")
    refuse_barriers(page)
    page.fill("[name=name]", "new " + "w" * 90)
    page.click("text=Create the credential")
    page.wait_for_selector("#secret")
    for summary in page.query_selector_all("main details summary"):
        summary.click()
    refuse_barriers(page)


def test_no_page_of_a_change_of_many_keeps_anybody_out(first, page, world):
    for number in range(3):
        world.credential(name=f"one of many {number}")
    first.go("/credentials?q=one+of+many")
    page.check("[data-ticks=client_ids]")
    page.click("button[value=rotate]")
    page.wait_for_selector("text=This would rotate 3")
    refuse_barriers(page)
    page.click("button:has-text('Rotate 3')")
    page.wait_for_selector("text=3 credentials rotated")
    assert len(set(SHOWN.findall(page.inner_text("table")))) == 3
    refuse_barriers(page)
    page.reload()
    assert not SHOWN.search(page.content())
    first.go("/credentials?q=one+of+many")
    page.check("[data-ticks=client_ids]")
    page.click("button[value=revoke]")
    page.wait_for_selector("text=Type 3 to confirm")
    refuse_barriers(page)


def test_all_that_match_are_revoked_while_one_looks_on(first, page, world):
    mine = world.manage("GET", "/v1/organizations")["items"][0]["id"]
    many = (
        made_up.credential(
            organization_id=mine, client_id=f"tsc_{n:022}", name=f"round {n}", environment="rounds", secrets=()
        )
        for n in range(1100)
    )
    services = create_services(Flask("beside"), settings_at(world.home, issuer=world.issuer))
    with services.store.writing() as tx:
        for one in many:
            tx.credentials.add(one)
    first.go("/credentials?environment=rounds")
    page.check("[name=all]")
    page.click("button:has-text('Revoke …')")
    page.fill("[name=confirmed]", "1100")
    page.route("**/credentials/bulk/all", held_after(1))
    page.click("button:has-text('Revoke all 1,100')")
    expect(page.locator("h1")).to_have_text("1,000 of 1,100 credentials revoked")
    refuse_barriers(page)
    page.unroute("**/credentials/bulk/all")
    page.evaluate("form = document.querySelector('form[data-goes-on]'); delete form.dataset.sent; form.requestSubmit()")
    expect(page.locator("h1")).to_have_text("1,100 credentials revoked")
    refuse_barriers(page)
    page.set_viewport_size({"width": 1280, "height": 900})


def held_after(times):
    """Let so many requests through, and answer the others with nothing, so that the page stays."""
    left = [times]

    def route(found):
        left[0] -= 1
        if left[0] >= 0:
            found.continue_()
        else:
            found.fulfill(status=204)

    return route

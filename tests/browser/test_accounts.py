"""What people sign in with: set up, used, lost and found again, in a real browser."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

import pyotp
import pytest
from playwright.sync_api import CDPSession, Page, expect

from tests.support.chromium import PASSWORD, Person, person, refuse_barriers
from tests.support.world import eventually

NEW_PASSWORD = "five other words in a row"
INSIDE = re.compile(r"/console/?(\?.*)?$")


@pytest.fixture
def made(world, browser):
    """Operators of this test, each with a password and a browser of their own."""
    people: list[Person] = []

    def make(email: str, **context) -> Person:
        world.manage("POST", "/v1/operators", {"email": email, "name": "Ada Lovelace", "role": "admin"})
        someone = person(browser, world, email, **context)
        people.append(someone)
        someone.set_up(link(world, email))
        return someone

    yield make
    for one in people:
        one.context.close()


def recovery_codes_on(page):
    return re.findall(r"(?:[a-z2-7]{4}-){3}[a-z2-7]{4}", page.inner_text("#codes"))


def link(world, email: str, *more: str) -> str:
    return world.shell("operators", "link", email, *more).stdout.strip()


@dataclass
class Phone:
    """With an app for one-time codes, which shows each of them once."""

    secret: str
    shown: str = ""

    def code(self) -> str:
        """One that was not typed yet: a server takes none twice, so that this may wait for the next."""

        def fresh() -> str:
            code = pyotp.TOTP(self.secret).at(int(time.time()) + 30)  # early by a step is taken, too
            return "" if code == self.shown else code

        self.shown = eventually(fresh, "another code")
        return self.shown


def turn_on_codes(someone: Person) -> tuple[Phone, list[str]]:
    """The phone, and the recovery codes that were shown."""
    page = someone.go("/account")
    page.click("text=Set up")
    page.click("text=Cannot scan?")
    phone = Phone(page.inner_text("#secret").replace(" ", ""))
    page.fill("[name=code]", pyotp.TOTP(phone.secret).now())
    page.click("text=Turn on")
    page.wait_for_selector("#codes")
    return phone, recovery_codes_on(page)


def give_password(someone: Person, password: str = PASSWORD) -> Page:
    page = someone.go("/sign-in")
    page.fill("[name=email]", someone.email)
    page.fill("[name=password]", password)
    page.click("form:has([name=password]) button")
    return page


def sign_out(someone: Person) -> None:
    someone.go("/account")
    someone.page.click("summary:has-text('Ada')")
    someone.page.click("text=Sign out")
    someone.page.wait_for_url("**/sign-in*")


def authenticator(someone: Person) -> tuple[CDPSession, str]:
    """A phone, as far as the browser can tell: it keeps keys, and knows its owner by a finger."""
    devtools = someone.context.new_cdp_session(someone.page)
    devtools.send("WebAuthn.enable")
    made = devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
            }
        },
    )
    return devtools, made["authenticatorId"]


def add_passkey(someone: Person, name: str) -> Page:
    page = someone.go("/account/passkeys/new")
    page.fill("[name=name]", name)
    page.click("text=Make a passkey")
    page.wait_for_selector("#codes, p.notice")
    return page


@pytest.mark.parametrize("with_script", [True, False])
def test_one_time_codes_are_turned_on_asked_for_and_stood_in_for(made, with_script):
    ada = made(f"codes-{with_script}@example.com".lower(), java_script_enabled=with_script)
    phone, recovery = turn_on_codes(ada)
    assert len(set(recovery)) == 10
    ada.page.reload()
    assert recovery[0] not in ada.page.content(), "shown once"
    sign_out(ada)

    page = give_password(ada)
    assert "One more step" in page.inner_text("h1")
    page.fill("[name=code]", "000000")
    page.click("form:has([name=code]) button")
    assert "This code is wrong" in page.inner_text("[role=alert]")
    page.fill("[name=code]", phone.code())
    page.click("form:has([name=code]) button")
    page.wait_for_url(INSIDE)
    sign_out(ada)

    page = give_password(ada)
    page.click("text=I have lost it")
    page.fill("[name=recovery_code]", recovery[3].upper())
    page.click("form:has([name=recovery_code]) button")
    page.wait_for_url(INSIDE)
    assert "9 left" in ada.go("/account").inner_text("main")


def test_a_passkey_signs_in_and_comes_after_a_password(made):
    ada = made("passkeys@example.com")
    devtools, device = authenticator(ada)
    page = add_passkey(ada, "Work laptop")
    recovery = recovery_codes_on(page)
    assert len(recovery) == 10
    page.click("text=I have stored them")
    assert "Work laptop" in page.inner_text("main")
    sign_out(ada)

    page = ada.go("/sign-in")
    page.click("text=Use a passkey")
    page.wait_for_url(INSIDE)
    sign_out(ada)

    page = give_password(ada)
    assert "One more step" in page.inner_text("h1")
    page.click("text=Use a passkey")
    page.wait_for_url(INSIDE)
    assert "by password and passkey" in ada.go("/account").inner_text("main")

    page = ada.go("/prove?to=%2Faccount%2Fpassword")
    page.click("text=Use a passkey")
    page.wait_for_url("**/account/password")

    devtools.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    sign_out(ada)
    page = ada.go("/sign-in")
    page.click("text=Use a passkey")
    expect(page.locator("[data-told]")).to_contain_text("cancelled, or took too long")
    page.wait_for_selector("button:has-text('Use a passkey'):enabled")
    devtools.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": True})
    page.click("text=Use a passkey")
    page.wait_for_url(INSIDE)

    page = ada.go("/account")
    page.click("text=Remove")
    assert "The passkey is removed." in page.inner_text("[role=status]")
    sign_out(ada)
    page = ada.go("/sign-in")
    page.click("text=Use a passkey")
    page.wait_for_selector("[role=alert]:has-text('not known here')")
    give_password(ada).wait_for_url(INSIDE)


def test_a_device_has_one_passkey_for_one_person(made):
    ada = made("one-passkey@example.com")
    authenticator(ada)
    add_passkey(ada, "First").click("text=I have stored them")
    page = ada.go("/account/passkeys/new")
    page.click("text=Make a passkey")
    expect(page.locator("[data-told]")).to_contain_text("has a passkey for you already")


def test_where_browsers_know_no_passkeys_none_is_offered(browser, world):
    page = person(browser, world).page
    page.goto(f"{world.issuer.replace('localhost', '127.0.0.1')}/console/sign-in")
    assert page.is_visible("button:has-text('Sign in')")
    assert page.is_hidden("button:has-text('Use a passkey')")
    page.goto(f"{world.issuer}/console/sign-in")
    assert page.is_visible("button:has-text('Use a passkey')")
    page.context.close()


def test_a_password_is_changed_and_everybody_else_is_out(made, browser, world):
    ada = made("password@example.com")
    elsewhere = person(browser, world, ada.email)
    elsewhere.sign_in()
    page = ada.go("/account")
    assert page.locator("text=Chrome on Linux").count() == 2
    assert page.locator(".badge:text-is('this one')").count() == 1
    page.click("text=Change your password")
    page.fill("[name=old_password]", "not this one at all")
    page.fill("[name=password]", NEW_PASSWORD)
    page.fill("[name=repeated]", NEW_PASSWORD)
    page.click("main button")
    assert "This is not your password." in page.inner_text("main")
    for name, password in (
        ("old_password", PASSWORD),
        ("password", "passwordpassword"),
        ("repeated", "passwordpassword"),
    ):
        page.fill(f"[name={name}]", password)
    page.click("main button")
    assert "known breaches" in page.inner_text("main")
    for name, password in (("old_password", PASSWORD), ("password", NEW_PASSWORD), ("repeated", NEW_PASSWORD)):
        page.fill(f"[name={name}]", password)
    page.click("main button")
    assert "Your password is changed." in page.inner_text("[role=status]")
    assert page.locator(".badge:text-is('this one')").count() == 1
    assert elsewhere.go("/account").url.endswith("/sign-in?to=%2Faccount")
    elsewhere.sign_in(NEW_PASSWORD)
    elsewhere.context.close()


def test_sessions_are_listed_and_ended_one_by_one_or_all(made, browser, world):
    ada = made("sessions@example.com", java_script_enabled=False)
    others = [person(browser, world, ada.email) for _ in range(3)]
    for other in others:
        other.sign_in()
    page = ada.go("/account")
    ends = page.locator("button:text-is('End')")
    assert ends.count() == 3
    ends.first.click()
    assert "The session is ended." in page.inner_text("[role=status]")
    assert page.locator("button:text-is('End')").count() == 2
    page.click("text=End all but this one")
    assert page.locator("button:text-is('End')").count() == 0
    for other in others:
        assert "/sign-in" in other.go("/").url
        other.context.close()


def test_who_has_lost_everything_is_let_in_by_a_link_from_the_machine(made, world):
    ada = made("lost@example.com")
    turn_on_codes(ada)
    ada.context.clear_cookies()
    ada.page.goto(link(world, ada.email))
    ada.page.fill("[name=password]", NEW_PASSWORD)
    ada.page.fill("[name=repeated]", NEW_PASSWORD)
    ada.page.click("main button")
    ada.page.wait_for_selector("h1:has-text('One more step')")
    ada.set_up(link(world, ada.email, "--without-second-factor"), NEW_PASSWORD)
    assert "Off" in ada.go("/account").inner_text("main")


def test_nobody_is_kept_out_by_the_pages(made):
    ada = made("barriers@example.com")
    authenticator(ada)
    refuse_barriers(ada.go("/account"))
    refuse_barriers(ada.go("/account/password"))
    ada.page.click("main button")
    ada.go("/account").click("text=Set up")
    ada.page.click("text=Cannot scan?")
    refuse_barriers(ada.page)
    ada.page.fill("[name=code]", pyotp.TOTP(ada.page.inner_text("#secret").replace(" ", "")).now())
    ada.page.click("text=Turn on")
    ada.page.wait_for_selector("#codes")
    refuse_barriers(ada.page)
    refuse_barriers(ada.go("/account/passkeys/new"))
    add_passkey(ada, "A name that is rather long for what it is: x")
    refuse_barriers(ada.go("/account"))
    ada.page.click("text=Rename")
    refuse_barriers(ada.page)
    refuse_barriers(ada.go("/prove"))
    ada.page.click("text=Use a one-time code")
    refuse_barriers(ada.page)
    sign_out(ada)
    page = give_password(ada)
    page.click("text=I have lost it")
    refuse_barriers(page)
    page.fill("[name=recovery_code]", "aaaa-aaaa-aaaa-aaaa")
    page.click("form:has([name=recovery_code]) button")
    page.wait_for_selector("[role=alert]")
    refuse_barriers(page)

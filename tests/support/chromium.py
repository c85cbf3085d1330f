"""A real browser: Debian's Chromium, driven by Playwright. And what is asked of every page that it shows."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it has no types
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Page,
    Request,
    WebError,
    sync_playwright,
)

from tests.support.world import World

WIDTHS = (360, 768, 1440)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
PASSWORD = "four words in a row"
COMPLAINTS: list[str] = []
"""What browsers have noticed against pages, since it was last looked at."""

ANSWERED = ("Failed to load resource", "Response Status Error Code")
"""How a browser and htmx begin to say that something was refused, which is an answer."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Skipped where there is none; in CI it has to be there, unless CI has said that it cannot."""
    found = shutil.which("chromium")
    if found is None:
        if "CI" in os.environ and "WITHOUT_CHROMIUM" not in os.environ:
            pytest.fail("Chromium is not installed: apt-get install chromium")
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Person:
    """Somebody at a browser of their own, at the console of a running server."""

    world: World
    context: BrowserContext
    page: Page
    email: str = ""

    def go(self, path: str) -> Page:
        """To a page of the console: `/credentials`."""
        self.page.goto(f"{self.world.issuer}/console{path}")
        return self.page

    def sign_in(self, password: str = PASSWORD) -> Page:
        self.go("/sign-in")
        self.page.fill("[name=email]", self.email)
        self.page.fill("[name=password]", password)
        self.page.click("main form:has([name=password]) button")
        self.page.wait_for_url(re.compile(r"/console/?(\?.*)?$"))
        return self.page

    def set_up(self, url: str, password: str = PASSWORD) -> Page:
        """Follow a link for a first password."""
        self.page.goto(url)
        self.page.fill("[name=password]", password)
        self.page.fill("[name=repeated]", password)
        self.page.click("main button")
        self.page.wait_for_url(re.compile(r"/console/?(\?.*)?$"))
        return self.page


def person(browser: Browser, world: World, email: str = "", **context: Any) -> Person:
    """`context`: of Playwright's, such as `java_script_enabled=False`."""
    made = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context})
    made.set_default_timeout(20_000)
    listen(made)
    return Person(world, made, made.new_page(), email)


def listen(context: BrowserContext) -> None:
    """Remember as COMPLAINTS whatever a page of ours must never give a reason for."""

    def said(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(ANSWERED):
            COMPLAINTS.append(f"{message.page and message.page.url}: {message.text}")

    def failed(fault: WebError) -> None:
        COMPLAINTS.append(f"{fault.page and fault.page.url}: {fault.error}")

    def asked(request: Request) -> None:
        there = urlsplit(request.url)
        if there.scheme.startswith("http") and not request.is_navigation_request():
            here = urlsplit(request.frame.url)
            if there.netloc != here.netloc and "/console" in here.path:
                COMPLAINTS.append(f"{request.frame.url} asks another host: {request.url}")

    def opened(dialog: Dialog) -> None:
        COMPLAINTS.append(f"{dialog.page and dialog.page.url} opens a dialog: {dialog.message}")
        dialog.dismiss()

    context.on("console", said)
    context.on("weberror", failed)
    context.on("request", asked)
    context.on("dialog", opened)


def end_session(someone: Person) -> None:
    """As a night would, on the server; the browser knows nothing of it."""
    (token,) = [one.get("value", "") for one in someone.context.cookies() if one.get("name", "").endswith("-session")]
    with closing(sqlite3.connect(someone.world.home / "tokenserver.db", timeout=20)) as database, database:
        database.execute(
            "UPDATE session SET seen_at = seen_at - 36000 WHERE id = ?", (hashlib.sha256(token.encode()).hexdigest(),)
        )


def refuse_barriers(page: Page) -> None:
    """Raise AssertionError where axe finds that somebody cannot use the page: each width, light and dark."""
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            found = Axe().run(page)
            told = [
                f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes'][:3]]}"
                for one in found.response["violations"]
            ]
            assert not told, (page.url, scheme, width, told)
            overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert overflow <= 0, f"{page.url} is {overflow} px wider than a screen of {width}"

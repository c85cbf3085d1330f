"""How is the console met by whoever uses it? In Debian's Chromium, driven by Playwright, signed in by the link that
bootstrap gives; one person has one context of the browser, with cookies, connections and a cache of its own.

A page *takes typing* once a key that was really pressed has come out of the search field and onto the screen, and no
long task (50 ms and more) has ended after that. It is counted from the beginning of the navigation by the clock of the
page. The key is pressed as soon as the document and its deferred scripts are done, by a driver that itself takes some
milliseconds to notice: what is reported is never too short.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from scripts.bench_parts.installing import Installation, opened
from scripts.bench_parts.load import Broken
from scripts.bench_parts.plan import Skipped

_PASSWORD = "four words in a row"
_KEY = "9"
_WATCH = """
globalThis.watched = { typed: 0, busy: 0 };
new PerformanceObserver((list) => {
  for (const task of list.getEntries()) watched.busy = Math.max(watched.busy, task.startTime + task.duration);
}).observe({ type: "longtask", buffered: true });
addEventListener("input", () => {
  requestAnimationFrame(() => setTimeout(() => { watched.typed = performance.now(); }));
}, { capture: true, once: true });
"""
_TOLD = """() => {
  const [page] = performance.getEntriesByType("navigation");
  return {
    typing: Math.max(watched.typed, watched.busy),
    answered: page.responseEnd,
    interactive: page.domInteractive,
    loaded: page.loadEventEnd,
  };
}"""


@contextmanager
def chromium() -> Iterator[Browser]:
    found = shutil.which("chromium")
    if found is None:
        raise Skipped("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Visitor:
    """Somebody who is signed in at a server; what `weigh` counts has been asked for by `page`."""

    base: str
    context: BrowserContext
    page: Page = field(init=False)

    def __post_init__(self) -> None:
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)

    def go(self, path: str) -> None:
        answer = self.page.goto(f"{self.base}{path}")
        if answer is None or answer.status != 200:
            raise Broken(f"{path} is answered with {answer and answer.status}")

    def time_until_it_takes_typing(self, path: str) -> dict[str, float]:
        """Milliseconds: until it takes typing, and what browsers tell by themselves. The page has a search field."""
        self.page.goto(f"{self.base}{path}", wait_until="domcontentloaded")
        search = self.page.locator("#field-q")
        search.press(_KEY)
        self.page.wait_for_function("watched.typed && performance.getEntriesByType('navigation')[0].loadEventEnd")
        if not search.input_value().endswith(_KEY):
            raise Broken(f"{path} did not take what was typed")
        told: dict[str, float] = self.page.evaluate(_TOLD)
        return told

    def weigh(self, go: Callable[[], Any]) -> dict[str, int]:
        """Bytes that travel to this page until it is loaded, by kind: heads and bodies, as compressed as they come."""
        asked: list[Request] = []

        def noted(request: Request) -> None:
            asked.append(request)

        self.page.on("request", noted)
        with self.page.expect_event("load"):
            go()
        self.page.remove_listener("request", noted)
        weights: dict[str, int] = {}
        for request in asked:
            if request.response() is None:  # a piece that was given up for the next page
                continue
            sizes = request.sizes()
            weight = sizes["responseBodySize"] + sizes["responseHeadersSize"]
            weights[request.resource_type] = weights.get(request.resource_type, 0) + weight
        return weights


def sign_in(browser: Browser, installation: Installation, port: int) -> Visitor:
    """As the first operator, with a first password."""
    with opened(installation.home, installation.database_url) as services:
        link = services.installation.bootstrap(again=True).setup_url or ""
    visitor = _visitor(browser, f"http://127.0.0.1:{port}")
    visitor.go(urlsplit(link).path)
    visitor.page.fill("[name=password]", _PASSWORD)
    visitor.page.fill("[name=repeated]", _PASSWORD)
    visitor.page.click("main button")
    visitor.page.wait_for_url("**/console/")
    return visitor


def beside(browser: Browser, visitor: Visitor) -> Visitor:
    """The same person at a browser that has not been here before."""
    return _visitor(browser, visitor.base, storage_state=visitor.context.storage_state())


def _visitor(browser: Browser, base: str, **more: Any) -> Visitor:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, **more)
    context.add_init_script(_WATCH)
    return Visitor(base, context)

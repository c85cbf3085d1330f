"""How long until the page of credentials takes typing, with 50,000 of them? And what do the pages of the console weigh?

Each page of the console's table that is fetched is weighed, with an organization's things on it, and what shows a
secret or asks before many are changed as well: every byte that travels to the browser, style and script included, but
for pictures. The control of the time is the same page of an installation with 50 credentials, in turns.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from playwright.sync_api import Browser

from app import create_app
from app.settings import load
from scripts.bench_parts.browsing import Visitor, beside, chromium, sign_in
from scripts.bench_parts.figures import Bar, Control, Figure
from scripts.bench_parts.furnishing import Hand, furnish
from scripts.bench_parts.installing import Installation, install
from scripts.bench_parts.load import Broken
from scripts.bench_parts.placing import stay_on
from scripts.bench_parts.plan import Plan
from scripts.bench_parts.servers import our_server

MANY, FEW = 50_000, 50
_PAGES = {"first page": "/console/credentials", "search by name": "/console/credentials?q=0099&sort=name"}
_NO_PAGES = frozenset({"static", "nowhere", "audit_file", "overview_too", "applied", "review_again", "passkey_offered"})
"""Files, pieces of pages, redirects, and what is read by scripts."""
_ELSEWHERE = frozenset({"sign_in", "set_up", "second_step", "passkey_asked", "second_passkey", "prove_passkey"})
"""Pages before all others are for who is not signed in: they are lighter than any of these."""


@dataclass
class Loads:
    """Of one page of one installation: what each took, cold (a browser that was never here) and warm (once more)."""

    cold: list[dict[str, float]] = field(default_factory=list)
    warm: list[dict[str, float]] = field(default_factory=list)


def measure(plan: Plan) -> list[Figure]:
    many = min(MANY, plan.credentials)
    with ExitStack() as stack:
        stay_on(plan.placing.everything)  # what the browser inherits: a person's has its machine to itself
        stack.callback(stay_on, plan.placing.generator)
        browser = stack.enter_context(chromium())
        installations = [install(plan.folder("console"), count) for count in (many, FEW)]
        names = ("console", "console of few")
        servers = [
            stack.enter_context(our_server(plan, name, one)) for name, one in zip(names, installations, strict=True)
        ]
        visitors = [
            sign_in(browser, installation, server.port)
            for installation, server in zip(installations, servers, strict=True)
        ]
        figures = _times(plan, browser, visitors, many)
        hand = Hand(servers[0].port, installations[0].administrator)
        ids = furnish(hand, installations[0], 3 if plan.smoke else 20)
        pages = paths(installations[0], ids)
        if plan.smoke:
            pages = {rule: path for place, (rule, path) in enumerate(pages.items()) if place % 10 == 0}
        return [*figures, _heaviest(_weights(visitors[0], pages, ids), pages)]


def _times(plan: Plan, browser: Browser, visitors: Sequence[Visitor], many: int) -> list[Figure]:
    loads = {(page, place): Loads() for page in _PAGES for place in range(len(visitors))}
    for page, place in loads:  # once for the servers, which read their templates when they first need them
        visitors[place].go(_PAGES[page])
    for _ in range(plan.rounds):
        for (page, place), found in loads.items():
            newcomer = beside(browser, visitors[place])
            found.cold.append(newcomer.time_until_it_takes_typing(_PAGES[page]))
            found.warm.append(newcomer.time_until_it_takes_typing(_PAGES[page]))
            newcomer.context.close()
    return [
        _figure(f"{page} of {many:,}, {how}, until it takes typing", getattr(loads[page, 0], how), control)
        for page in _PAGES
        for how in ("cold", "warm")
        for control in [Control(f"of {FEW}", _median(getattr(loads[page, 1], how), "typing"))]
    ]


def _figure(what: str, found: Sequence[Mapping[str, float]], control: Control) -> Figure:
    answered, interactive, loaded = (_median(found, name) for name in ("answered", "interactive", "loaded"))
    also = f"answered {answered:.0f}, domInteractive {interactive:.0f}, loaded {loaded:.0f} ms"
    value = _median(found, "typing")
    return Figure("console", what, value, "ms", Bar(at_most=1000), control, also, {"milliseconds": list(found)})


def _median(found: Sequence[Mapping[str, float]], name: str) -> float:
    return statistics.median(one[name] for one in found)


# --- weights --------------------------------------------------------------------------------------------------------


def _weights(visitor: Visitor, pages: Mapping[str, str], ids: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Bytes by kind, for each page by its rule, or by what it shows."""
    visitor.context.new_cdp_session(visitor.page).send("Network.setCacheDisabled", {"cacheDisabled": True})
    weights = {}
    for rule, path in pages.items():
        with suppress(Broken):  # a page of what is not there, such as a passkey: said to be left out
            weights[rule] = visitor.weigh(partial(visitor.go, path))
    for name, act in _acts(visitor, ids):
        weights[name] = visitor.weigh(act)
    return weights


def paths(installation: Installation, ids: Mapping[str, str]) -> dict[str, str]:
    """Every page of the console that is fetched, by its rule: its path, with these things in the rule's places."""
    app = create_app(load({"TOKENSERVER_HOME": str(installation.home)}, dotenv=None))
    rules = app.url_map.bind("")
    found = {}
    for rule in app.url_map.iter_rules():
        door, _, name = rule.endpoint.partition(".")
        if door == "console" and "GET" in (rule.methods or ()) and name not in _NO_PAGES | _ELSEWHERE:
            found[rule.rule] = rules.build(rule.endpoint, {argument: ids[argument] for argument in rule.arguments})
    return found


def _acts(visitor: Visitor, ids: Mapping[str, str]) -> Iterator[tuple[str, Callable[[], Any]]]:
    """What is shown when a form was sent, where it is more than one of the pages above."""
    page = visitor.page

    def press(words: str) -> Callable[[], None]:
        return lambda: page.click(f"main button:has-text('{words}')")

    visitor.go("/console/credentials")
    page.check("[data-ticks=client_ids]")
    yield "before a page of credentials is rotated", press("Rotate …")
    yield "the secrets of a page of credentials", press("Rotate ")
    visitor.go("/console/credentials/new")
    page.fill("[name=name]", "shown")
    yield "a secret that is shown once", press("Create the credential")
    visitor.go(f"/console/credentials/{ids['client_id']}/edit")
    page.fill("[name=allowed_ips]", "192.0.2.0/24")
    yield "before a change is saved", press("Review the change")


def _heaviest(weights: Mapping[str, Mapping[str, int]], pages: Mapping[str, str]) -> Figure:
    kilobytes = {
        path: sum(size for kind, size in kinds.items() if kind != "image") / 1000 for path, kinds in weights.items()
    }
    heaviest = max(kilobytes, key=lambda path: kilobytes[path])
    lightest = min(kilobytes.values())
    detail = {"kilobytes": dict(sorted(kilobytes.items(), key=lambda one: -one[1])), "bytes": dict(weights)}
    left_out = [rule for rule in pages if rule not in weights]
    also = "; ".join([heaviest, f"the lightest {lightest:.0f} kB", *(f"without {rule}" for rule in left_out)])
    what = f"the heaviest of {len(weights)} pages of the console, as it travels"
    return Figure("console", what, kilobytes[heaviest], "kB", Bar(at_most=150), None, also, detail)

"""What holds for every page of the console, by its own table: so that none is missed, whoever adds one.

The things that are shown have the names that nobody wishes to see: markup, emoji, letters that run the other way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it has no types

from app import create_app
from tests.support.chromium import COMPLAINTS, Person, person, refuse_barriers
from tests.support.server import settings_at
from tests.support.world import eventually
from tokenserver.clock import DAY, rfc3339, utc_now
from tokenserver.domain.names import ADMIN_AUDIENCE

MARKUP = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
STRANGE = "https://strange.example.com"
EMOJI, RIGHT_TO_LEFT = "🦀" * 100, "تصدير ليلي abc"
NO_PAGES = {
    "static": "files",
    "audit_file": "a file",
    "nowhere": "for what is not there",
    "overview_too": "the overview by another path",
    "applied": "a piece of a page",
    "passkey_asked": "for a script",
    "second_passkey": "for a script",
    "prove_passkey": "for a script",
    "passkey_offered": "for a script",
    "passkey_name": "of a passkey, which nobody has here",
}
OF_THE_DISABLED = {"enable_form"}
pytestmark = pytest.mark.timeout(600)

WATCH = """() => {
  for (const one of document.querySelectorAll("details")) one.open = true;
  const shown = (one) => one.checkVisibility({ visibilityProperty: true });
  const all = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
  const controls = [...document.querySelectorAll(all)]
    .filter((one) => shown(one) && !one.matches(":disabled, [aria-hidden]"));
  const look = (one) => {
    const style = getComputedStyle(one);
    const outline = style.outlineStyle === "none" ? "" : `${style.outlineWidth} ${style.outlineColor}`;
    const border = style.borderTopStyle === "none" ? "" : style.borderTopColor;
    return [outline, border, style.boxShadow, style.backgroundColor, style.left, style.textDecorationLine].join();
  };
  document.activeElement?.blur();
  const before = new Map(controls.map((one) => [one, look(one)]));
  const reached = new Set(), unseen = new Set();
  document.addEventListener("focusin", (event) => {
    reached.add(event.target);
    if (before.has(event.target) && before.get(event.target) === look(event.target)) unseen.add(event.target);
  });
  const told = (one) => one.outerHTML.slice(0, 150);
  const counts = (one) => reached.has(one) ||
    (one.type === "radio" && controls.some((other) => other.name === one.name && reached.has(other)));
  globalThis.walked = () => ({
    missed: controls.filter((one) => !counts(one)).map(told), unseen: [...unseen].map(told),
  });
  return controls.length + 4 * document.querySelectorAll("input[type=date]").length + 2;
}"""
"""How often to press Tab; `walked` tells afterwards what was not reached, and what did not show that it was."""

LACKS = """() => {
  const all = (what) => [...document.querySelectorAll(what)].filter((one) => one.checkVisibility());
  const told = (one) => one.outerHTML.slice(0, 150);
  return [
    ...(all("h1").length === 1 ? [] : ["there is no heading, or there are two"]),
    ...all(".with-script").map((one) => `does nothing: ${told(one)}`),
    ...all("form").filter((one) => !one.querySelector("button")).map((one) => `cannot be sent: ${told(one)}`),
  ];
}"""
"""What keeps a page from working without script."""


@pytest.fixture(scope="module")
def someone(first, browser, world) -> Iterator[Person]:
    """Signed in a moment ago, with style that does not move."""
    visitor = person(browser, world, first.email, reduced_motion="reduce")
    visitor.sign_in()
    yield visitor
    visitor.context.close()


@pytest.fixture(scope="module")
def paths(someone, world, tmp_path_factory) -> Mapping[str, str]:
    """Each page that is fetched, by its name: its path, with something strange in it."""
    ids, disabled = things(world)
    of_the_overview(world, someone)
    app = create_app(settings_at(tmp_path_factory.mktemp("table")))
    adapter = app.url_map.bind("")
    found = {}
    for rule in app.url_map.iter_rules():
        door, _, name = rule.endpoint.partition(".")
        if door == "console" and "GET" in (rule.methods or ()) and name not in NO_PAGES:
            given = {**ids, **({"client_id": disabled} if name in OF_THE_DISABLED else {})}
            built = adapter.build(rule.endpoint, {argument: given[argument] for argument in rule.arguments})
            found[name] = built.removeprefix("/console")
    assert len(found) > 60
    return found


def of_the_overview(world, someone) -> None:
    """What it tells of before all else: a resource server that reports, and a long name that ends soon."""
    world.credential(name="x" * 100, expires_at=rfc3339(utc_now() + DAY))
    grants = [{"audience": ADMIN_AUDIENCE, "access": "custom", "scopes": ["usage:write"]}]
    made = world.manage("POST", "/v1/credentials", {"name": "reports", "grants": grants})
    reports = {
        "client_id": made["client_id"],
        "secret": made["client_secret"],
        "interval": 0.5,
        "instance": "strange-1",
    }
    asking = world.credential(grants=[{"audience": STRANGE, "access": "all_read"}])
    reporting = world.start_api(audience=STRANGE, reports=reports)  # not the one whose instances others count
    world.call(reporting, world.token(asking["client_id"], asking["client_secret"]))
    eventually(lambda: "strange-1" in someone.go("/").inner_text("main"), "a resource server that reports")


def things(world) -> tuple[dict[str, str], str]:
    """One of each kind by the name of its ID, and the client ID of a credential that is disabled."""

    def made(path: str, body: object) -> dict[str, Any]:
        answer: dict[str, Any] = world.manage("POST", path, body)
        return answer

    scopes = [{"name": "a:read", "access": "read", "description": MARKUP}]
    body = {"audience": STRANGE, "name": RIGHT_TO_LEFT, "scopes": scopes}
    api = made("/v1/apis", {**body, "shared": True})
    role = made("/v1/roles", {"name": "strange_role", "description": MARKUP, "shared": True})
    project = made("/v1/projects", {"name": "strange"})
    grants = [{"audience": STRANGE, "access": "all_read"}]
    for name in (MARKUP, RIGHT_TO_LEFT):
        changed = world.credential(
            name=name, description=name, roles=["strange_role"], grants=grants, project="strange"
        )
        world.patch(changed["client_id"], description=EMOJI, allowed_ips="192.0.2.0/24")
        made(f"/v1/credentials/{changed['client_id']}/disable", {})
    rotating = world.credential(name=EMOJI, description=MARKUP, roles=["strange_role"], grants=grants)
    made(f"/v1/credentials/{rotating['client_id']}/rotate", {"grace_seconds": 86_400})
    person = made("/v1/operators", {"email": "strange@example.com", "name": MARKUP, "role": "member"})
    webhook = made("/v1/webhooks", {"url": "https://hooks.invalid/strange", "events": ["*"], "description": MARKUP})
    made(f"/v1/webhooks/{webhook['id']}/test", {})
    organization = made("/v1/organizations", {"name": RIGHT_TO_LEFT})
    there = {"Tokenserver-Organization": organization["id"]}
    held = {"name": MARKUP, "roles": ["strange_role"], "grants": grants}
    world.manage("POST", "/v1/credentials", held, **there)
    kid = world.manage("GET", "/.well-known/jwks.json")["keys"][0]["kid"]
    link = world.shell("operators", "link", "strange@example.com").stdout.strip()
    ids = {"api_id": api["id"], "role_id": role["id"], "project_id": project["id"], "operator_id": person["id"]}
    ids |= {"webhook_id": webhook["id"], "organization_id": organization["id"], "kid": kid}
    return {**ids, "client_id": rotating["client_id"], "token": link.rpartition("/")[2]}, changed["client_id"]


def test_every_page_answers_and_keeps_nobody_out_who_has_a_small_dark_screen(someone, paths):
    someone.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    someone.page.set_viewport_size({"width": 360, "height": 800})
    found: dict[str, Any] = {}
    for name, path in paths.items():
        answer = someone.page.goto(f"{someone.world.issuer}/console{path}")
        assert answer is not None
        assert answer.status == 200, name
        violations = Axe().run(someone.page).response["violations"]
        told = [f"{one['id']}: {[node['html'][:150] for node in one['nodes'][:3]]}" for one in violations]
        wider = someone.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if told or wider > 0:
            found[name] = (told, wider)
    assert not found


def test_nor_do_the_pages_that_no_journey_looks_at(someone, paths):
    for path in (*(paths[name] for name in ("enable_form", "delete_form", "cancel_form", "set_up")), "/nothing-here"):
        refuse_barriers(someone.go(path))


def test_every_control_of_every_page_is_reached_by_the_keyboard_and_shows_it(someone, paths):
    someone.page.emulate_media(color_scheme="light", reduced_motion="reduce")
    someone.page.set_viewport_size({"width": 1280, "height": 900})
    found: dict[str, Any] = {}
    for name, path in paths.items():
        page = someone.go(path)
        for _ in range(page.evaluate(WATCH)):
            page.keyboard.press("Tab")
        walked = page.evaluate("walked()")
        if walked["missed"] or walked["unseen"]:
            found[name] = walked
    assert not found


def test_without_script_every_page_has_what_it_needs(first, browser, world, paths):
    visitor = person(browser, world, first.email, java_script_enabled=False)
    visitor.sign_in()
    found: dict[str, Any] = {}
    for name, path in paths.items():
        page = visitor.go(path)
        wrong = page.evaluate(LACKS)
        if wrong:
            found[name] = wrong
    assert not found
    visitor.context.close()


def test_a_narrow_screen_has_the_places_in_a_menu_that_closes_as_menus_do(someone):
    places = "nav.places a >> visible=true"
    page = someone.go("/credentials")
    page.set_viewport_size({"width": 1280, "height": 800})
    wide = page.locator(places).all_inner_texts()
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.locator(places).count() == 0
    assert page.locator("h1").bounding_box()["y"] < 140
    page.click(".menu summary")
    assert page.locator(places).all_inner_texts() == wide
    refuse_barriers(page)
    page.set_viewport_size({"width": 360, "height": 800})
    page.locator(places).first.focus()
    page.keyboard.press("Escape")
    assert page.locator(places).count() == 0
    assert page.evaluate("document.activeElement.textContent") == "Menu"
    page.click(".menu summary")
    page.click(".me summary")
    assert page.locator(places).count() == 0
    page.locator("main").click(position={"x": 5, "y": 5})
    assert page.locator(".bar > details[open]").count() == 0


def test_without_script_the_menu_of_a_narrow_screen_opens(first, browser, world):
    visitor = person(browser, world, first.email, java_script_enabled=False, viewport={"width": 360, "height": 800})
    visitor.sign_in()
    visitor.page.click(".menu summary")
    visitor.page.click("nav.places a:has-text('Audit log') >> visible=true")
    assert visitor.page.url.endswith("/console/audit")
    visitor.context.close()


def test_strange_names_are_shown_as_they_are_and_do_nothing(someone, paths):
    for name in (MARKUP, EMOJI, RIGHT_TO_LEFT):
        for path in (
            f"{paths['credentials']}?role=strange_role",
            f"{paths['audit']}?{urlencode({'credential': name})}",
        ):
            assert name in someone.go(path).inner_text("main")
            assert someone.page.locator("main img, main script").count() == 0
    leaning = someone.page.locator("main :text('تصدير') >> nth=0")
    assert leaning.evaluate("one => getComputedStyle(one).unicodeBidi") == "isolate", "it turns nothing around it"


def test_a_page_that_breaks_its_policy_or_asks_another_host_is_noticed(browser, world):
    visitor = person(browser, world)
    page = visitor.go("/sign-in")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">')")
    page.evaluate("fetch('http://127.0.0.1:9/').catch(() => {})")
    page.evaluate("setTimeout(() => { throw new Error('of ours'); })")
    page.evaluate("setTimeout(() => alert('hello'))")
    page.wait_for_timeout(100)
    told, COMPLAINTS[:] = " ".join(COMPLAINTS), []
    for words in ("style", "connect", "of ours", "hello"):
        assert words in told
    visitor.context.close()

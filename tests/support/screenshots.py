"""Pictures of the console for the README: `python -m tests.support.screenshots` takes them anew."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Literal

from tests.support.chromium import Person, chromium, person
from tests.support.world import ROOT, World, a_world, eventually

FOLDER = ROOT / "docs" / "screenshots"
NAMES = ("nightly export", "billing sync", "data lake loader", "SIEM forwarder", "partner portal", "status page")


def take_all() -> None:
    with chromium() as browser, a_world(Path(tempfile.mkdtemp()), host="localhost") as world:
        world.start()
        world.catalogue()
        ended, shown = _lived_in(world)
        somebody = person(browser, world, "admin@localhost", viewport={"width": 1280, "height": 760})
        again = json.loads(world.shell("bootstrap", "--json", "--again").stdout)
        somebody.set_up(again["setup_url"])
        world.manage("DELETE", f"/v1/credentials/{again['client_id']}")
        eventually(lambda: "Refused: 0" not in somebody.go("/").inner_text("main"), "tokens that were counted")
        _take(somebody, "overview")
        somebody.go("/credentials?sort=name")
        _take(somebody, "credentials")
        somebody.go(f"/credentials/{shown}")
        _take(somebody, "credential", "dark")
        somebody.go(f"/credentials/{shown}/new-secret")
        _take(somebody, "new-secret")
        page = somebody.go("/explain")
        page.fill("[name=token]", ended)
        page.click("main button:has-text('Explain')")
        _take(somebody, "explain", "dark")
        somebody.go("/audit")
        _take(somebody, "audit")


def _lived_in(world: World) -> tuple[str, str]:
    """A token that was ended, and the client ID of a credential that is restricted."""
    made = [
        world.credential(name=name, allowed_ips="192.0.2.1 - 192.0.3.254" if place % 2 else None)
        for place, name in enumerate(NAMES)
    ]
    tokens = [world.token(one["client_id"], one["client_secret"]) for one in made[::2] for _ in range(3)]
    world.ask(made[0]["client_id"], "tss_wrong")
    world.manage("POST", f"/v1/credentials/{made[5]['client_id']}/disable", {})
    world.manage("POST", f"/v1/credentials/{made[0]['client_id']}/regenerate", {})
    return tokens[0], made[1]["client_id"]


def _take(somebody: Person, name: str, scheme: Literal["light", "dark"] = "light") -> None:
    somebody.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    somebody.page.screenshot(path=str(FOLDER / f"{name}.png"))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    take_all()

"""What the documentation claims, and what keeps it true."""

from __future__ import annotations

import ast
import asyncio
import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import httpx
import pytest
from werkzeug.test import Client

from app.settings import Settings
from tests.support import django_site  # noqa: F401  two of the modules want a configured Django
from tests.support.guides import GUIDES, read_guide, to_the_first_route
from tokenserver.resource.testing import FakeIssuer

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def settings_table() -> str:
    rows = ["| Variable | Default | Meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, "", ()) else f"`{field.default}`"
        meaning = str(field.description).replace("\n", " ").replace("|", "\\|")
        rows.append(f"| `TOKENSERVER_{name.upper()}` | {default} | {meaning} |")
    return "\n".join(rows)


def test_the_settings_table_is_the_settings_class():
    documented = README.partition("<!-- settings -->\n")[2].partition("\n<!-- /settings -->")[0]
    assert documented == settings_table(), f"it should be:\n{settings_table()}"


def test_the_readme_is_short_enough_to_be_read():
    assert len(README.splitlines()) <= 250


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def example(kind: str) -> str:
    found = re.search(rf"<!-- example: {kind} -->\n```python\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found.group(1)


@pytest.mark.parametrize("name", ["flask", "fastapi", "django"])
def test_the_first_protected_route_takes_under_ten_lines(name):
    program = next(iter(read_guide(name).files.values()))
    lines = to_the_first_route(program)
    assert any("require(" in line for line in lines)
    assert len(lines) < 10, lines


@pytest.mark.parametrize("name", ["flask", "fastapi", "django", "grpc", "wsgi-asgi"])
def test_what_a_guide_installs_is_all_that_its_programs_need(name):
    """Flask runs async views only where its extra is installed, too; and nothing brings a server by itself."""
    guide = read_guide(name)
    installed = shlex.split(" ".join(re.findall(r"`pip install ([^`]+)`", (GUIDES / f"{name}.md").read_text())))
    needed = {command[0] for command in guide.commands} - {"python"}
    programs = "\n".join(guide.files.values())
    needed |= {"flask[async]"} if name == "flask" and "async def" in programs else set()
    needed |= (
        {"djangorestframework"} if "import rest_framework" in programs or "from rest_framework" in programs else set()
    )
    extra = {name} & {"flask", "fastapi", "django", "grpc"}
    needed |= {f"tokenserver[{one}]" for one in extra} or {"tokenserver"}
    assert needed <= set(installed)


@pytest.mark.parametrize("page", sorted(GUIDES.glob("*.md")), ids=lambda page: page.stem)
def test_the_examples_of_the_guides_are_good_python_and_name_what_there_is(page):
    for example in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        for node in ast.walk(ast.parse(example)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tokenserver"):
                module = importlib.import_module(node.module or "")
                assert not [alias.name for alias in node.names if not hasattr(module, alias.name)], page


def by_wsgi(app: Any, headers: dict[str, str]) -> int:
    return Client(app).get("/", headers=headers).status_code


def by_asgi(app: Any, headers: dict[str, str]) -> int:
    async def call() -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
            return (await client.get("/", headers=headers)).status_code

    return asyncio.run(call())


@pytest.mark.parametrize(("kind", "call"), [("wsgi", by_wsgi), ("asgi", by_asgi)])
def test_the_examples_of_the_readme_guard_an_api(kind, call):
    issuer = FakeIssuer()
    names: dict[str, Any] = {"given": issuer.verifier()}
    exec(re.sub(r"^verifier = Verifier\(.*$", "verifier = given", example(kind), flags=re.MULTILINE), names)  # noqa: S102
    good = issuer.authorization(roles={"cloud_admin"}, scopes={"reports:read"})
    assert call(names["app"], good) == 200
    assert call(names["app"], issuer.authorization(roles={"cloud_admin"})) == 403
    assert call(names["app"], {}) == 401
    issuer.regenerate()
    issuer.clock.advance(1)
    assert call(names["app"], good) == 401


def test_the_readme_names_a_journey_for_each_promise():
    section = README.partition("## The promises")[2].partition("\n## ")[0]
    promises = re.split(r"^\d+\. ", section, flags=re.MULTILINE)[1:]
    assert len(promises) == 10
    assert all("](tests/" in promise for promise in promises)

"""Is what the pages name there: commands, their options, variables, and the headings that links lead to?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import click
import pytest

from app.cli import command_line
from app.settings import Settings
from tokenserver.cli.root import cli as wheel

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
SERVER = command_line(cast(Any, None), cast(Any, None))  # whose commands are looked at, and not run
GROUPS = "|".join(wheel.list_commands(click.Context(wheel)))
OF_THE_COMMAND_LINE = {f"TOKENSERVER_{name}" for name in ("URL", "CLIENT_ID", "CLIENT_SECRET", "PROFILE", "ALLOW_HTTP")}


def commands(page: Path) -> Iterator[tuple[click.Group, str]]:
    """Which command line, and what is said to it."""
    text = (
        page.read_text(encoding="utf-8").replace("\\\n", " ").replace("\\|", " OR ").partition("<!-- commands -->")[0]
    )
    for said in re.findall(r"python -m app ([a-z][^`\n|>#);]*)", text):
        yield SERVER, said
    for said in re.findall(rf"(?<![\w./-])tokenserver ((?:{GROUPS})\b[^`\n|>#);]*)", text):
        yield wheel, said


def faults(root: click.Group, said: str) -> list[str]:
    """What of `said` is not there; after OR stands another command of the same group."""
    first, *others = said.split(" OR ")
    told = [_followed(click.Context(root), first.split())]
    group = told[0][0].parent
    told += [_followed(group, other.split()) for other in others if group is not None]
    found: list[str] = []
    for context, rest in told:
        if isinstance(context.command, click.Group) and rest and re.fullmatch("[a-z-]+", rest[0]):
            found.append(rest[0])
        parameters = context.command.get_params(context)
        options = {name for parameter in parameters for name in [*parameter.opts, *parameter.secondary_opts]}
        found += [word for word in re.findall(r"(?<!\S)\[?(--?[a-z][a-z-]*)", " ".join(rest)) if word not in options]
    return found


def _followed(context: click.Context, words: list[str]) -> tuple[click.Context, list[str]]:
    """The command that the words lead to, and the words behind it."""
    while words and isinstance(context.command, click.Group):
        command = context.command.get_command(context, words[0])
        if command is None:
            break
        context, words = click.Context(command, parent=context), words[1:]
    return context, words


@EACH_PAGE
def test_every_command_and_option_is_there(page):
    assert not [(said, unknown) for root, said in commands(page) if (unknown := faults(root, said))]


def test_what_is_not_there_is_found():
    assert faults(SERVER, "keys rotate OR revoke KID OR import --pem FILE [--activate]") == []
    assert faults(SERVER, "keys rotate OR renew") == ["renew"]
    assert faults(SERVER, "key rotate") == ["key"]
    assert faults(SERVER, "bootstrap --jsno") == ["--jsno"]
    assert faults(wheel, "credential create --nmae x") == ["--nmae"]
    assert faults(wheel, "credential show tsc_… -q --organization x") == []


def test_every_command_of_the_server_is_on_the_page_for_operators():
    page = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
    for name, command in SERVER.commands.items():
        rows = " ".join(line.split(" | ")[0] for line in page.splitlines() if f"| `python -m app {name}" in line)
        assert name in rows
        for one in command.commands if isinstance(command, click.Group) else ():
            assert re.search(rf"\b{one}\b", rows), f"{name} {one}"


def test_every_page_is_reached_from_the_readme():
    reached, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        reached.add(page)
        links = re.findall(r"\]\(([^)#: ]+\.md)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        ahead += [there for link in links if (there := (page.parent / link).resolve()) not in reached]
    assert not set(PAGES) - reached


@EACH_PAGE
def test_every_variable_is_a_setting(page):
    known = {f"TOKENSERVER_{name.upper()}" for name in Settings.model_fields} | OF_THE_COMMAND_LINE
    named = set(re.findall(r"TOKENSERVER_[A-Z_]*[A-Z]", page.read_text(encoding="utf-8")))
    assert {name.removesuffix("_FILE") for name in named} <= known


@EACH_PAGE
def test_every_link_to_a_heading_leads_to_one(page):
    for target, heading in re.findall(r"\]\(([^)#: ]*)#([^)]+)\)", page.read_text(encoding="utf-8")):
        there = page.parent / target if target else page
        titles = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
        assert heading in {_anchor(title) for title in titles}, f"{target}#{heading}"


def _anchor(title: str) -> str:
    """As code forges make it of a heading."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")

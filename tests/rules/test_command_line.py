"""Is the page about the command line the commands' own help, and are its exit codes those of the code?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tokenserver.cli.failures import Exit
from tokenserver.cli.root import cli

PAGE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")
SHARED = {"output", "quiet", "yes", "profile", "organization", "help"}


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def reference() -> str:
    """Every command with its help and its own options."""
    return "\n\n".join(described(path, command) for path, command in commands(cli, "tokenserver"))


def described(path: str, command: click.Command) -> str:
    context = click.Context(command)
    arguments = " ".join(p.make_metavar(context) for p in command.params if isinstance(p, click.Argument))
    paragraphs = [" ".join(part.split()) for part in (command.help or "").split("\n\n")]
    rows = []
    for option in command.params:
        if isinstance(option, click.Option) and option.name not in SHARED:
            names, meaning = option.get_help_record(context) or ("", "")
            meaning = " ".join(meaning.split())
            rows.append(f"| `{names.replace('|', chr(92) + '|')}` | {meaning.replace('|', chr(92) + '|')} |")
    table = ["| Option | Meaning |\n| --- | --- |\n" + "\n".join(rows)] if rows else []
    return "\n\n".join([f"### `{f'{path} {arguments}'.strip()}`", *paragraphs, *table])


def between(name: str) -> str:
    return PAGE.partition(f"<!-- {name} -->\n")[2].partition(f"\n<!-- /{name} -->")[0]


def test_the_reference_is_the_help_of_the_commands():
    assert between("commands") == reference(), f"it should be:\n{reference()}"


def test_the_page_says_the_options_that_all_commands_share():
    section = PAGE.partition("## Options of every command")[2].partition("\n## ")[0]
    command = cli.get_command(click.Context(cli), "login")
    assert command is not None
    for option in command.params:
        if isinstance(option, click.Option) and option.name in SHARED - {"help"}:
            assert f"`{option.opts[0]}" in section


@pytest.mark.parametrize("code", Exit)
def test_every_exit_code_is_on_the_page(code):
    assert re.search(rf"^\| {int(code)} \|", PAGE, re.MULTILINE)


def test_every_variable_that_is_read_is_on_the_page():
    source = (Path(__file__).parents[2] / "tokenserver" / "cli" / "connection.py").read_text(encoding="utf-8")
    for name in {*re.findall(r"TOKENSERVER_[A-Z_]+", source), "TOKENSERVER_PROFILE", "TOKENSERVER_ALLOW_HTTP"}:
        assert name in PAGE

"""The programs of a guide, taken out of its page: files, and the commands that run them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
GUIDES = ROOT / "docs" / "resource-servers"


class Guide(NamedTuple):
    files: dict[str, str]
    """By name, in the order of the page."""
    commands: list[list[str]]


def read_guide(name: str) -> Guide:
    text = (GUIDES / f"{name}.md").read_text(encoding="utf-8")
    files = re.findall(r"<!-- file: ([a-z_]+\.py) -->\n```python\n(.*?)```", text, re.DOTALL)
    commands = re.findall(r"<!-- run -->\n```sh\n(.*?)\n```", text, re.DOTALL)
    return Guide(dict(files), [shlex.split(command) for command in commands])


def to_the_first_route(program: str) -> list[str]:
    """The lines that are not empty, from the top to the end of the first function."""
    lines = program.split("\n")
    starts = next(at for at, line in enumerate(lines) if line.startswith(("def ", "async def ")))
    ends = next((at for at in range(starts + 1, len(lines)) if lines[at] and not lines[at].startswith(" ")), len(lines))
    return [line for line in lines[:ends] if line]

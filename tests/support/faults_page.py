"""What happens when something fails, as the tests promise it; `python -m tests.support.faults_page` renews the page.

A test of a fault says so: `@pytest.mark.fault("the token server is down", "503 with Retry-After")`. The page has a row
for each, in the order of what happens; so nothing is promised there that is not tried.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.world import ROOT

PAGE = ROOT / "docs" / "faults.md"
_HEAD = """\
# What happens when something fails

Each row is the promise of a test, and this page is made from them: `python -m tests.support.faults_page` renews it.
What happens to running tokens when *you* do something is on [another page](what-happens-when.md).

| When… | then… | Test |
| --- | --- | --- |
"""


class Fault(NamedTuple):
    when: str
    then: str
    file: str
    test: str


def page() -> str:
    """The page as it must be."""
    return _HEAD + "".join(
        f"| {fault.when} | {fault.then} | [{_words(fault.test)}](../{fault.file}) |\n" for fault in sorted(faults())
    )


def faults() -> Iterator[Fault]:
    """Every test that is marked as one of a fault."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "mark.fault(" in text:
            yield from _in(ast.parse(text), path)


def _in(tree: ast.Module, path: Path) -> Iterator[Fault]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            for call in node.decorator_list:
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.fault":
                    when, then = (ast.literal_eval(said) for said in call.args)
                    yield Fault(when, then, path.relative_to(ROOT).as_posix(), node.name)


def _words(test: str) -> str:
    return test.removeprefix("test_").replace("_", " ")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

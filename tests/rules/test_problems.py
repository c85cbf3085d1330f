"""Does docs/problems.md tell every code that the server can answer, with its statuses, and no other?"""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import app
import tokenserver
from tokenserver.errors import TokenServerError

PAGE = (Path(__file__).parents[2] / "docs" / "problems.md").read_text(encoding="utf-8")
NOT_ALONE = {"app.__main__", "app.worker", "app.wsgi", "tokenserver.resource.rest_framework"}
"""These start something, or want something that was started."""
OF_CALLERS = ("tokenserver.client", "tokenserver.cli")  # what these raise is no answer of the server's


def import_all() -> None:
    for package in (app, tokenserver):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name not in NOT_ALONE and not module.name.startswith(("app.store.migrations", *OF_CALLERS)):
                importlib.import_module(module.name)


def family(root: type[TokenServerError]) -> list[type[TokenServerError]]:
    return [root, *(each for child in root.__subclasses__() for each in family(child))]


def statuses_by_code() -> dict[str, set[int]]:
    """Of the server's own errors, whatever tests have defined."""
    import_all()
    found: dict[str, set[int]] = {}
    for error in family(TokenServerError):
        module = error.__module__
        if module.partition(".")[0] in {"app", "tokenserver"} and not module.startswith(OF_CALLERS):
            found.setdefault(error.code or "unauthorized", set()).add(error.status)
    return found


def told() -> dict[str, str]:
    sections = re.split(r"^### `([a-z_]+)`$", PAGE, flags=re.MULTILINE)
    return dict(zip(sections[1::2], sections[2::2], strict=True))


def test_every_code_has_its_heading_and_no_other_has():
    known = set(statuses_by_code())
    assert known - set(told()) == set(), "tell of them in docs/problems.md"
    assert set(told()) - known == set(), "there are no such codes"


def test_every_code_is_told_with_its_statuses():
    for code, statuses in statuses_by_code().items():
        first = told()[code].strip().partition(".")[0]
        assert {int(number) for number in first.split(",")} == statuses, code


def test_codes_stand_in_the_order_of_the_alphabet():
    assert list(told()) == sorted(told())

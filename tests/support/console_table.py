"""The console's own table of pages, for tests that go through all of them so that none is missed."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from functools import partial

from app.console.page import Page
from tests.support.server import Server
from tokenserver.domain.operators import PERMISSIONS, OperatorRole

PART = re.compile(r"<(?:[a-z]+:)?([a-z_]+)>")
"""Of a path: what differs."""


def pages(server: Server) -> list[Page]:
    """From where Flask finds it."""
    views = server.app.view_functions
    found = [view.args[0] for name, view in views.items() if name.startswith("console.") and isinstance(view, partial)]
    assert len(found) > 50
    return found


def path_of(page: Page, ids: Mapping[str, str]) -> str:
    return PART.sub(lambda part: ids.get(part[1], "nothing_0000000000"), page.path)


def may(role: str, page: Page) -> bool:
    held = PERMISSIONS[OperatorRole(role)]
    return page.wants is None or page.wants.scope in held or (page.wants.own is not None and page.wants.own in held)


class Change:
    """Whether anybody has written to the database since it was last asked."""

    def __init__(self, server: Server) -> None:
        self._database = sqlite3.connect(server.settings.home / "tokenserver.db")
        self._seen = self._version()

    def happened(self) -> bool:
        before, self._seen = self._seen, self._version()
        return before != self._seen

    def close(self) -> None:
        self._database.close()

    def _version(self) -> int:
        (version,) = self._database.execute("PRAGMA data_version").fetchone()
        return int(version)

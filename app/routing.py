"""How does a server of hundreds of paths start quickly? They are made to be recognized; we write our own addresses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from werkzeug.routing import Rule


class Route(Rule):
    """Werkzeug compiles two functions for each path, by which `url_for` would build it: half of the time in which the
    server is put together. Here that waits until somebody asks, and nobody does.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:  # noqa: FBT001, FBT002  Werkzeug's
        compiled = super()._compile_builder

        def build(rule: Rule, **values: Any) -> tuple[str, str]:
            return compiled(append_unknown)(rule, **values)

        return build

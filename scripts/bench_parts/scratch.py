"""Where do files go that only one run needs? Into a folder that carries its process ID, and goes with the run.

A run that is killed cannot remove its own: the next one does.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch(where: Path, prefix: str) -> Iterator[Path]:
    """A new folder in `where`, removed with all that is in it when the block is left."""
    for folder in where.glob(f"{prefix}-*-*"):
        owner = folder.name.removeprefix(f"{prefix}-").partition("-")[0]
        if owner.isdecimal() and not _is_running(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix=f"{prefix}-{os.getpid()}-", dir=where))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _is_running(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        try:
            os.kill(pid, 0)
        except PermissionError:
            return True
        return True
    return False

"""Programs of the system that tests run."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest


def program(name: str, package: str, without: str = "WITHOUT_GATEWAYS", *, by: str = "apt-get") -> str:
    """Its path. Where it is missing the test is skipped with the reason; in CI it fails, unless it said `without`."""
    beside_python = Path(sys.executable).parent  # those of our own environment, whether or not it is on the way
    found = shutil.which(name, path=f"{beside_python}:{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        reason = f"{name} is not installed: {by} install {package}"
        if "CI" in os.environ and without not in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    return found

"""Under gevent, where threads are greenlets: nobody waits for a slow issuer but who must, and an end arrives."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.world import ROOT


@pytest.mark.fault(
    "an app runs under gevent",
    "other requests go on while the first news is slow, and an end arrives by itself",
)
def test_an_app_under_gevent_goes_on_and_hears_of_endings():
    command = [sys.executable, "-m", "tests.support.under_gevent"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout == "good\n", done.stderr

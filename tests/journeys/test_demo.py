"""Does scripts/demo show what the README says that it shows?"""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.support.world import ROOT


def plain(text: str) -> list[str]:
    """Its lines without what is another each time: how long it took."""
    return [re.sub(r"\d+ ms", "… ms", line.rstrip()) for line in text.splitlines() if line.strip()]


@pytest.mark.slow
def test_the_readme_shows_what_the_demo_prints_in_its_order():
    done = subprocess.run(
        [sys.executable, "-m", "scripts.demo_parts.story"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    printed = iter(plain(done.stdout))
    shown = (ROOT / "README.md").read_text(encoding="utf-8").partition("```text\n2. ")[2].partition("```")[0]
    for line in plain(f"2. {shown}"):
        assert line in printed, line


def test_the_demo_says_what_it_does_before_it_does_it():
    command = [sys.executable, "-m", "scripts.demo_parts.story", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0
    assert "real process" in done.stdout

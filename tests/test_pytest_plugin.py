"""Do the fixtures work in a project that has done nothing but install the package, and cost nothing where not used?"""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.support.guides import GUIDES, read_guide
from tests.support.world import ROOT
from tokenserver.testing import FakeIssuer

A_TEST = """
from tokenserver.resource import Require

def test_an_end(token_issuer, token_clock, token_verifier):
    token, anybody = token_issuer.token(roles={"cloud_admin"}), Require(any_caller=True)
    assert token_verifier.verify(token, anybody).roles == {"cloud_admin"}
    token_issuer.regenerate()
    token_clock.advance(1)
    try:
        token_verifier.verify(token, anybody)
    except Exception as fault:
        assert type(fault).__name__ == "InvalidToken"
    else:
        raise AssertionError
"""
ANOTHER = """
import sys

def test_nothing():
    assert not {"jwt", "cryptography", "tokenserver.resource"} & sys.modules.keys()
"""


def run(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tokenserver.pytest_plugin"]
    environment = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_the_fixtures_make_an_issuer_its_clock_and_a_verifier(tmp_path):
    done = run(tmp_path, A_TEST)
    assert "1 passed" in done.stdout, done.stdout


def test_the_example_of_the_guide_is_a_test_that_passes(tmp_path):
    done = run(tmp_path, read_guide("README").files["test_api.py"])
    assert "1 passed" in done.stdout, done.stdout


def test_the_guide_names_all_that_the_issuer_can_do_and_every_argument_of_a_token():
    page = (GUIDES / "README.md").read_text(encoding="utf-8")
    section = page[page.index("## In your tests") :]
    transports = {"fetch", "post", "metadata"}
    deeds = {name for name, _ in inspect.getmembers(FakeIssuer, inspect.isfunction) if name[0] != "_"} - transports
    arguments = inspect.signature(FakeIssuer.token).parameters.keys() - {"self"}
    assert [name for name in sorted(deeds | arguments) if not re.search(rf"\b{name}\b", section)] == []


def test_a_run_that_does_not_use_them_loads_nothing(tmp_path):
    done = run(tmp_path, ANOTHER)
    assert "1 passed" in done.stdout, done.stdout


def test_pytest_finds_them_by_the_entry_point_of_the_package():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    assert declared["pytest11"] == {"tokenserver": "tokenserver.pytest_plugin"}

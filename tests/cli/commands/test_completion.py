"""Does a shell that was given these lines complete commands and options?"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.support.world import ROOT


@pytest.fixture
def on_the_path(tmp_path):
    """`tokenserver` as a shell finds it."""
    command = tmp_path / "tokenserver"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tokenserver.cli "$@"\n')
    command.chmod(0o755)
    return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


ASKED = {
    "a command": ("tokenserver cred", "credential"),
    "a command of a group": ("tokenserver credential re", "regenerate revoke"),
    "an option": ("tokenserver credential create --allow", "--allowed-ips"),
    "a choice": ("tokenserver role list --output j", "json"),
    "a shell": ("tokenserver completion f", "fish"),
}


@pytest.mark.parametrize(("line", "offered"), ASKED.values(), ids=ASKED.keys())
def test_bash_completes(on_the_path, line, offered):
    if shutil.which("bash", path=on_the_path["PATH"]) is None:
        pytest.skip("no bash here")
    words = line.split()
    script = (
        'eval "$(tokenserver completion bash)"\n'
        f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}\n"
        f'_tokenserver_completion tokenserver "{words[-1]}" "{words[-2]}"\necho "${{COMPREPLY[@]}}"'
    )
    run = subprocess.run(["bash", "-c", script], env=on_the_path, check=True, capture_output=True, text=True)
    assert run.stdout.strip() == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_is_answered_in_its_own_way(terminal, on_the_path, shell):
    assert "_TOKENSERVER_COMPLETE" in terminal.ok("completion", shell)
    asked = {"_TOKENSERVER_COMPLETE": f"{shell}_complete", "COMP_WORDS": "tokenserver cred", "COMP_CWORD": "1"}
    if shell == "fish":
        asked["COMP_CWORD"] = "cred"
    run = subprocess.run(["tokenserver"], env={**on_the_path, **asked}, check=False, capture_output=True, text=True)
    assert "credential" in run.stdout.split("\n")[0] + run.stdout


def test_another_shell_is_refused(stranger):
    assert "bash" in stranger.refused(2, "completion", "powershell")

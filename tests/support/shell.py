"""`python -m app …` in this process: starting one takes longer than all that it does.

`tests/test_cli.py` starts real ones; here is what journeys ask for on their way. Nothing is left open behind a command,
and its environment is its own.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

from click.testing import CliRunner
from flask import Flask

from app import create_runner, create_services
from app.cli import command_line
from app.services import Services
from app.settings import Settings


def in_this_process(command: tuple[str, ...], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """What `python -m app <command>` says and how it ends, in just this environment."""
    opened: list[Services] = []

    def connect(settings: Settings) -> Services:
        opened.append(create_services(Flask("tokenserver"), settings))
        return opened[-1]

    none = {name: None for name in os.environ if name.startswith("TOKENSERVER_")}
    umask = os.umask(0o077)
    try:
        done = CliRunner().invoke(command_line(connect, create_runner), command, env={**none, **environment})
    finally:
        os.umask(umask)
        for services in opened:
            services.store.engine.dispose()
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(command, done.exit_code, done.stdout, done.stderr)

"""The examples of docs/rotation.md, as they stand there, against a real server."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.world import ROOT, eventually

PAGE = (ROOT / "docs" / "rotation.md").read_text(encoding="utf-8")
NEEDED = ("bash", "curl", "jq")


def examples(text: str) -> str:
    return "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))


def run(script: str, folder: Path, environment: dict[str, str]) -> str:
    """What is printed; variables go on from one script to the next."""
    kept = folder / "variables"
    kept.touch()
    keeping = f"declare -p | grep -E '^declare -- [A-Z_]+_(ID|SECRET)=' > {kept}.new || true; mv {kept}.new {kept}"
    around = f"set -euo pipefail\n. {kept}\n{script}\n{keeping}"
    done = subprocess.run(
        ["bash", "-c", around], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def make_all_due(database: Path) -> None:
    with closing(sqlite3.connect(database, timeout=20)) as connection, connection:
        connection.execute("UPDATE credential SET rotate_at = 1 WHERE name = 'nightly copy'")


def waits(database: Path) -> bool:
    with closing(sqlite3.connect(database, timeout=20)) as connection:
        asked = (
            "SELECT count(*) FROM rotation r JOIN credential c ON c.client_id = r.client_id WHERE name = 'nightly copy'"
        )
        return bool(connection.execute(asked).fetchone()[0])


def test_the_examples_set_a_schedule_and_claim_the_new_secret(world, tmp_path):
    missing = [tool for tool in NEEDED if shutil.which(tool) is None]
    if missing and "CI" not in os.environ:
        pytest.skip(f"not installed: {missing}")
    world.manage("GET", "/v1/credentials")  # signs in
    own, secret = world._admin_credential
    environment = {
        **os.environ,
        "TOKENSERVER_URL": world.issuer,
        "TOKENSERVER_CLIENT_ID": own,
        "TOKENSERVER_CLIENT_SECRET": secret,
    }
    setting, claiming = (examples(part) for part in PAGE.split("<!-- the server rotates -->"))
    assert '"interval_days": 90' in run(setting, tmp_path, environment)
    database = world.home / "tokenserver.db"
    make_all_due(database)
    eventually(lambda: waits(database), "the new secret waits")
    assert run(claiming, tmp_path, environment).split() == ["waiting", "Bearer"]

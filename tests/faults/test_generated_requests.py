"""Does schemathesis, a tool of others, find a fault in the admin API? It makes up requests from `/openapi.json`, good
and bad ones, follows what they make from operation to operation, and holds every answer to the description.

Left out is the check that every request which keeps to its schema is taken: what a name is worth is decided by what
there is (a role that is not in the catalogue, a version that has gone), and no schema can say so.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.world import ROOT, World, a_world

EXAMPLES = 15
"""Requests of each kind for each operation: about a minute."""
SEED = 20261121
SETTINGS = """
[checks]
missing_required_header.expected-statuses = [401, 428]  # RFC 6585 §3, for If-Match
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 428]
positive_data_acceptance.enabled = false
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_schemathesis_finds_nothing(tmp_path):
    with a_world(tmp_path / "home") as world:
        world.start()
        (tmp_path / "schemathesis.toml").write_text(SETTINGS, encoding="utf-8")
        done = subprocess.run(command(world), cwd=tmp_path, env=environment(world), check=False, timeout=500)
        assert done.returncode == 0, "what it found is above"


def command(world: World) -> list[str]:
    return [
        *(sys.executable, "-m", "schemathesis.cli"),
        *("--config-file", "schemathesis.toml"),
        *("run", f"{world.issuer}/openapi.json"),
        *("--seed", str(SEED), "--max-examples", str(EXAMPLES), "--generation-database", "none"),
        *("--exclude-checks", "positive_data_acceptance", "--request-timeout", "20", "--no-color"),
        *("--warnings", "off", "--continue-on-failure"),
    ]


def environment(world: World) -> dict[str, str]:
    client_id, secret = world.administrator
    home = world.manage("GET", "/v1/organizations")["items"][0]
    elsewhere = world.manage("POST", "/v1/organizations", {"name": "For requests that are made up"})
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "SCHEMATHESIS_HOOKS": "tests.support.generated",
        "GENERATED_ISSUER": world.issuer,
        "GENERATED_CLIENT_ID": client_id,
        "GENERATED_SECRET": secret,
        "GENERATED_HOME": home["id"],
        "GENERATED_ELSEWHERE": elsewhere["id"],
    }

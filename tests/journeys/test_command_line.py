"""The story of a credential by the command `tokenserver` alone: real processes, a real server, a real protected API."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.support.world import AUDIENCE, ROOT, eventually


@pytest.fixture
def tokenserver(world, tmp_path):
    """The command, as an administrator or, with a client ID and the file of its secret, as an app."""
    made = json.loads(world.shell("bootstrap", "--json", "--again").stdout)
    (tmp_path / "admin").write_text(made["client_secret"])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOKENSERVER_")}

    def run(*typed: str, client_id: str = made["client_id"], secret: str = "admin", code: int = 0) -> str:
        environment = {
            **kept,
            "PYTHONPATH": str(ROOT),
            "TOKENSERVER_URL": world.issuer,
            "TOKENSERVER_CLIENT_ID": client_id,
            "TOKENSERVER_CLIENT_SECRET_FILE": str(tmp_path / secret),
        }
        command = [sys.executable, "-m", "tokenserver.cli", *typed]
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == code, done.stderr
        return done.stdout.strip()

    return run


def test_a_credential_is_made_used_regenerated_and_revoked_without_any_other_tool(tokenserver, world, wsgi_api):
    grant = ("--role", "reader", "--grant", f"{AUDIENCE}=all_read_write")
    client_id = tokenserver("credential", "create", "--name", "by command", *grant, "--secret-file", "app", "--quiet")
    token = tokenserver("token", "get", client_id=client_id, secret="app")
    eventually(lambda: world.call(wsgi_api, token) == 200, "the token is taken")

    tokenserver("credential", "regenerate", client_id, "--yes", "--secret-file", "app", "--overwrite")
    eventually(lambda: world.call(wsgi_api, token) == 401, "the token has ended")
    explained = json.loads(tokenserver("token", "inspect", token, "--output", "json", code=1))
    assert [check["check"] for check in explained["checks"] if check["outcome"] == "fail"] == ["endings"]
    fresh = tokenserver("token", "get", client_id=client_id, secret="app")
    eventually(lambda: world.call(wsgi_api, fresh) == 200, "the new secret works")

    tokenserver("credential", "revoke", client_id, "--yes", "--reason", "The archive has moved.")
    eventually(lambda: world.call(wsgi_api, fresh) == 401, "the credential has ended")
    tokenserver("token", "get", client_id=client_id, secret="app", code=3)
    assert json.loads(tokenserver("credential", "show", client_id, "--output", "json"))["status"] == "revoked"

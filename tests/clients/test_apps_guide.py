"""Every example of docs/apps.md, as it is printed there, against a real server and a real protected API.

Only the addresses, the credential and the place of the secret file are replaced by those of the test.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.token_endpoint import CLIENT_ID, serving
from tests.support.world import a_world, eventually
from tokenserver.client import TokenSource

PAGE = (Path(__file__).parents[2] / "docs" / "apps.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"<!-- example: ([^>]+) -->\n```(?:python|sh)\n(.*?)```", PAGE, re.DOTALL))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with a_world(tmp_path_factory.mktemp("world")) as world:
        world.start()
        world.catalogue()
        yield world


@pytest.fixture(scope="module")
def api(world):
    return world.start_api()


@pytest.fixture(scope="module")
def credential(world):
    return world.credential()


@pytest.fixture
def secret_file(tmp_path, credential):
    path = tmp_path / "secret"
    path.write_text(credential["client_secret"])
    return path


def adapted(name, *, issuer, api="", client_id="", secret_file=""):
    """The example with addresses that exist."""
    here = {
        "https://auth.example.com": issuer,
        'HTTPSConnection("api.example.com")': f'HTTPConnection("{urlsplit(api).netloc}")',
        "https://api.example.com/reports": f"{api}/any",
        "https://api.example.com": api,
        '"/reports"': '"/any"',
        "tsc_…": client_id,
        "/run/secrets/reports": str(secret_file),
    }
    text = EXAMPLES[name]
    for printed, real in here.items():
        text = text.replace(printed, real)
    return text


@pytest.fixture
def run(world, api, credential, secret_file, capsys):
    def run(name):
        names = {
            "source": TokenSource(issuer=world.issuer, client_id=credential["client_id"], client_secret=secret_file),
            "client_id": credential["client_id"],
            "client_secret": credential["client_secret"],
        }
        where = {"issuer": world.issuer, "api": api, "client_id": credential["client_id"], "secret_file": secret_file}
        exec(adapted(name, **where), names)  # noqa: S102
        if "main" in names:
            asyncio.run(names["main"]())
        return capsys.readouterr().out.split()

    return run


def test_every_example_is_run_here():
    blocks = re.findall(r"^```(?:python|sh)$", PAGE, re.MULTILINE)
    assert len(blocks) == len(EXAMPLES)
    assert set(EXAMPLES) == {
        *("curl", "requests", "httpx", "aiohttp", "urllib", "plain", "write", "claim", "claim by curl"),
        "requests-oauthlib",
    }


@pytest.mark.parametrize(("name", "calls"), [("requests", 1), ("httpx", 2), ("aiohttp", 1), ("urllib", 1)])
def test_each_library_calls_the_api(run, name, calls):
    assert run(name) == ["200"] * calls


def test_without_an_adapter_as_well(run):
    answered, *bearer = run("plain")
    assert answered == "200"
    assert bearer[0] == "Bearer"
    assert int(bearer[1]) > 100


def test_with_another_library_as_well(run, monkeypatch):
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    assert run("requests-oauthlib") == ["200"]


def test_a_secret_is_written_for_its_owner_only(run, secret_file):
    run("write")
    assert secret_file.read_text() == "tss_…\n"
    assert secret_file.stat().st_mode & 0o077 == 0


def test_a_waiting_secret_is_claimed_by_itself(tmp_path):
    path = tmp_path / "secret"
    path.write_text("first")
    with serving() as tokens:
        tokens.waiting = "second"
        names: dict[str, TokenSource] = {}
        exec(adapted("claim", issuer=tokens.issuer, client_id=CLIENT_ID, secret_file=path), names)  # noqa: S102
        names["source"].token()
        eventually(lambda: path.read_text() == "second\n", "the new secret is in the file")


def shell(script, client_id, secret):
    missing = [name for name in ("bash", "curl", "jq") if shutil.which(name) is None]
    if missing and "CI" not in os.environ:
        pytest.skip(f"not on this machine: {', '.join(missing)}")
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "CLIENT_ID": client_id, "CLIENT_SECRET": secret}
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_by_curl(world, api, credential):
    script = adapted("curl", issuer=world.issuer, api=api)
    assert shell(script, credential["client_id"], credential["client_secret"]) == credential["client_id"]


def test_a_claim_by_curl_is_the_claim_of_the_contract():
    with serving() as tokens:
        script = adapted("claim by curl", issuer=tokens.issuer)
        assert json.loads(shell(script, CLIENT_ID, "first")) == {"error": "no_rotation"}
        tokens.waiting = "second"
        told = json.loads(shell(script, CLIENT_ID, "first"))
        assert told["client_secret"] == "second"
        assert told.keys() == {"client_id", "client_secret", "grace_expires_at"}

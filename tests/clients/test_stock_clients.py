"""Clients and resource servers that know nothing of this server: do they work with it, unmodified?

Those of Node are installed by `npm ci --ignore-scripts` in `tests/clients/node`, or where `STOCK_NODE` says.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet
from oauthlib.oauth2 import BackendApplicationClient
from requests_oauthlib import OAuth2Session as OAuthlibSession

from tests.support.world import AUDIENCE, ROOT, World, a_world

HERE = ROOT / "tests" / "clients" / "node"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with a_world(tmp_path_factory.mktemp("world")) as world:
        world.start()
        world.catalogue()
        yield world


@pytest.fixture(scope="module")
def made(world) -> dict[str, Any]:
    found: dict[str, Any] = world.credential()
    return found


@pytest.fixture(scope="module")
def metadata(world) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{world.issuer}/.well-known/oauth-authorization-server", timeout=20).json()
    return found


# --- Python -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["client_secret_basic", "client_secret_post"])
def test_authlib_fetches_and_revokes_a_token(way, made, metadata):
    session = OAuth2Session(made["client_id"], made["client_secret"], token_endpoint_auth_method=way)
    told = session.fetch_token(metadata["token_endpoint"], grant_type="client_credentials", scope="reports:read")
    assert (told["token_type"], told["scope"]) == ("Bearer", "reports:read")
    assert session.revoke_token(metadata["revocation_endpoint"], token=told["access_token"]).status_code == 200


def test_requests_oauthlib_fetches_a_token(made, metadata, monkeypatch):
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # it is this machine
    session = OAuthlibSession(client=BackendApplicationClient(made["client_id"], scope=["reports:read"]))
    told = session.fetch_token(metadata["token_endpoint"], client_secret=made["client_secret"])
    assert told["scope"] == ["reports:read"]


def test_the_key_client_of_pyjwt_checks_a_token(world, made, metadata):
    token = world.token(made["client_id"], made["client_secret"])
    key = jwt.PyJWKClient(metadata["jwks_uri"]).get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, algorithms=["ES256"], audience=AUDIENCE, issuer=world.issuer)
    assert claims["client_id"] == made["client_id"]
    with pytest.raises(jwt.InvalidAudienceError):
        jwt.decode(token, key, algorithms=["ES256"], audience="https://other.example.com")


def test_joserfc_checks_a_token(world, made, metadata):
    token = world.token(made["client_id"], made["client_secret"])
    keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=20).json())
    read = joserfc_jwt.decode(token, keys, algorithms=["ES256"])
    rules = joserfc_jwt.JWTClaimsRegistry(iss={"value": world.issuer}, aud={"value": AUDIENCE})
    rules.validate(read.claims)
    assert (read.header["typ"], read.claims["client_id"]) == ("at+jwt", made["client_id"])


# --- Node -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def node(world, made, tmp_path_factory):
    """Runs a story of `stock.mjs`, beside the packages that it needs."""
    place = Path(os.environ.get("STOCK_NODE", HERE)) / "node_modules"
    program = shutil.which("node")
    if program is None or not place.is_dir():
        reason = "the packages of Node are not installed: npm ci --ignore-scripts in tests/clients/node"
        if "CI" in os.environ and "WITHOUT_NODE" not in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("node")
    shutil.copy(HERE / "stock.mjs", folder)
    (folder / "node_modules").symlink_to(place)

    def run(story: str) -> Any:
        return json.loads(_told(world, made, [program, str(folder / "stock.mjs"), story]))

    return run


def _told(world: World, made: dict[str, Any], command: list[str]) -> str:
    environment = {
        **os.environ,
        "ISSUER": world.issuer,
        "AUDIENCE": AUDIENCE,
        "CLIENT_ID": made["client_id"],
        "CLIENT_SECRET": made["client_secret"],
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_oauth4webapi_finds_the_server_fetches_a_token_and_checks_it(node, made):
    assert node("oauth4webapi") == {"type": "bearer", "client": made["client_id"]}


def test_openid_client_finds_the_server_fetches_a_token_and_revokes_it(node):
    assert node("openid-client") == {"scope": "reports:read", "refused": 401}


def test_jose_checks_a_token(node, made):
    assert node("jose") == {"client": made["client_id"], "roles": ["reader"], "elsewhere": "aud"}


def test_express_oauth2_jwt_bearer_guards_an_api(node, made):
    assert node("express-oauth2-jwt-bearer") == {"client": made["client_id"], "statuses": [200, 401, 401]}

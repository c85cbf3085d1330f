"""Are secrets, tokens and keys in no log at any level, no audit line, no database, no file and no answer but their own?

A real server at DEBUG and a busy day: good requests, bad ones, people who put secrets where they do not belong, a
database that is locked, a row that cannot be read. Then everything that was written is searched, in every spelling.
"""

from __future__ import annotations

import base64
import contextlib
import json
import sqlite3
import urllib.parse
from dataclasses import dataclass, field

import pytest
import requests
from cryptography.hazmat.primitives import serialization

from tests.support.world import World, a_world
from tokenserver.tokens.keys import new_signing_key

PEPPER, KEK = bytes(range(100, 132)), bytes(range(200, 232))
PROVIDER = {"sso_issuer": "http://127.0.0.1:9", "sso_client_id": "us", "sso_client_secret": "k7Vq-of-the-provider-9sXz"}

pytestmark = pytest.mark.slow
"""The short of it is promise 5 in tests/journeys."""


@dataclass
class Day:
    """What must not be found, and where it is looked for."""

    hidden: dict[str, bytes] = field(default_factory=dict)
    written: dict[str, bytes] = field(default_factory=dict)
    answers: list[requests.Response] = field(default_factory=list)

    def hide_secret(self, name: str, secret: str) -> None:
        self.hidden[name] = secret[4:].encode()  # the prefix is no secret, and may be left out by whoever logs

    def hide_token(self, name: str, token: str) -> None:
        self.hidden[name] = token.encode()
        self.hidden[f"the signature of {name}"] = token.rpartition(".")[2].encode()

    def hide_key(self, name: str, key: bytes) -> None:
        self.hidden[name] = key
        self.hidden[f"{name} in base64"] = base64.b64encode(key)[:40]
        self.hidden[f"{name} in hexadecimal"] = key.hex()[:60].encode()


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    home = tmp_path_factory.mktemp("day")
    keys = {"pepper": base64.b64encode(PEPPER).decode(), "kek": base64.b64encode(KEK).decode()}
    day = Day()
    with a_world(home / "home", log_level="DEBUG", token_log_sample="1", **keys, **PROVIDER) as world:
        own = new_signing_key("ES256")
        (home / "own.pem").write_bytes(
            own.private.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        node = world.start()
        imported = world.shell("keys", "import", "--pem", str(home / "own.pem"), "--activate")
        world.catalogue()
        _work(world, day)
        _mistakes(world, day)
        _faults(world, day)
        day.written["what the shell was told"] = (imported.stdout + imported.stderr).encode()
        day.written["the audit export"] = world.shell("audit", "export").stdout.encode()
        node.stop()
        for path in world.home.rglob("*"):
            if path.is_file():
                day.written[path.name] = path.read_bytes()
        log = day.written[f"server-{world.port}.log"]
        assert all(said in log for said in (b'"token request"', b'"unexpected"', b"JSONDecodeError")), log
        day.hide_key("the operator's private key", own.to_der()[-100:])
        number = own.private.private_numbers().private_value.to_bytes(32, "big")  # type: ignore[union-attr]
        day.hide_key("the number of the private key", number)
    day.hide_key("the pepper", PEPPER)
    day.hide_key("the secret for the provider", PROVIDER["sso_client_secret"].encode())
    day.hide_key("the key-encryption key", KEK)
    for name, secret in [(n, s) for n, s in day.hidden.items() if n.startswith("secret")]:
        day.hidden[f"{name}, percent-encoded"] = "".join(f"%{byte:02x}" for byte in secret[:20]).encode()
        day.hidden[f"{name} in base64"] = base64.b64encode(secret)[4:40]
    return day


def _work(world: World, day: Day) -> None:
    """What is meant to be done."""
    made = world.credential(allowed_ips="127.0.0.0/8")
    client_id, secrets = made["client_id"], [made["client_secret"]]
    day.hide_token("the first token", world.token(client_id, secrets[0]))
    secrets.append(world.manage("POST", f"/v1/credentials/{client_id}/regenerate")["client_secret"])
    rotated = world.manage("POST", f"/v1/credentials/{client_id}/rotate", {"grace_seconds": 600})
    secrets.append(rotated["client_secret"])
    for number, secret in enumerate(secrets):
        day.hide_secret(f"secret {number}", secret)
    for number, secret in enumerate(secrets[1:]):
        day.hide_token(f"token {number}", world.token(client_id, secret))
        body = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        answer = requests.post(f"{world.issuer}/oauth/token", data=body, timeout=20)
        day.hide_token(f"token {number} by the body", answer.json()["access_token"])
    _repeated_and_leaked(world, day)
    assert world._admin_credential is not None
    day.hide_secret("secret of the administrator", world._admin_credential[1])
    day.hide_token("the token of the administrator", world._admin_token)
    world.manage("POST", f"/v1/credentials/{client_id}/rotation/cancel")
    world.manage("POST", f"/v1/credentials/{client_id}/disable")
    day.answers += [world.admin("GET", f"/v1/credentials/{client_id}"), world.admin("GET", "/v1/credentials")]
    day.answers += [world.ask(client_id, secrets[1])]


def _repeated_and_leaked(world: World, day: Day) -> None:
    """The answer to a request that may be repeated is kept; and whoever finds a secret sends it."""
    body, key = {"name": "repeated"}, {"Idempotency-Key": "a-key"}
    secret = world.manage("POST", "/v1/credentials", body, **key)["client_secret"]
    day.hide_secret("secret in an answer that is kept", secret)
    day.answers.append(world.admin("POST", "/v1/credentials", body, **key))
    assert day.answers[-1].headers["Idempotent-Replayed"] == "true"
    for url in (f"https://paste.example.com/{secret}", "https://paste.example.com/1"):
        found = {"secret": secret, "url": url, "source": secret}
        day.answers.append(requests.post(f"{world.issuer}/oauth/leaked", data=found, timeout=20))
        day.answers.append(requests.post(f"{world.issuer}/oauth/leaked/github", json=[found], timeout=20))
    day.answers.append(requests.get(f"{world.issuer}/oauth/leaked", params={"secret": secret}, timeout=20))


def _mistakes(world: World, day: Day) -> None:
    """Secrets and tokens in every place where they do not belong."""
    things = [f"tss_{day.hidden[name].decode()}" for name in ("secret 0", "secret 2", "secret of the administrator")]
    things += [day.hidden[name].decode() for name in ("the first token", "the token of the administrator")]
    token_url = f"{world.issuer}/oauth/token"
    for thing in things:
        quoted = urllib.parse.quote(thing, safe="")
        day.answers += [
            requests.get(token_url, params={"client_secret": thing}, timeout=20),
            requests.post(token_url, params={"client_secret": thing}, timeout=20),
            requests.post(token_url, data={"grant_type": thing}, timeout=20),
            requests.post(token_url, data={"grant_type": "client_credentials", "client_id": thing}, timeout=20),
            requests.post(token_url, data={"grant_type": "client_credentials"}, auth=(thing, thing), timeout=20),
            requests.post(token_url, data={"grant_type": "client_credentials"}, auth=("x", thing + "\0"), timeout=20),
            requests.post(token_url, data={"client_secret": [thing, thing]}, timeout=20),
            requests.post(token_url, json={"client_secret": thing}, timeout=20),
            requests.post(token_url, data=b"\xff" + thing.encode(), timeout=20),
            requests.post(token_url, headers={"Authorization": thing, "X-Request-Id": thing}, timeout=20),
            *_about_tokens(world, thing),
            requests.get(f"{world.issuer}/{quoted}", timeout=20),
            requests.get(f"{world.issuer}/oauth/networks/{quoted}", timeout=20),
            requests.get(f"{world.issuer}/oauth/generations", params={"after": thing}, timeout=20),
            requests.get(f"{world.issuer}/v1/credentials", cookies={"token": thing}, timeout=20),
            requests.get(f"{world.issuer}/v1/credentials", headers={"Authorization": f"Bearer {thing}"}, timeout=20),
            requests.get(f"{world.issuer}/v1/credentials", params={"access_token": thing}, timeout=20),
            requests.request(thing[:30], token_url, timeout=20),
            world.admin("GET", f"/v1/credentials/{quoted}"),
            world.admin("GET", f"/v1/credentials?cursor={quoted}"),
            world.admin("POST", "/v1/credentials", {"name": 7, thing: thing, "roles": [thing], "allowed_ips": thing}),
            world.admin("PATCH", f"/v1/credentials/{quoted}", {"name": thing}, **{"If-Match": f'"{quoted}"'}),
            world.admin("POST", "/v1/roles", {"name": thing + "!", "description": 7}),
        ]


def _about_tokens(world: World, thing: str) -> list[requests.Response]:
    """At the doors that take a token and a secret: each in its place, and in that of the other."""
    proof = (world.credential()["client_id"], thing)
    answers = []
    for door in ("introspect", "revoke"):
        url = f"{world.issuer}/oauth/{door}"
        assert world._admin_credential is not None
        answers += [
            requests.post(url, data={"token": thing}, auth=world._admin_credential, timeout=20),
            requests.post(url, data={"token": thing}, auth=proof, timeout=20),
            requests.post(url, data={"token": [thing, thing], "client_secret": thing}, timeout=20),
            requests.post(url, params={"token": thing}, timeout=20),
            requests.post(url, json={"token": thing}, auth=proof, timeout=20),
            requests.get(f"{url}/{urllib.parse.quote(thing, safe='')}", timeout=20),
        ]
    gate = f"{world.issuer}/forward-auth"
    good = {"aud": "https://api.example.com", "any_caller": "true"}
    bearing = {"Authorization": f"Bearer {thing}"}
    answers += [
        requests.get(gate, params=good, headers=bearing, timeout=20),
        requests.get(gate, params={**good, "aud": thing, "role": thing}, headers={"Authorization": thing}, timeout=20),
        requests.get(f"{gate}/{urllib.parse.quote(thing, safe='')}", headers={"X-Auth-Require": thing}, timeout=20),
    ]
    return answers


def _faults(world: World, day: Day) -> None:
    """While the database is locked, and with a row that cannot be read."""
    made = world.credential()
    day.hide_secret("secret in a fault", made["client_secret"])
    with sqlite3.connect(world.home / "tokenserver.db", isolation_level=None) as stranger:
        stranger.execute("BEGIN IMMEDIATE")
        day.answers.append(world.ask(made["client_id"], made["client_secret"]))
        day.answers.append(world.admin("POST", f"/v1/credentials/{made['client_id']}/regenerate"))
        stranger.execute("ROLLBACK")
        stranger.execute("UPDATE credential SET roles = 'broken' WHERE client_id = ?", (made["client_id"],))
    day.answers.append(world.ask(made["client_id"], made["client_secret"]))
    day.answers.append(world.admin("GET", f"/v1/credentials/{made['client_id']}"))
    assert [answer.status_code for answer in day.answers[-4:]] == [503, 503, 500, 500]
    day.answers.append(requests.get(f"{world.issuer}/console/sign-in/sso", timeout=30))  # nobody is there
    assert day.answers[-1].status_code == 503
    with contextlib.suppress(requests.RequestException):
        requests.get(world.issuer, headers={"Authorization": "Basic \x00"}, timeout=20)


def test_nothing_that_is_secret_was_written_anywhere(day):
    found = [
        f"{name} is in {place}"
        for name, hidden in day.hidden.items()
        for place, content in day.written.items()
        if hidden in content
    ]
    assert len(day.hidden) >= 30
    assert {"tokenserver.db", "the audit export"} <= set(day.written)
    assert not found


def test_nothing_that_is_secret_is_in_an_answer_to_anything_else(day):
    for answer in day.answers:
        text = (answer.text + json.dumps(dict(answer.headers))).encode()
        told = [name for name, hidden in day.hidden.items() if hidden in text]
        assert not told, (answer.request.method, answer.status_code)


def test_no_mistake_of_a_caller_was_a_fault_of_ours(day):
    assert [answer.status_code for answer in day.answers if answer.status_code >= 500] == [503, 503, 500, 500, 503]


def test_no_statement_of_the_database_and_no_value_of_it_was_logged(day):
    (log,) = [content for name, content in day.written.items() if name.startswith("server-")]
    for mark in (b"INSERT INTO", b"SELECT ", b"BEGIN IMMEDIATE", b"PRAGMA"):
        assert mark not in log

"""Do the configuration files of docs/gateways guard an API as they are printed? With the real programs."""

from __future__ import annotations

import base64
import hmac
import http.server
import json
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from fnmatch import fnmatchcase
from typing import Any

import pytest
import requests
import yaml

from app.oauth.forward_auth import told
from tests.support.gateways import ASKED_ABOUT, GATEWAYS, Gateway, fetch_keys, running
from tests.support.transports import RealTime
from tests.support.world import AUDIENCE, World, a_world, eventually
from tokenserver.resource.principal import Principal
from tokenserver.resource.testing import FakeIssuer

ELSEWHERE = "198.51.100.7"


class Echo(http.server.BaseHTTPRequestHandler):
    """An API that believes its gateway, and says what it was told."""

    def do_GET(self) -> None:
        said = json.dumps([[name.lower().replace("_", "-"), value] for name, value in self.headers.items()]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def do_POST(self) -> None:
        said = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory) -> Iterator[World]:
    """A token server that trusts the gateway."""
    with a_world(tmp_path_factory.mktemp("guarded"), trusted_proxies="127.0.0.0/8", rate_limits="off") as world:
        world.start()
        world.catalogue()
        yield world


@pytest.fixture(scope="module")
def echo() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture(scope="module", params=["nginx", "haproxy", "apache_forward_auth", "caddy", "traefik", "envoy"])
def gateway(request, guarded, echo, tmp_path_factory) -> Iterator[Gateway]:
    with running(request.param, guarded, echo, tmp_path_factory.mktemp(request.param)) as gateway:
        yield gateway


def test_the_story_of_a_gateway(gateway):
    """Refused, let in, told who it is, and ended."""
    world = gateway.world
    made = world.credential()
    token = world.token(made["client_id"], made["client_secret"])
    nobody = gateway.get(None)
    assert nobody.status_code == 401
    assert nobody.headers["WWW-Authenticate"].startswith("Bearer ")
    answer = gateway.get(token)
    assert answer.status_code == 200, answer.text
    told = gateway.told(answer)
    assert told["x-auth-client-id"] == made["client_id"]
    assert told["x-auth-roles"] == "reader"
    assert told["x-auth-scopes"].split() == ["reports:read", "reports:write"]
    assert not [name for name, _ in answer.json() if name == "authorization"]

    fresh = world.manage("POST", f"/v1/credentials/{made['client_id']}/regenerate")
    assert gateway.get(token).status_code == 401, "from the reply on"
    token = world.token(made["client_id"], fresh["client_secret"])
    assert gateway.get(token).status_code == 200
    requests.post(
        f"{world.issuer}/oauth/revoke",
        data={"token": token},
        auth=(made["client_id"], fresh["client_secret"]),
        timeout=20,
    ).raise_for_status()
    assert gateway.get(token).status_code == 401


def test_what_a_caller_makes_up_does_not_reach_the_api(gateway):
    world = gateway.world
    made = world.credential()
    token = world.token(made["client_id"], made["client_secret"])
    made_up = {"X-Auth-Roles": "cloud_admin", "X-Auth-Project": "billing", "X_Auth_Roles": "cloud_admin"}
    made_up |= {"X-Auth-Require": "any_caller=true", "x-auth-environment": "production"}
    if gateway.refuses_what_is_made_up:
        assert {gateway.get(token, **{name: value}).status_code for name, value in made_up.items()} == {400}
        made_up = {}
    told = gateway.told(gateway.get(token, **made_up))
    assert told["x-auth-roles"] == "reader"
    assert not {"x-auth-project", "x-auth-environment"} & told.keys()


def test_a_scope_that_is_missing_is_403(gateway):
    world = gateway.world
    made = world.credential(grants=[{"audience": AUDIENCE, "access": "custom", "scopes": ["reports:write"]}])
    assert gateway.get(world.token(made["client_id"], made["client_secret"])).status_code == 403


def test_the_callers_address_is_the_one_that_the_gateway_saw(gateway):
    world = gateway.world
    made = world.credential(allowed_ips=f"{ELSEWHERE}/32")
    asked: dict[str, Any] = {
        "data": {"grant_type": "client_credentials"},
        "auth": (made["client_id"], made["client_secret"]),
        "headers": {"X-Forwarded-For": ELSEWHERE},
    }
    token = requests.post(f"{world.issuer}/oauth/token", timeout=20, **asked).json()["access_token"]
    assert gateway.get(token).status_code == 403
    forged = {"X-Forwarded-For": ELSEWHERE, "Forwarded": f"for={ELSEWHERE}"}
    assert gateway.get(token, **forged).status_code == 403


def test_a_doubled_or_malformed_token_is_refused(gateway):
    world = gateway.world
    made = world.credential()
    token = world.token(made["client_id"], made["client_secret"])
    for authorization in (f"Bearer {token}, Bearer {token}", f"Bearer  {token}", f"Basic {token}", "Bearer x"):
        answer = requests.get(gateway.base, headers={"Authorization": authorization}, timeout=20)
        assert answer.status_code == 401, authorization


def test_what_is_posted_arrives_whole(gateway):
    made = gateway.world.credential()
    proof = {"Authorization": f"Bearer {gateway.world.token(made['client_id'], made['client_secret'])}"}
    body = os.urandom(10_000)
    assert requests.post(f"{gateway.base}/reports", body, headers=proof, timeout=20).content == body
    assert requests.post(f"{gateway.base}/reports", body, timeout=20).status_code == 401


def test_no_path_of_a_callers_makes_the_gateway_ask_for_something_else(gateway):
    """Some append it to the address that they ask; what is open to all at the token server lets nobody in."""
    up = ["/..", "/%2e%2e", "/.%2E", "/..;", "/x/../..", "/..%2f", "/%2e%2e%2f", "/..%5c", "/\\..", "//..", "/%252e."]
    for target in [f"{way}/healthz" for way in up] + ["/healthz", "?/../healthz", "*", "/%00", "http://x/healthz"]:
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
            connection.sendall(f"GET {target} HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n".encode())
            status = connection.recv(65536).partition(b"\r\n")[0]
        assert status == b"" or status.split()[1] in {b"400", b"401", b"404"}, target


AWAY = {"nginx": 503, "haproxy": 503, "caddy": 502, "traefik": 500, "envoy": 503}


@pytest.mark.fault(
    "the token server is away from a gateway that asks it",
    "nobody passes: 503 with `Retry-After`; of Envoy 503, of Caddy 502, of Traefik 500",
)
@pytest.mark.slow
def test_while_the_token_server_is_away_nobody_passes(echo, tmp_path_factory):
    with a_world(tmp_path_factory.mktemp("away"), trusted_proxies="127.0.0.0/8") as world, ExitStack() as stack:
        node = world.start()
        world.catalogue()
        made = world.credential()
        token = world.token(made["client_id"], made["client_secret"])
        folders = {kind: tmp_path_factory.mktemp(kind) for kind in AWAY}
        gateways = {kind: stack.enter_context(running(kind, world, echo, folders[kind])) for kind in AWAY}
        assert {kind: gateway.get(token).status_code for kind, gateway in gateways.items()} == dict.fromkeys(AWAY, 200)
        node.stop()
        answers = {kind: gateway.get(token) for kind, gateway in gateways.items()}
        assert {kind: answer.status_code for kind, answer in answers.items()} == AWAY
        assert [kind for kind, answer in answers.items() if answer.headers.get("Retry-After") == "1"] == [
            "nginx",
            "haproxy",
        ]


def test_apache_asks_by_introspection(guarded, echo, tmp_path):
    """With the credential of a resource server; endings show within a second."""
    scopes = [{"name": name, "access": "read"} for name in ("reports:read", "tokens:introspect")]
    guarded.manage("POST", "/v1/apis", {"audience": ASKED_ABOUT, "name": "Apache", "scopes": scopes})

    def credential(*names: str) -> dict[str, Any]:
        grants = [{"audience": ASKED_ABOUT, "access": "custom", "scopes": list(names)}]
        made: dict[str, Any] = guarded.credential(grants=grants)
        return made

    asker, app, other = credential("tokens:introspect"), credential("reports:read"), credential("tokens:introspect")
    environment = {
        "INTROSPECTION_CLIENT_ID": asker["client_id"],
        "INTROSPECTION_CLIENT_SECRET": asker["client_secret"],
    }
    with running("apache", guarded, echo, tmp_path, **environment) as gateway:
        token = guarded.token(app["client_id"], app["client_secret"])
        answer = gateway.get(token, **{"X-Auth-client_id": "somebody"})
        assert answer.status_code == 200, answer.text
        told = gateway.told(answer)
        assert told["x-auth-client-id"] == app["client_id"]
        assert told["x-auth-scope"] == "reports:read"
        assert gateway.get(guarded.token(other["client_id"], other["client_secret"])).status_code in {401, 403}
        assert gateway.get("x").status_code == 401
        guarded.manage("POST", f"/v1/credentials/{app['client_id']}/regenerate")
        eventually(lambda: gateway.get(token).status_code == 401, "Apache has asked again", seconds=10)


# --- HAProxy by itself ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alone(guarded, echo, tmp_path_factory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("alone")
    with running("haproxy_jwt", guarded, echo, folder) as gateway:
        gateway.keys = folder / "keys" / "key-1.pem"
        yield gateway


def test_haproxy_lets_in_what_is_signed_for_it_and_tells_who_it_is(alone):
    made = alone.world.credential()
    answer = alone.get(alone.world.token(made["client_id"], made["client_secret"]), **{"X-Auth-Roles": "cloud_admin"})
    assert answer.status_code == 200, answer.text
    told = alone.told(answer)
    assert told["x-auth-client-id"] == made["client_id"]
    assert told["x-auth-scopes"].split() == ["reports:read", "reports:write"]
    assert told["x-auth-organization"].startswith("org_")
    assert not {"x-auth-roles", "x-auth-project"} & told.keys()
    assert not [name for name, _ in answer.json() if name == "authorization"]


def encoded(**members: str) -> str:
    return base64.urlsafe_b64encode(json.dumps(members).encode()).rstrip(b"=").decode()


def by_secret(payload: str, secret: bytes) -> str:
    text = f"{encoded(alg='HS256', typ='at+jwt')}.{payload}"
    signature = hmac.digest(secret, text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_haproxy_refuses_what_a_look_at_the_token_shows(alone):
    """What others signed with whatever they could find, and what the server signed for something else."""
    world = alone.world
    made = world.credential()
    token = world.token(made["client_id"], made["client_secret"])
    head, payload, signature = token.split(".")
    other = "https://other.example.com"
    world.manage("POST", "/v1/apis", {"audience": other, "name": "Other", "scopes": []})
    elsewhere = world.credential(grants=[{"audience": other, "access": "all_read"}])
    refused = {
        "a forger's": FakeIssuer(world.issuer, audience=AUDIENCE, clock=RealTime()).token(scopes={"reports:read"}),
        "no signature": f"{head}.{payload}.",
        "another payload": f"{head}.{payload[:-2]}AA.{signature}",
        "the algorithm none": f"{encoded(alg='none', typ='at+jwt')}.{payload}.",
        "the public key as a secret": by_secret(payload, alone.keys.read_bytes()),
        "another type": requests.get(f"{world.issuer}/oauth/generations", timeout=20).text,
        "another API's": world.token(elsewhere["client_id"], elsewhere["client_secret"]),
        "no token": "x",
    }
    assert {why: alone.get(told).status_code for why, told in refused.items()} == dict.fromkeys(refused, 401)
    for authorization in (f"Bearer {token}, Bearer {token}", f"Basic {token}", "Bearer"):
        answer = requests.get(alone.base, headers={"Authorization": authorization}, timeout=20)
        assert answer.status_code == 401, authorization
    writer = world.credential(grants=[{"audience": AUDIENCE, "access": "custom", "scopes": ["reports:write"]}])
    assert alone.get(world.token(writer["client_id"], writer["client_secret"])).status_code == 403


def test_haproxy_by_itself_does_not_know_what_was_ended_as_its_file_says(alone):
    """Should it ever learn to, the file and the page are to be rewritten."""
    made = alone.world.credential()
    token = alone.world.token(made["client_id"], made["client_secret"])
    alone.world.manage("POST", f"/v1/credentials/{made['client_id']}/regenerate")
    assert alone.get(token).status_code == 200
    assert "THIS DOES NOT KNOW WHAT WAS ENDED" in (GATEWAYS / "haproxy_jwt.cfg").read_text(encoding="utf-8")


@pytest.mark.slow
def test_haproxy_by_itself_refuses_a_token_when_it_expires(alone):
    made = alone.world.credential(token_lifetime=60)
    token = alone.world.token(made["client_id"], made["client_secret"])
    assert alone.get(token).status_code == 200
    eventually(lambda: alone.get(token).status_code == 401, "it has expired", seconds=70)


def test_the_keys_for_haproxy_are_told_to_be_new_only_when_they_are(guarded, tmp_path):
    assert [fetch_keys(guarded, tmp_path) for _ in range(2)] == [10, 0]
    one, two = ((tmp_path / "keys" / f"key-{number}.pem").read_text() for number in (1, 2))
    assert one == two
    guarded.shell("keys", "rotate")
    eventually(lambda: fetch_keys(guarded, tmp_path) == 10, "the new key is published")
    assert (tmp_path / "keys" / "key-1.pem").read_text() == one
    assert (tmp_path / "keys" / "key-2.pem").read_text() != two


TOLD = tuple(told(Principal("tsc_x", "org_x", None, None, frozenset(), frozenset(), 1, "x", 0.0, {})))
SPELT = [name.replace("X-Auth-", prefix) for name in TOLD for prefix in ("X-Auth-", "X_Auth_", "x-auth_", "X_AUTH-")]


@pytest.mark.parametrize(
    "file", ["nginx.conf", "haproxy.cfg", "apache_forward_auth.conf", "Caddyfile", "envoy.yaml", "README.md"]
)
def test_every_header_that_is_told_is_overwritten_by_each_gateway(file):
    """Traefik takes them by their prefix, and Apache's module makes others."""
    text = (GATEWAYS / file).read_text(encoding="utf-8")
    assert [name for name in TOLD if name not in text] == []


def test_caddy_and_traefik_take_away_what_is_made_up_in_every_spelling():
    """Each passes names with underscores on by itself."""
    caddy = (GATEWAYS / "Caddyfile").read_text(encoding="utf-8")
    taken_away = [pattern.lower() for pattern in re.findall(r"^\t+request_header -(\S+)$", caddy, re.MULTILINE)]
    assert [name for name in SPELT if not any(fnmatchcase(name.lower(), pattern) for pattern in taken_away)] == []
    traefik = yaml.safe_load((GATEWAYS / "traefik_dynamic.yaml").read_text(encoding="utf-8"))
    taken = traefik["http"]["middlewares"]["token"]["forwardAuth"]["authResponseHeadersRegex"]
    assert [name for name in SPELT if not re.match(taken, name)] == []
    assert not re.match(taken, "X-Authenticate")

